"""Pixels of a board through a chain of poses of which the two ends are unknown, with derivatives."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ChainView:
    """One picture of a board: p_camera = D · T_middle · E · p_board, with small unknown motions D and E.

    D and E are six numbers each: a rotation vector [rad], then a translation [m].
    """

    points: Float64[np.ndarray, "corner 3"]
    """Corners in the board's frame [m]."""
    pixels: Float64[np.ndarray, "corner 2"]
    """Where they are seen."""
    intrinsics: Intrinsics
    T_middle: Pose
    """What is known or assumed of the pose of the board in the camera."""


def chain_residual(
    view: ChainView, outer: Float64[np.ndarray, "6"], inner: Float64[np.ndarray, "6"]
) -> tuple[Float64[np.ndarray, " pixel"], Float64[np.ndarray, "pixel 6"], Float64[np.ndarray, "pixel 6"]]:
    """Give projected minus seen pixels, u and v of each corner in turn, and the derivatives by `outer` and `inner`."""
    board, by_inner = _moved(view.points, inner)
    middle = view.T_middle.apply(board)
    camera, by_outer = _moved(middle, outer)
    projected, derivative = cv2.projectPoints(
        camera, np.zeros(3), np.zeros(3), view.intrinsics.matrix, view.intrinsics.distortion
    )
    by_camera = derivative[:, 3:6].reshape(-1, 2, 3)  # columns 3 to 5: by translation, which moves every point alike
    turned = cv2.Rodrigues(outer[:3])[0] @ view.T_middle.rotation
    residual = (projected[:, 0] - view.pixels).ravel()
    return residual, (by_camera @ by_outer).reshape(-1, 6), (by_camera @ (turned @ by_inner)).reshape(-1, 6)


def pose_of(motion: Float64[np.ndarray, "6"]) -> Pose:
    """Give the pose that six numbers stand for: rotation vector [rad], translation [m]."""
    return Pose.from_rotation_vector(motion[3:], motion[:3])


def _moved(
    points: Float64[np.ndarray, "corner 3"], motion: Float64[np.ndarray, "6"]
) -> tuple[Float64[np.ndarray, "corner 3"], Float64[np.ndarray, "corner 3 6"]]:
    """Points after a motion, and their derivative by it."""
    rotation, derivative = cv2.Rodrigues(motion[:3])
    by_turn = derivative.reshape(3, 3, 3)  # [component of the vector, row, column]
    by_motion = np.zeros((len(points), 3, 6))
    by_motion[:, :, :3] = np.einsum("kij,nj->nik", by_turn, points)
    by_motion[:, :, 3:] = np.eye(3)
    return points @ rotation.T + motion[3:], by_motion
