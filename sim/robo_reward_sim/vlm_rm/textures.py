"""Textures made by rule: clouds, rock, tiles and metal."""

import io
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

Picture = UInt8[np.ndarray, "height width 3"]


def clouded(height: int, width: int, *, seed: int, octaves: int = 5) -> Float32[np.ndarray, "height width"]:
    """Give smooth noise in [0, 1]: random grids, each twice as fine and half as strong as the one before."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 1)
        grid = rng.random((cells + 1, round(cells * width / height) + 1), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low)


def blended(
    weight: Float32[np.ndarray, "height width"], low: tuple[int, int, int], high: tuple[int, int, int]
) -> Picture:
    """Give the colour between two RGB ones that each weight in [0, 1] stands for."""
    colours = np.array(low, np.float32) + weight[..., None] * (np.array(high, np.float32) - np.array(low, np.float32))
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)


@cache
def sky(height: int, width: int) -> Picture:
    """Give a blue sky with white clouds, paler towards the bottom."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, axis=1)
    blue = blended(down, (70, 130, 205), (185, 215, 240)).astype(np.float32)
    cloud = np.clip(3 * clouded(height, width, seed=1) - 1.7, 0, 0.9)[..., None]
    return _frozen(np.rint(blue + cloud * (250 - blue)).astype(np.uint8))


@cache
def tiles(size: int) -> Picture:
    """Give a square of light floor tiles with dark joints, which repeats without a seam."""
    picture = blended(0.3 * clouded(size, size, seed=2), (205, 205, 198), (165, 162, 155))
    joint = max(1, size // 50)
    for start in (0, size // 2):
        picture[start : start + joint] = picture[:, start : start + joint] = (105, 105, 105)
    return _frozen(picture)


@cache
def metal(size: int) -> Picture:
    """Give a square of brushed grey metal with seams and bolts."""
    brushed = cv2.resize(np.random.default_rng(3).random((size, 4), np.float32), (size, size))
    picture = blended(brushed, (128, 134, 142), (178, 184, 192))
    seam, bolt = max(1, size // 64), max(1, size // 32)
    for start in (size // 4, 3 * size // 4):
        picture[start : start + seam] = picture[:, start : start + seam] = (62, 70, 84)
    for across in (size // 8, size // 2, 7 * size // 8):
        for down in (size // 8, size // 2, 7 * size // 8):
            cv2.circle(picture, (across, down), bolt, (226, 140, 40), thickness=-1)
    return _frozen(picture)


def png(picture: Picture) -> bytes:
    """Give the picture as the contents of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def _frozen(picture: Picture) -> Picture:
    picture.setflags(write=False)  # it is cached: whoever wrote into it would write into everybody's
    return picture
