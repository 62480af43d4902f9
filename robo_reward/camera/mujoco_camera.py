"""MuJoCo's cameras in this project's convention, from numbers alone."""

import math

import numpy as np
from jaxtyping import Float, Float64

from robo_reward.camera.intrinsics import intrinsics_from_field_of_view
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import RigCamera

_FLIP = np.diag([1.0, -1.0, -1.0])
"""MuJoCo's and OpenGL's cameras have y up and look along -z; the optical frame has y down and looks along +z."""


def pose_of_mujoco_camera(cam_xpos: Float[np.ndarray, "3"], cam_xmat: Float[np.ndarray, "..."]) -> Pose:
    """Give the pose in the world of the optical frame of a MuJoCo camera.

    Args:
        cam_xpos: `data.cam_xpos[id]` [m].
        cam_xmat: `data.cam_xmat[id]`, row by row, as 9 numbers or 3 x 3: its columns are the camera's axes.

    Raises:
        ValueError: No rotation.
    """
    rotation = np.asarray(cam_xmat, np.float64).reshape(3, 3)
    return Pose(rotation=rotation @ _FLIP, translation=np.array(cam_xpos, np.float64))


def rig_camera_of_mujoco(
    cam_xpos: Float[np.ndarray, "3"],
    cam_xmat: Float[np.ndarray, "..."],
    *,
    fovy_deg: float,
    width: int,
    height: int,
) -> RigCamera:
    """Give a MuJoCo camera as it renders, its world being the base frame.

    Args:
        cam_xpos: `data.cam_xpos[id]` [m].
        cam_xmat: `data.cam_xmat[id]`.
        fovy_deg: `model.cam_fovy[id]`, or `model.vis.global_.fovy` of a free camera: vertical [deg].
        width: Of the rendered picture [px].
        height: Of the rendered picture [px].

    Raises:
        ValueError: No rotation, or a field of view or size that cannot be.
    """
    return RigCamera(
        intrinsics=intrinsics_from_field_of_view(math.radians(fovy_deg), width, height),
        T_base_camera=pose_of_mujoco_camera(cam_xpos, cam_xmat),
    )


def mujoco_camera_of_pose(pose: Pose) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "4"]]:
    """Give `pos` [m] and `quat` (wxyz) of the MuJoCo camera whose optical frame has this pose in its parent."""
    turned = Pose(rotation=pose.rotation @ _FLIP, translation=pose.translation)
    return turned.translation, turned.quaternion_wxyz
