"""The space that tiles of pictures leave to a point: its middle, and how far its edge is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.rig import RigCamera

_SIDE, _DEPTHS = 12, 201
"""Lines of sight tried along each side of a tile, and points on each of them."""
_SLACK = 1.2
"""A point at the edge of a tile may be taken for one in its neighbour: this many times half a tile is still in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Where a point was shown in one camera's picture."""

    pixel: tuple[float, float]
    """(right, down) in the camera's full picture [px]."""
    std: float
    """One standard deviation of a coordinate [px]; of a tile its width / √12."""
    reach: tuple[float, float] | None = None
    """Of a tile: how far (right, down) from the pixel the point may be [px]; None = any, unlikely the farther."""


def middle_of_tiles(
    cameras: Sequence[RigCamera], shown: Sequence[Shown], *, near: Float64[np.ndarray, "3"]
) -> tuple[Float64[np.ndarray, "3"], float]:
    """Give the mean [m] of the points that all cameras see in their tiles, and the distance of the farthest [m].

    Points are tried along lines of sight that fill the first camera's tile, from half to one and a half times the
    distance of a point that is near; each stands for a volume that grows with the square of its distance.

    Args:
        cameras: Two or more.
        shown: A tile of each.
        near: Some point that is about there [m].

    Returns:
        NaN both where no point lies in all tiles.
    """
    tile, share = shown[0], (np.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    across, down = np.meshgrid(share, share)
    off = np.stack([across, down], axis=-1).reshape(-1, 2) * np.array(tile.reach)
    origin, directions = cameras[0].rays(np.array(tile.pixel) + off)
    distance = float(np.linalg.norm(near - origin)) * np.linspace(0.5, 1.5, _DEPTHS)
    points = (origin + directions[:, None] * distance[:, None]).reshape(-1, 3)
    weight = np.broadcast_to(distance**2, (len(directions), _DEPTHS)).ravel()
    inside = np.ones(len(points), dtype=bool)
    for camera, each in zip(cameras[1:], shown[1:], strict=True):
        inside &= (np.abs(camera.project(points) - each.pixel) <= _SLACK * np.array(each.reach)).all(axis=-1)
    if not inside.any():
        return np.full(3, np.nan), float("nan")
    middle = (points[inside] * weight[inside, None]).sum(axis=0) / weight[inside].sum()
    return middle, float(np.linalg.norm(points[inside] - middle, axis=-1).max())


def corner_reach(
    shown: Shown,
    position: Float64[np.ndarray, "3"],
    *,
    meet: Callable[[Float64[np.ndarray, "2"]], Float64[np.ndarray, "3"]],
) -> float:
    """Give the distance [m] from a position to the farthest corner of the tile that showed it; 0 where none did.

    Args:
        shown: A tile, or another mark.
        position: Where the tile's middle is [m].
        meet: Finds where in space a pixel of the tile is; NaN where nowhere.
    """
    if shown.reach is None:
        return 0.0
    corners = [
        np.array(shown.pixel) + np.array(sign) * np.array(shown.reach) for sign in product((-1.0, 1.0), repeat=2)
    ]
    away = np.array([np.linalg.norm(meet(corner) - position) for corner in corners])
    return float(away[np.isfinite(away)].max(initial=0.0))
