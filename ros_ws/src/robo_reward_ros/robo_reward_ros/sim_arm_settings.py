"""From the parameters of the simulated arm's node to the settings of its core. No ROS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robo_reward_ros.sim_arm_core import ArmSettings, SimulatedArm
from robo_reward_sim.table_top.experts import Policy, expert
from robo_reward_sim.table_top.scene import PHYSICS_STEP
from robo_reward_sim.table_top.task import TOOL_NAMES
from robo_reward_sim.table_top.tasks import table_top_task

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
    return expert(task) if name == "scripted" else _saved(Path(name), task=task)


def _saved(file: Path, *, task: str) -> Policy:
    """Load what a learner saved; it has to act on the observation of the Gymnasium task."""
    if not file.is_file():
        raise ValueError(f"policy must be empty, scripted or the file of a saved policy, got '{file}'")
    from robo_reward.rl.saved_policy import load_saved_policy  # noqa: PLC0415 (needs the extra `rl`)

    policy, numbers = load_saved_policy(file), len(TOOL_NAMES) + len(table_top_task(task).point_names)
    if policy.observation_space.shape != (numbers,) or policy.action_space.shape != (4,):
        raise ValueError(
            f"{file} observes {policy.observation_space.shape} and acts by {policy.action_space.shape}; "
            f"table-top task '{task}' has ({numbers},) and (4,)"
        )
    return lambda observation: policy.predict(observation.astype(np.float32), deterministic=True)[0]
