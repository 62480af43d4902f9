"""Push: move a puck over the table to a mark."""

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

AT_THE_MARK = 0.025
"""Distance of the puck from the mark's centre that is success [m]."""

_OBJECT, _GOAL = slice(4, 7), slice(7, 10)
_LOW, _HIGH = np.array([0.36, -0.17]), np.array([0.54, 0.17])  # of puck and mark [m]
_LEAST, _MOST = 0.12, 0.22  # distance from puck to mark [m]
_RESTING = 0.02  # height of the puck's centre [m]
_BEHIND = 0.048  # from the puck's centre to the tool that is about to push it [m]
_HEIGHT = 0.022  # of the tool when it pushes [m]
_WEIGHT = 0.3


@final
@dataclass(frozen=True)
class Push:
    """The puck has to come within 2.5 cm of the mark.

    progress = motion + 0.3 (1 − motion) approach, motion = 1 − (d − 0.025) / (d₀ − 0.025) with d = |puck − mark| on the
    table, approach = 1 − (a − 0.01) / (a₀ − 0.01) with a = `funnel_distance` to the point behind the puck, seen from
    the mark; both clamped to [0, 1].
    """

    name = "push"
    instruction = "push the blue puck to the green mark"
    model = "push.xml"
    point_names = (*(f"object_{axis} [m]" for axis in "xyz"), *(f"goal_{axis} [m]" for axis in "xyz"))
    belief = (_OBJECT,)
    horizon = 100

    def lay_out(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Draw where the puck lies and where the mark is: 12 to 22 cm apart."""
        while True:
            puck, mark = rng.uniform(_LOW, _HIGH), rng.uniform(_LOW, _HIGH)
            if _LEAST < np.hypot(*(puck - mark)) < _MOST:
                break
        data.joint("object").qpos[:3] = (*puck, _RESTING)
        data.mocap_pos[0] = (*mark, 0.0)

    def observe(self, data: mujoco.MjData) -> Float64[np.ndarray, " number"]:
        """Give where puck and mark are."""
        return np.concatenate([data.body("object").xpos, data.mocap_pos[0]])

    def goal(self, observation: Observation) -> Float64[np.ndarray, "3"]:
        """Give where the puck is [m]."""
        return np.array(observation[_OBJECT], np.float64)

    def success(self, observation: Observation) -> bool:
        """Say whether the puck is on the mark."""
        return _distance(observation) <= AT_THE_MARK

    def progress(self, observation: Observation, start: Observation) -> float:
        """Give how far the puck and, before it, the tool have come."""
        motion = 1.0 - remaining(_distance(observation), touching=AT_THE_MARK, start=_distance(start))
        approach = 1.0 - remaining(_way_to_go(observation), touching=0.01, start=_way_to_go(start))
        return staged(approach, motion, weight=_WEIGHT)

    def expert(self, observation: Observation) -> Float64[np.ndarray, "4"]:
        """Go behind the puck from above, then push, steering back to the line through puck and mark."""
        tool, puck = np.array(observation[TOOL], np.float64), np.array(observation[_OBJECT], np.float64)
        ahead = _direction(observation)
        offset = (tool - puck)[:2]
        along, aside = float(offset @ ahead[:2]), abs(float(offset[0] * ahead[1] - offset[1] * ahead[0]))
        if aside < 0.015 and -0.065 < along < -0.02 and tool[2] < _HEIGHT + 0.015:
            into = puck - (_BEHIND - 0.03) * ahead
            return np.append(towards(tool, np.array([into[0], into[1], _HEIGHT])), SHUT)
        return np.append(down_the_funnel(tool, _behind(observation)), SHUT)


def _distance(observation: Observation) -> float:
    return float(np.hypot(*np.subtract(observation[_OBJECT], observation[_GOAL], dtype=np.float64)[:2]))


def _direction(observation: Observation) -> Float64[np.ndarray, "3"]:
    """Give the horizontal unit vector from the puck to the mark; any where it lies on it."""
    way = np.subtract(observation[_GOAL], observation[_OBJECT], dtype=np.float64)[:2]
    length = float(np.hypot(*way))
    return np.array([1.0, 0.0, 0.0]) if length < 1e-9 else np.array([*(way / length), 0.0])


def _behind(observation: Observation) -> Float64[np.ndarray, "3"]:
    point = np.array(observation[_OBJECT], np.float64) - _BEHIND * _direction(observation)
    return np.array([point[0], point[1], _HEIGHT])


def _way_to_go(observation: Observation) -> float:
    return funnel_distance(np.array(observation[TOOL], np.float64), _behind(observation))
