"""OpenCV's lens distortion on the plane z = 1, and its inverse where it has one."""

import math

import cv2
import numpy as np
from jaxtyping import Float64

_DIRECTIONS, _ANGLES = 24, 400
_STEPS = 12
_ITERATIONS = 8
_ARRIVED = 1e-14
_TOLERANCE = 1e-12
"""Residual on the plane z = 1 below which an undone distortion counts as exact: 1e-9 px at a focal length of 1000."""


def distort(
    flat: Float64[np.ndarray, "*n 2"], coefficients: Float64[np.ndarray, " coefficient"]
) -> Float64[np.ndarray, "*n 2"]:
    """Give where points of the plane z = 1 appear on it through the lens; NaN stays NaN."""
    if not coefficients.any() or flat.size == 0:
        return flat
    return _projected(flat, coefficients)[0].reshape(flat.shape)


def distortion_jacobian(
    flat: Float64[np.ndarray, "*n 2"], coefficients: Float64[np.ndarray, " coefficient"]
) -> Float64[np.ndarray, "*n 2 2"]:
    """Give the derivative of `distort` by its point."""
    if not coefficients.any() or flat.size == 0:
        unseen = np.asarray(np.isnan(flat).any(axis=-1))
        return np.where(unseen[..., None, None], np.nan, np.eye(2))
    return _projected(flat, coefficients)[1].reshape(*flat.shape, 2)


def invertible_radius(coefficients: Float64[np.ndarray, " coefficient"]) -> float:
    """Give the radius on the plane z = 1 up to which the distortion turns nowhere back.

    Up to there the determinant of its derivative is positive in every direction from the axis; ∞ where it stays so to
    89.9 degrees off the axis.
    """
    if not coefficients.any():
        return math.inf
    heading = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    radius = np.tan(np.linspace(0, np.deg2rad(89.9), _ANGLES))
    spokes = radius[:, None, None] * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    folds = (np.linalg.det(distortion_jacobian(spokes, coefficients)) <= 0).any(axis=1)
    return float(radius[int(folds.argmax()) - 1]) if folds.any() else math.inf


def undistort(
    bent: Float64[np.ndarray, "*n 2"], coefficients: Float64[np.ndarray, " coefficient"], *, radius: float
) -> Float64[np.ndarray, "*n 2"]:
    """Give the points of the plane z = 1 that appear at `bent`, to rounding; NaN where none within `radius` does.

    OpenCV's fixed-point iteration starts, Newton's method ends; what did not arrive is led there from the axis in
    small steps, which cannot jump to a root beyond the fold.
    """
    if not coefficients.any() or bent.size == 0:
        return bent
    target = bent.reshape(-1, 2)
    criteria = (cv2.TERM_CRITERIA_COUNT, 40, 0.0)
    start = cv2.undistortPointsIter(
        np.nan_to_num(target)[:, None], np.eye(3), coefficients, np.eye(3), np.eye(3), criteria
    )[:, 0]
    found, good = _polished(start, target, coefficients, radius=radius)
    if not good.all():
        rest = target[~good]
        found[~good], good[~good] = _led(rest, coefficients, radius=radius)
    return np.where(good[:, None], found, np.nan).reshape(bent.shape)


def _led(
    target: Float64[np.ndarray, "n 2"], coefficients: np.ndarray, *, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    axis = distort(np.zeros((1, 2)), coefficients)
    found, good = np.zeros_like(target), np.zeros(len(target), bool)
    for part in np.linspace(0, 1, _STEPS + 1)[1:]:
        found, good = _polished(found, axis + part * (target - axis), coefficients, radius=radius)
    return found, good


def _polished(
    start: Float64[np.ndarray, "n 2"], target: Float64[np.ndarray, "n 2"], coefficients: np.ndarray, *, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method from `start`: the points, and which of them are solutions within the radius."""
    found, moving = np.where(np.isfinite(start), start, 0.0), np.ones(len(start), bool)
    with np.errstate(all="ignore"):
        for _ in range(_ITERATIONS):
            bent, slope = _projected(found, coefficients)
            error = target - bent
            determinant = slope[:, 0, 0] * slope[:, 1, 1] - slope[:, 0, 1] * slope[:, 1, 0]
            across = slope[:, 1, 1] * error[:, 0] - slope[:, 0, 1] * error[:, 1]
            down = slope[:, 0, 0] * error[:, 1] - slope[:, 1, 0] * error[:, 0]
            step = np.stack([across, down], axis=-1) / determinant[:, None]
            # each stops by itself: a pixel gets the same bits alone and among many
            found = np.where(np.isfinite(step) & moving[:, None], found + step, found)
            moving &= ~(np.abs(step).max(axis=-1) < _ARRIVED)
            if not moving.any():
                break
        error = np.abs(_projected(found, coefficients)[0] - target).max(axis=-1)
        scale = np.maximum(1.0, np.abs(target).max(axis=-1))
        good = (error < _TOLERANCE * scale) & ((found * found).sum(axis=-1) < radius**2)
    return found, good


def _projected(flat: Float64[np.ndarray, "*n 2"], coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1).reshape(-1, 1, 3)
    nothing = np.zeros(3)
    bent, derivative = cv2.projectPoints(points, nothing, nothing, np.eye(3), coefficients)
    # columns of the derivative: rotation (3), translation (3), ...; at depth 1 translation across is the point itself
    return bent[:, 0], derivative[:, 3:5].reshape(-1, 2, 2)
