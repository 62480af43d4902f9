"""How far the edges at a board's corners are smeared, by defocus or by motion."""

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

_HALF = 6
"""Half a patch [px]; small enough that no other corner is in it."""
_DIRECTIONS = np.deg2rad(np.arange(0, 180, 22.5))


def edge_width(grey: UInt8[np.ndarray, "height width"], pixels: Float64[np.ndarray, "corner 2"]) -> float:
    """Give the width of the edges that meet at corners [px], the median over corners.

    Contrast of a corner's patch divided by its steepest slope, in the direction in which that is least steep: motion
    smears one direction and leaves the other sharp. A perfect step reads 2 (the slope is measured over two pixels).

    Returns:
        Edge width [px]; ∞ for patches without contrast.
    """
    smooth = grey.astype(np.float32)
    slope_x = cv2.filter2D(smooth, -1, np.array([[-0.5, 0, 0.5]], np.float32))
    slope_y = cv2.filter2D(smooth, -1, np.array([[-0.5], [0], [0.5]], np.float32))
    rows, columns = _patches(grey.shape, pixels)
    patch, across, down = smooth[rows, columns], slope_x[rows, columns], slope_y[rows, columns]
    contrast = np.percentile(patch, 95, axis=1) - np.percentile(patch, 5, axis=1)
    steepest = [
        np.percentile(np.abs(across * np.cos(angle) + down * np.sin(angle)), 98, axis=1) for angle in _DIRECTIONS
    ]
    # two edges at right angles leave at least 1/√2 of the slope in every direction
    slope = np.sqrt(2) * np.min(steepest, axis=0)
    return float(np.median(np.where(slope > 0, contrast / np.maximum(slope, 1e-9), np.inf)))


def _patches(shape: tuple[int, ...], pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    offset_y, offset_x = (each.ravel() for each in np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1])
    centre = np.rint(pixels).astype(int)
    rows = np.clip(centre[:, 1:] + offset_y, 0, shape[0] - 1)
    columns = np.clip(centre[:, :1] + offset_x, 0, shape[1] - 1)
    return rows, columns
