"""Open: pull a drawer out by its handle."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import final

import mujoco
import numpy as np
from jaxtyping import Float64

from robo_reward_sim.table_top.task import (
    SHUT,
    TOOL,
    Observation,
    down_the_funnel,
    funnel_distance,
    remaining,
    staged,
    towards,
)

OPENED = 0.12
"""How far the drawer must be out [m]; it comes out by 15 cm."""

_HANDLE, _OPENING = slice(4, 7), 7
_LOW, _HIGH = np.array([0.66, -0.12]), np.array([0.70, 0.12])  # of the cabinet [m]
_BEHIND = np.array([0.025, 0.0, -0.01])  # from the handle to the tool that hooks it [m]
_WEIGHT = 0.3


@final
@dataclass(frozen=True)
class Open:
    """The drawer has to come 12 cm out.

    progress = motion + 0.3 (1 − motion) approach, motion = opening / 0.12, approach = 1 − (a − 0.01) / (a₀ − 0.01) with
    a = `funnel_distance` to the point behind the handle; both clamped to [0, 1].
    """

    name = "open"
    instruction = "open the drawer"
    model = "open.xml"
    point_names = ("handle_x [m]", "handle_y [m]", "handle_z [m]", "opening [m]")
    belief = (_HANDLE,)
    horizon = 80

    def lay_out(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Draw where the cabinet stands."""
        model.body("cabinet").pos[:2] = rng.uniform(_LOW, _HIGH)

    def observe(self, data: mujoco.MjData) -> Float64[np.ndarray, " number"]:
        """Give where the handle is, and how far the drawer is out."""
        return np.append(data.site("handle").xpos, data.joint("drawer").qpos)

    def goal(self, observation: Observation) -> Float64[np.ndarray, "3"]:
        """Give where the handle is [m]."""
        return np.array(observation[_HANDLE], np.float64)

    def success(self, observation: Observation) -> bool:
        """Say whether the drawer is open."""
        return float(observation[_OPENING]) >= OPENED

    def progress(self, observation: Observation, start: Observation) -> float:
        """Give how far the drawer and, before it, the tool have come."""
        motion = min(1.0, max(0.0, float(observation[_OPENING]) / OPENED))
        approach = 1.0 - remaining(_way_to_go(observation), touching=0.01, start=_way_to_go(start))
        return staged(approach, motion, weight=_WEIGHT)

    def expert(self, observation: Observation) -> Float64[np.ndarray, "4"]:
        """Come down behind the handle, then pull towards the base."""
        tool, hook = np.array(observation[TOOL], np.float64), _hook(observation)
        offset = tool - hook
        if abs(offset[1]) < 0.04 and -0.025 < offset[0] < 0.02 and abs(offset[2]) < 0.012:
            return np.append(towards(tool, hook + np.array([-0.05, 0.0, 0.0])), SHUT)
        return np.append(down_the_funnel(tool, hook), SHUT)


def _hook(observation: Observation) -> Float64[np.ndarray, "3"]:
    return np.array(observation[_HANDLE], np.float64) + _BEHIND


def _way_to_go(observation: Observation) -> float:
    return funnel_distance(np.array(observation[TOOL], np.float64), _hook(observation))
