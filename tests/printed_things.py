"""Flat prints drawn into the pictures of cameras without distortion, for tests of sights."""

import cv2
import numpy as np
import torch

from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import RigCamera

OVER = 4
"""Pixels drawn per pixel and axis: the mean of 16 is the camera's."""


def marker_print(number: int, *, dictionary: int = cv2.aruco.DICT_4X4_50) -> np.ndarray:
    """A marker of 240 px with a white rim of 40 px: the black square is 3/4 of the print."""
    page = np.full((320, 320), 255, np.uint8)
    page[40:280, 40:280] = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(dictionary), number, 240)
    return page


def shown(
    camera: RigCamera, prints: list[tuple[np.ndarray, float, Pose]], *, noise: float = 2.0, seed: int = 0
) -> torch.Tensor:
    """A frame (3, height, width) of prints (picture, side [m], T_base_print; x right, y up) on a grey ground."""
    lens = camera.intrinsics
    assert not lens.distortion.any()
    size = (lens.width * OVER, lens.height * OVER)
    picture = np.full(size[::-1], 120.0)
    for page, side, pose in prints:
        corners = side / 2 * np.array([[-1.0, 1.0, 0.0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
        pixels = (camera.project(pose.apply(corners)) + 0.5) * OVER - 0.5
        edge = page.shape[0] - 0.5  # a print's edges are half a pixel outside of its pixels' centres
        drawn = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]])
        matrix = cv2.getPerspectiveTransform(drawn.astype(np.float32), pixels.astype(np.float32))
        ink = cv2.warpPerspective(page.astype(np.float64), matrix, size, flags=cv2.INTER_LINEAR)
        mask = cv2.warpPerspective(np.ones(page.shape), matrix, size, flags=cv2.INTER_NEAREST)
        picture = np.where(mask > 0.5, ink, picture)
    small = cv2.resize(picture, (lens.width, lens.height), interpolation=cv2.INTER_AREA)
    noisy = small + np.random.default_rng(seed).normal(0, noise, small.shape)
    grey = torch.from_numpy(np.clip(noisy, 0, 255).round().astype(np.uint8))
    return grey.expand(3, -1, -1).contiguous()
