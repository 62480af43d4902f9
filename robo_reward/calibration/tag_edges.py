"""Corners of square tags from their four edges, which a window around the corner would bias."""

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

_ALONG = np.linspace(0.12, 0.88, 24)
"""Where edges are crossed, as a share of their length; not near the corners."""
_STEP = 0.25
"""Distance of samples across an edge [px]."""
_ROUNDS = 3


def refine_tags(
    grey: UInt8[np.ndarray, "height width"], corners: Float64[np.ndarray, "tag 4 2"], *, cells: int
) -> Float64[np.ndarray, "tag 4 2"]:
    """Move rough corners of black squares on white to where lines through their edges meet.

    The edge's place on each crossing is the centroid of the slope, which blur does not shift; the line is fitted with a
    robust loss. A tag whose edges cannot be found comes back as NaN.

    Args:
        grey: The picture.
        corners: Rough corners of each tag, in order around it [px].
        cells: Cells along a tag's edge, its black border included; nothing changes within one cell of an edge.
    """
    return np.stack([_refined(grey.astype(np.float32), tag, cells) for tag in corners])


def _refined(grey: np.ndarray, tag: Float64[np.ndarray, "4 2"], cells: int) -> Float64[np.ndarray, "4 2"]:
    for _ in range(_ROUNDS):
        lines = [_line(grey, tag[side], tag[(side + 1) % 4], cells) for side in range(4)]
        if any(line is None for line in lines):
            return np.full((4, 2), np.nan)
        moved = np.array([_meeting(lines[side - 1], lines[side]) for side in range(4)])
        if not np.isfinite(moved).all() or np.abs(moved - tag).max() > _reach(tag, cells) + 2:
            return np.full((4, 2), np.nan)
        tag = moved
    return tag


def _reach(tag: np.ndarray, cells: int) -> float:
    """How far to both sides of an edge to look [px]: most of a cell."""
    return max(2.0, 0.8 * float(np.linalg.norm(tag - np.roll(tag, -1, axis=0), axis=1).min()) / cells)


def _line(grey: np.ndarray, start: np.ndarray, end: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray] | None:
    """A point and the direction of the edge between two rough corners."""
    length = float(np.linalg.norm(end - start))
    if length < 2 * cells:
        return None
    along = (end - start) / length
    outward = np.array([along[1], -along[0]])  # corners go around clockwise in the picture
    offsets = np.arange(-1, 1 + 1e-9, _STEP / max(2.0, 0.8 * length / cells)) * max(2.0, 0.8 * length / cells)
    base = start + _ALONG[:, None] * (end - start)
    where = base[:, None] + offsets[:, None] * outward
    maps = where.astype(np.float32)
    profile = cv2.remap(grey, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    slope = np.clip(np.diff(profile, axis=1), 0, None).astype(np.float64)  # from black inside to white outside
    # the foot of the slope is noise: only what is steep counts
    slope = np.where(slope > 0.2 * slope.max(axis=1, keepdims=True), slope, 0)
    weight = slope.sum(axis=1)
    if weight.min() <= 0:
        return None
    place = (slope * (offsets[:-1] + offsets[1:]) / 2).sum(axis=1) / weight
    points = (base + place[:, None] * outward).astype(np.float32)
    across, down, x, y = cv2.fitLine(points, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().astype(np.float64)
    return np.array([x, y]), np.array([across, down])


def _meeting(one: tuple[np.ndarray, np.ndarray] | None, other: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    assert one is not None  # noqa: S101
    assert other is not None  # noqa: S101
    slopes = np.stack([one[1], -other[1]], axis=1)
    if abs(np.linalg.det(slopes)) < 0.1:
        return np.full(2, np.nan)
    return one[0] + np.linalg.solve(slopes, other[0] - one[0])[0] * one[1]
