"""Small squares of grey pictures: how alike they are, where they are found, how well they can be placed."""

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from torch import Tensor

Grey = np.ndarray
"""A picture (height, width) of uint8."""

NOISE = 2.0
"""Standard deviation of a camera's grey values [of 255]."""

_RIVAL = 0.1
"""By how much the second-best place of a picture must be less alike than the best for that one to be told."""


def grey_of(picture: UInt8[Tensor, "3 height width"]) -> UInt8[np.ndarray, "height width"]:
    """Give the brightness of an RGB picture, in a copy."""
    return cv2.cvtColor(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()), cv2.COLOR_RGB2GRAY)


def inside(picture: Grey, place: Float64[np.ndarray, "2"]) -> bool:
    """Say whether a place lies in the picture."""
    height, width = picture.shape
    return bool(0 <= place[0] <= width - 1 and 0 <= place[1] <= height - 1)


def likeness(
    one: Grey, one_place: Float64[np.ndarray, "2"], other: Grey, other_place: Float64[np.ndarray, "2"], *, window: int
) -> float:
    """Give the correlation of two squares, in [-1, 1]; 0 where one is of one grey."""
    squares = [_square(one, one_place, window), _square(other, other_place, window)]
    first, second = (each - each.mean() for each in squares)
    norm = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / norm if norm > 0 else 0.0


def matching_covariance(
    one: Grey, one_place: Float64[np.ndarray, "2"], other: Grey, other_place: Float64[np.ndarray, "2"], *, window: int
) -> Float64[np.ndarray, "2 2"]:
    """Give the covariance of a place that was found by least squared differences to another [px²].

        Σ = σ² (Σ_window ∇I ∇Iᵀ)⁻¹,   σ² = max(mean squared difference of the squares, 2 · noise²)

    Infinite where the square has no texture in two directions.
    """
    first, second = _square(one, one_place, window + 2), _square(other, other_place, window + 2)
    difference = (second - second.mean()) - (first - first.mean())
    across = (second[1:-1, 2:] - second[1:-1, :-2]) / 2
    down = (second[2:, 1:-1] - second[:-2, 1:-1]) / 2
    texture = np.array(
        [[(across * across).sum(), (across * down).sum()], [(across * down).sum(), (down * down).sum()]], np.float64
    )
    if np.linalg.eigvalsh(texture)[0] <= 0:
        return np.full((2, 2), np.inf)
    return max(float((difference * difference).mean()), 2 * NOISE**2) * np.linalg.inv(texture)


def template_place(
    reference: Grey, place: Float64[np.ndarray, "2"], picture: Grey, *, window: int, min_likeness: float
) -> Float64[np.ndarray, "2"] | None:
    """Give the place of a picture that looks most like a place of the reference, to a pixel.

    None where nothing is as alike as `min_likeness`, or where a second place is nearly as alike: it could be either.
    """
    right, down = (round(float(each)) for each in place)
    half = window // 2
    template = reference[down - half : down + half + 1, right - half : right + half + 1]
    if picture.shape[0] < window or picture.shape[1] < window:
        return None
    score = cv2.matchTemplate(picture, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, corner = cv2.minMaxLoc(score)
    if not best >= min_likeness:
        return None
    column, row = corner
    around = score[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
    around[:] = -1.0  # the best place's own surroundings are no rival
    if float(score.max()) > best - _RIVAL:
        return None
    return np.array([column + half, row + half], np.float64) + (place - [right, down])


def _square(picture: Grey, place: Float64[np.ndarray, "2"], side: int) -> np.ndarray:
    centre = (float(place[0]), float(place[1]))
    return cv2.getRectSubPix(picture, (side, side), centre, patchType=cv2.CV_32F).astype(np.float64)
