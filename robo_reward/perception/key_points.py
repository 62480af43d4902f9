"""Candidate key points of a picture: places on objects that somebody can be asked to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, final, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float64, Int, Int64, UInt8

from robo_reward.perception.vlm import Picture

PER_OBJECT = 6
"""Candidates on each object, its centre among them."""
_LIGHTNESS = 0.4
"""How much a difference in lightness counts beside one in colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPoint:
    """A candidate in one picture."""

    label: str
    """`P[1]`, `P[2]`, … on what may be grasped, `Q[1]`, … on what is not attached to the gripper."""
    pixel: tuple[float, float]
    """(right, down) [px]; (0, 0) is the centre of the top left pixel."""


@runtime_checkable
class Segmenter(Protocol):
    """Finds objects in a picture: a mask model such as SAM, or a classical method."""

    def masks(self, picture: Picture) -> Bool[np.ndarray, "mask height width"]:
        """Give one mask per object, the most important first; none where nothing is found."""
        ...


@runtime_checkable
class KeyPointDetector(Protocol):
    """Finds candidate key points in a picture."""

    def key_points(self, picture: Picture) -> tuple[KeyPoint, ...]:
        """Give the candidates, labelled."""
        ...


@final
class MaskKeyPoints:
    """Candidates on the contours of objects: of each mask the centre and the points farthest from each other.

    Args:
        segmenter: Finds what may be grasped: labelled P.
        unattached: Finds what is not attached to the gripper: labelled Q; None = nothing is.
        per_object: Candidates on each object; ≥ 1.
        max_objects: Masks that are taken of each kind, the first ones.
        min_distance: Between two candidates, as a share of the picture's height: nearer ones could not be told apart.

    Raises:
        ValueError: A number below 1, or a distance outside [0, 1).

    Source:
        MOKA (Fang et al. 2024): 6 candidates per object by farthest-point sampling of the contour, incl. the centre.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        unattached: Segmenter | None = None,
        per_object: int = PER_OBJECT,
        max_objects: int = 6,
        min_distance: float = 0.03,
    ) -> None:
        if per_object < 1 or max_objects < 1:
            raise ValueError(f"per_object and max_objects must be >= 1, got {per_object} and {max_objects}")
        if not 0 <= min_distance < 1:
            raise ValueError(f"min_distance must be in [0, 1), got {min_distance}")
        self._segmenters: dict[Literal["P", "Q"], Segmenter] = {"P": segmenter}
        if unattached is not None:
            self._segmenters["Q"] = unattached
        self._per_object, self._max_objects, self._min_distance = per_object, max_objects, min_distance

    def key_points(self, picture: Picture) -> tuple[KeyPoint, ...]:
        """Give the candidates of all masks, numbered through."""
        found: list[KeyPoint] = []
        for letter, segmenter in self._segmenters.items():
            number, taken = 0, np.array([each.pixel for each in found]).reshape(-1, 2)
            for mask in segmenter.masks(picture)[: self._max_objects]:
                for point in mask_key_points(mask, count=self._per_object):
                    if (np.linalg.norm(taken - point, axis=1) < self._min_distance * picture.shape[1]).any():
                        continue
                    number, taken = number + 1, np.concatenate([taken, point[None]])
                    pixel = (float(point[0]), float(point[1]))
                    found.append(KeyPoint(label=f"{letter}[{number}]", pixel=pixel))
        return tuple(found)


@final
class CornerKeyPoints:
    """Candidates at the picture's strongest corners, where nothing is known of objects; labelled P.

    Args:
        count: Largest number of candidates.
        min_distance: Between two of them, as a share of the picture's height.

    Raises:
        ValueError: A count below 1, or a distance outside (0, 1).
    """

    def __init__(self, *, count: int = 12, min_distance: float = 0.08) -> None:
        if count < 1 or not 0 < min_distance < 1:
            raise ValueError(f"count must be >= 1 and min_distance in (0, 1), got {count} and {min_distance}")
        self._count, self._min_distance = count, min_distance

    def key_points(self, picture: Picture) -> tuple[KeyPoint, ...]:
        """Give the corners, the strongest first."""
        grey = cv2.cvtColor(_pixels(picture), cv2.COLOR_RGB2GRAY)
        corners = cv2.goodFeaturesToTrack(grey, self._count, 0.02, self._min_distance * grey.shape[0])
        places = np.zeros((0, 2)) if corners is None else corners.reshape(-1, 2)
        return tuple(
            KeyPoint(label=f"P[{number}]", pixel=(float(right), float(down)))
            for number, (right, down) in enumerate(places, start=1)
        )


@final
class ColourSegmenter:
    """Finds objects by their colour alone: regions of one colour that are neither the background nor a speck.

    Colours are grouped in Lab space, lightness counting less since light makes it, by Lloyd's iterations from colours
    that are farthest from each other, so that equal pictures give equal masks. Regions that fill more than `max_share`
    of the picture are background, those below `min_share` specks, and those that touch its edge come in from outside,
    as table and arm do. Regions of the liveliest colours come first: tools and toys are brighter than tables. Mistakes
    a patterned table for objects, and loses what has the table's colour: where that matters give a mask model.

    Args:
        num_colours: Groups of colours; ≥ 2.
        min_share: Of the picture, in (0, 1).
        max_share: Of the picture, in (0, 1), more than `min_share`.

    Raises:
        ValueError: A setting outside its range.
    """

    def __init__(self, *, num_colours: int = 8, min_share: float = 0.0003, max_share: float = 0.15) -> None:
        if num_colours < 2 or not 0 < min_share < max_share < 1:
            raise ValueError(
                "num_colours must be >= 2 and 0 < min_share < max_share < 1, got "
                f"{num_colours}, {min_share}, {max_share}"
            )
        self._num_colours, self._min_share, self._max_share = num_colours, min_share, max_share

    def masks(self, picture: Picture) -> Bool[np.ndarray, "mask height width"]:
        """Give a mask per region, the liveliest colour first."""
        smooth = cv2.bilateralFilter(_pixels(picture), 5, 30, 5)
        lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2Lab).astype(np.float64) * np.array([_LIGHTNESS, 1.0, 1.0])
        centres = _colour_groups(lab.reshape(-1, 3)[:: max(1, lab[..., 0].size // 4096)], self._num_colours)
        group = ((lab[:, :, None] - centres) ** 2).sum(axis=-1).argmin(axis=-1)
        found: list[tuple[float, Bool[np.ndarray, "height width"]]] = []
        for colour, centre in enumerate(centres):
            alike = (group == colour).astype(np.uint8)
            count, labels, stats, _ = cv2.connectedComponentsWithStats(alike, connectivity=8)
            for region in range(1, count):
                share = stats[region, cv2.CC_STAT_AREA] / alike.size
                if self._min_share <= share <= self._max_share and not _touches_edge(stats[region], alike.shape):
                    found.append((-float(np.hypot(*(centre[1:] - 128))), labels == region))
        found.sort(key=lambda each: each[0])
        return np.stack([mask for _, mask in found]) if found else np.zeros((0, *group.shape), dtype=bool)


def mask_key_points(
    mask: Bool[np.ndarray, "height width"], *, count: int = PER_OBJECT
) -> Float64[np.ndarray, "point 2"]:
    """Give the centre of a mask and the points of its contour that are farthest from it and from each other.

    Args:
        mask: True on the object.
        count: Largest number of points; a small contour may have fewer.

    Returns:
        Pixels (right, down), the centre first; none for an empty mask. A centre of mass that lies beside the object, as
        that of a ring does, is moved to the nearest pixel on it.

    Raises:
        ValueError: A count below 1.
    """
    if count < 1:
        raise ValueError(f"count must be >= 1, got {count}")
    down, right = np.nonzero(mask)
    if len(right) == 0:
        return np.zeros((0, 2))
    on_object = np.stack([right, down], axis=1).astype(np.float64)
    centre = on_object[((on_object - on_object.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = np.concatenate([contour.reshape(-1, 2) for contour in contours]).astype(np.float64)
    candidates = np.concatenate([centre[None], outline])
    return candidates[farthest_points(candidates, count=count)]


def farthest_points(points: Float64[np.ndarray, "point dim"], *, count: int) -> Int64[np.ndarray, " chosen"]:
    """Give indices of points that are far from each other: the first, then always the one farthest from all chosen.

    Stops early where only copies of chosen points are left; of equally far points the first counts.
    """
    chosen = [0]
    distance2 = ((points - points[0]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(points)) and distance2.max() > 0:
        chosen.append(int(distance2.argmax()))
        distance2 = np.minimum(distance2, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return np.array(chosen, dtype=np.int64)


def _colour_groups(colours: Float64[np.ndarray, "colour 3"], count: int) -> Float64[np.ndarray, "group 3"]:
    centres = colours[farthest_points(colours, count=count)]
    for _ in range(10):
        nearest = ((colours[:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)
        sizes = np.bincount(nearest, minlength=len(centres))
        sums = np.stack([np.bincount(nearest, colours[:, axis], len(centres)) for axis in range(3)], axis=1)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    return centres


def _touches_edge(box: Int[np.ndarray, "5"], shape: tuple[int, ...]) -> bool:
    left, top, width, height = box[:4].tolist()
    return left == 0 or top == 0 or left + width == shape[1] or top + height == shape[0]


def _pixels(picture: Picture) -> UInt8[np.ndarray, "height width 3"]:
    return picture.cpu().permute(1, 2, 0).contiguous().numpy()


def labels_of(key_points: Sequence[KeyPoint]) -> tuple[str, ...]:
    """Give the labels of candidates, in order."""
    return tuple(point.label for point in key_points)
