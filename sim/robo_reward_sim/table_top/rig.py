"""The table top's cameras as a calibrated rig: true lenses and poses."""

from collections.abc import Sequence

import numpy as np

from robo_reward.camera.rig import Rig
from robo_reward_sim.rig import rig_of_model
from robo_reward_sim.table_top.scene import TableTopScene
from robo_reward_sim.table_top.tasks import table_top_task

BASE = "base"
"""The arm's base frame, as `sim_arm_node` calls MuJoCo's world."""

STANDING = ("front", "side", "left")
"""Cameras that stand still; the other one rides on the hand."""


def table_top_rig(cameras: Sequence[str] = STANDING, *, height: int, width: int, prefix: str = "") -> Rig:
    """Give the true rig of the cameras that stand still; the base frame is the arm's.

    Args:
        cameras: Out of `STANDING`.
        height: Of the pictures [px].
        width: Of the pictures [px].
        prefix: Before each camera's name, as recordings and models fitted to them call it.

    Raises:
        ValueError: Another camera, none, or a size that is not positive.
    """
    if not cameras or set(cameras) - set(STANDING):
        raise ValueError(f"cameras must be of {', '.join(STANDING)}, which stand still; got {list(cameras)}")
    with TableTopScene(table_top_task("reach"), height=height, width=width) as scene:
        scene.reset(np.random.default_rng(0))
        rig = rig_of_model(scene.model, scene.data, cameras=cameras, width=width, height=height)
    named = {prefix + name: camera for name, camera in rig.cameras.items()}
    return Rig(cameras=named, base_frame=BASE, measured=rig.measured)
