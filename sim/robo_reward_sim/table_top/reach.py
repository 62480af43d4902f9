"""Reach: bring the tool to a ball in the air."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import final

import mujoco
import numpy as np
from jaxtyping import Float64

from robo_reward_sim.table_top.task import SHUT, TOOL, Observation, remaining, towards

REACHED = 0.02
"""Distance of the tool from the ball's centre that is success [m]: the ball's radius."""

_GOAL = slice(4, 7)
_LOW, _HIGH = np.array([0.32, -0.2, 0.04]), np.array([0.58, 0.2, 0.32])
_LEAST = 0.1  # distance of the ball from where the tool begins [m]


@final
@dataclass(frozen=True)
class Reach:
    """The tool has to come within 2 cm of a red ball.

    progress = 1 − (d − 0.02) / (d₀ − 0.02), clamped to [0, 1], with d = |tool − ball|.
    """

    name = "reach"
    instruction = "move the gripper to the red ball"
    model = "reach.xml"
    point_names = ("goal_x [m]", "goal_y [m]", "goal_z [m]")
    belief = (_GOAL,)
    horizon = 50

    def lay_out(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Draw where the ball is: at least 10 cm from the tool."""
        while True:
            ball = rng.uniform(_LOW, _HIGH)
            if np.linalg.norm(ball - data.site("tool").xpos) > _LEAST:
                break
        data.mocap_pos[0] = ball

    def observe(self, data: mujoco.MjData) -> Float64[np.ndarray, " number"]:
        """Give where the ball is."""
        return data.mocap_pos[0].copy()

    def goal(self, observation: Observation) -> Float64[np.ndarray, "3"]:
        """Give where the ball is [m]."""
        return np.array(observation[_GOAL], np.float64)

    def success(self, observation: Observation) -> bool:
        """Say whether the tool is in the ball."""
        return _distance(observation) <= REACHED

    def progress(self, observation: Observation, start: Observation) -> float:
        """Give which part of the way is done."""
        return 1.0 - remaining(_distance(observation), touching=REACHED, start=_distance(start))

    def expert(self, observation: Observation) -> Float64[np.ndarray, "4"]:
        """Go straight."""
        return np.append(towards(observation[TOOL], observation[_GOAL]), SHUT)


def _distance(observation: Observation) -> float:
    return float(np.linalg.norm(np.subtract(observation[TOOL], observation[_GOAL], dtype=np.float64)))
