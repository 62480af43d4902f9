"""From the parameters of the simulated arm's node to the settings of its core. No ROS."""

from collections.abc import Mapping
from typing import Any

from robo_reward_ros.sim_arm_core import ArmSettings, SimulatedArm
from robo_reward_sim.table_top.experts import Policy, expert
from robo_reward_sim.table_top.scene import PHYSICS_STEP

_SAME = ("task", "seed", "cameras", "height", "width", "step_duration", "lockstep", "auto_reset")


def arm_settings(given: Mapping[str, Any]) -> ArmSettings:
    """Give the settings that a node's parameters stand for.

    Raises:
        ValueError: As `ArmSettings`.
    """
    return ArmSettings(
        period=max(1, round(1.0 / given["camera_rate"] / PHYSICS_STEP)) * PHYSICS_STEP,
        driven=bool(given["policy"]),
        **{name: given[name] for name in _SAME},
    )


def simulated_arm(given: Mapping[str, Any]) -> SimulatedArm:
    """Build what a node's parameters stand for.

    Raises:
        ValueError: As `ArmSettings`, or a policy that cannot be had.
    """
    return SimulatedArm(arm_settings(given), policy=_policy(given["policy"], task=given["task"]))


def _policy(name: str, *, task: str) -> Policy | None:
    if not name:
        return None
    if name == "scripted":
        return expert(task)
    raise ValueError(f"policy must be empty or scripted, got '{name}'")
