"""The simulated cameras as a calibrated rig: true lenses and poses, to try geometry on."""

# pyright: reportAttributeAccessIssue=false
# mujoco 3.3, which Meta-World needs, comes without types

from collections.abc import Sequence

import numpy as np

# before MuJoCo is imported: it chooses OpenGL without a screen
import robo_reward_sim.rendering  # noqa: F401  # isort: skip

import mujoco

from robo_reward.camera.intrinsics import intrinsics_from_field_of_view
from robo_reward.camera.mujoco_camera import rig_camera_of_mujoco
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Measurement, Rig, RigCamera
from robo_reward_sim.cameras import POSES, CameraPose

WORLD = "world"
"""Name of MuJoCo's frame; the robot of the Meta-World table stands at its origin."""

FIELD_OF_VIEW = np.deg2rad(45.0)
"""Vertical field of view of our cameras [rad]."""

_TRUE = Measurement(date="unknown", how="the simulator's own truth", residual_px=0.0)


def table_rig(cameras: Sequence[str] = tuple(POSES), *, image_size: int) -> Rig:
    """Give the true rig of the Meta-World table as `robo_reward_sim.record` films it; base frame is MuJoCo's world.

    Args:
        cameras: Names out of `robo_reward_sim.cameras.POSES`. Meta-World's own cameras are none of them: some ride on
            the hand; see `rig_of_model` for the others.
        image_size: Height and width of the pictures [px].

    Raises:
        ValueError: Another camera, none, or a size that is not positive.
    """
    unknown = [name for name in cameras if name not in POSES]
    if unknown:
        raise ValueError(f"no fixed pose is known of camera {unknown}; available: {', '.join(POSES)}")
    lens = intrinsics_from_field_of_view(FIELD_OF_VIEW, image_size, image_size)
    return Rig(
        cameras={name: RigCamera(intrinsics=lens, T_base_camera=optical_pose(POSES[name])) for name in cameras},
        base_frame=WORLD,
        measured=_TRUE,
    )


def rig_of_model(model: mujoco.MjModel, data: mujoco.MjData, *, cameras: Sequence[str], width: int, height: int) -> Rig:
    """Give the true rig of a model's own cameras, in their present poses; base frame is MuJoCo's world.

    Args:
        model: Any MuJoCo model.
        data: Its state, after `mj_forward`.
        cameras: Names of cameras of the model.
        width: Of the pictures [px].
        height: Of the pictures [px].

    Raises:
        ValueError: No camera, or a size that is not positive.
        KeyError: The model has no such camera.
    """
    return Rig(
        cameras={
            name: rig_camera_of_mujoco(
                data.camera(name).xpos,
                data.camera(name).xmat,
                fovy_deg=float(model.camera(name).fovy[0]),
                width=width,
                height=height,
            )
            for name in cameras
        },
        base_frame=WORLD,
        measured=_TRUE,
    )


def optical_pose(camera: CameraPose) -> Pose:
    """Give the pose in the world of the optical frame of a camera that looks at a point: `T_world_camera`."""
    azimuth, elevation = np.deg2rad((camera.azimuth, camera.elevation))
    ahead = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    return Pose(
        rotation=np.stack([right, np.cross(ahead, right), ahead], axis=1),
        translation=np.array(camera.lookat) - camera.distance * ahead,
    )
