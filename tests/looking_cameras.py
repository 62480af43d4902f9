"""Cameras that look at a place, for tests of geometry."""

import numpy as np

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import RigCamera

STRONG = np.array([-0.32, 0.14, 1.2e-3, -0.9e-3, -0.02])
"""A wide lens: the corners of 640 x 480 at 500 px are bent by some 40 px."""


def intrinsics(*, distortion: np.ndarray | None = None) -> Intrinsics:
    return Intrinsics(
        width=640,
        height=480,
        focal_x=500.0,
        focal_y=505.0,
        centre_x=322.3,
        centre_y=236.7,
        distortion=np.zeros(0) if distortion is None else distortion,
    )


def looking(place: tuple[float, float, float], at: tuple[float, float, float]) -> Pose:
    """The optical frame of an upright camera at `place` that looks at `at` [m]."""
    origin, target = np.array(place, np.float64), np.array(at, np.float64)
    ahead = (target - origin) / np.linalg.norm(target - origin)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return Pose(rotation=np.stack([right, np.cross(ahead, right), ahead], axis=1), translation=origin)


PLACES = ((1.0, 0.0, 0.6), (0.0, 1.1, 0.8), (-0.9, 0.2, 0.7), (0.5, -0.9, 0.4))


def around(number: int, *, distortion: np.ndarray | None = None) -> list[RigCamera]:
    """Up to four cameras around the table, a metre from (0, 0, 0.1)."""
    lens = intrinsics(distortion=distortion)
    return [RigCamera(intrinsics=lens, T_base_camera=looking(place, (0.0, 0.0, 0.1))) for place in PLACES[:number]]
