"""Looks for the board in all pictures, and picks few that differ and are sharp."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64, Int64

from robo_reward.calibration.boards import Board
from robo_reward.calibration.corners import Corners, DetectionSettings, Rejected, find_corners
from robo_reward.calibration.pictures import PictureSource

OnPicture = Callable[[str], None]


def silently(_: str) -> None:
    """Tell nobody about progress."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class BoardViews:
    """What a camera saw of the board."""

    views: tuple[Corners, ...]
    stamps: Float64[np.ndarray, " view"]
    """When each view was taken [s]."""
    places: Int64[np.ndarray, " view"]
    """How many pictures the source has before each."""
    rejected: tuple[Rejected, ...]
    """Pictures that say nothing, with reasons."""


def look_for_board(
    source: PictureSource, board: Board, *, settings: DetectionSettings, on_picture: OnPicture = silently
) -> BoardViews:
    """Find the board in every picture of a source.

    Args:
        source: The pictures.
        board: What is looked for.
        settings: When a picture counts.
        on_picture: Is told the name of every picture when it is done.
    """
    views, stamps, places, rejected = [], [], [], []
    for picture in source:
        found = find_corners(picture.grey, board, picture=picture.name, settings=settings)
        if isinstance(found, Rejected):
            rejected.append(found)
        else:
            views.append(found)
            stamps.append(picture.stamp)
            places.append(picture.place)
        on_picture(picture.name)
    return BoardViews(
        views=tuple(views),
        stamps=np.array(stamps, np.float64),
        places=np.array(places, np.int64),
        rejected=tuple(rejected),
    )


def choose_spread(views: Sequence[Corners], board: Board, *, number: int) -> list[int]:
    """Pick views that differ most in where the board is, how large, how tilted and how turned; the sharp half first.

    Farthest-point sampling on where the board's outline lies in the picture (four points, relative to its size),
    beginning with the sharpest view; views whose edges are wider than twice the median are left out.

    Args:
        views: What there is.
        board: Whose outline.
        number: How many are wanted; all, where there are no more.

    Returns:
        Indices, ascending.
    """
    if len(views) <= number:
        return list(range(len(views)))
    width = np.array([view.edge_width for view in views])
    limit = 2 * np.median(width)
    sharp = [index for index in range(len(views)) if not width[index] > limit]
    where = np.array([_outline(views[index], board) for index in sharp])
    picked = [int(np.argmin(width[sharp]))]
    distance = np.linalg.norm(where - where[picked[0]], axis=1)
    while len(picked) < min(number, len(sharp)):
        picked.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(where - where[picked[-1]], axis=1))
    return sorted(sharp[index] for index in picked)


def _outline(view: Corners, board: Board) -> Float64[np.ndarray, " 8"]:
    width, height = board.size
    outline = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
    plane, _ = cv2.findHomography(view.points[:, :2], view.pixels)
    seen = cv2.perspectiveTransform(outline, plane)[0] / np.array(view.image_size)
    return np.clip(seen, -1, 2).ravel()  # a partial view may put the far end of the board anywhere
