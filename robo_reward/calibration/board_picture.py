"""Boards as pictures: what a printer puts on paper, pixel by pixel."""

import numpy as np
from jaxtyping import UInt8

from robo_reward.calibration.boards import Board


def board_picture(board: Board, *, pixels_per_metre: float, margin: float) -> UInt8[np.ndarray, "height width"]:
    """Draw a board: black 0, white 255; the pattern's edges lie at `margin` from the picture's.

    A pixel that an edge crosses is grey by the share of it that is covered, so that corners keep their place.

    Args:
        board: What to draw.
        pixels_per_metre: Scale [px/m].
        margin: Paper around the pattern [m]; black around an inverted one.

    Raises:
        ValueError: A scale or margin that is not positive.
    """
    if pixels_per_metre <= 0 or margin < 0:
        raise ValueError(f"scale must be > 0 px/m and margin >= 0 m, got {pixels_per_metre:g} and {margin:g}")
    width, height = (round((side + 2 * margin) * pixels_per_metre) for side in board.size)
    dark = np.zeros((height, width))
    for x, y, across, down in board.dark_rectangles:
        left, right = ((edge + margin) * pixels_per_metre for edge in (x, x + across))
        top, bottom = ((edge + margin) * pixels_per_metre for edge in (y, y + down))
        rows, columns = slice(int(top), int(np.ceil(bottom))), slice(int(left), int(np.ceil(right)))
        dark[rows, columns] += np.outer(_covered(top, bottom), _covered(left, right))
    light = np.clip(1 - dark, 0, 1)
    return np.rint(255 * (1 - light if board.inverted else light)).astype(np.uint8)


def _covered(start: float, end: float) -> np.ndarray:
    """Share of each pixel from ⌊start⌋ to ⌈end⌉ that lies between start and end."""
    edges = np.arange(int(start), int(np.ceil(end)) + 1)
    return np.diff(np.clip(edges, start, end))
