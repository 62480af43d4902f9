"""Pick: grasp a cube and lift it."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import final

import mujoco
import numpy as np
from jaxtyping import Float64

from robo_reward_sim.table_top.kinematics import MAX_WIDTH
from robo_reward_sim.table_top.task import (
    OPEN,
    SHUT,
    TOOL,
    WIDTH,
    Observation,
    down_the_funnel,
    funnel_distance,
    remaining,
    staged,
)

LIFTED = 0.1
"""How far the cube must be lifted [m]."""

CUBE = 0.04
"""Edge of the cube [m]."""

_OBJECT = slice(4, 7)
_LOW, _HIGH = np.array([0.34, -0.18]), np.array([0.56, 0.18])  # of the cube [m]
_TURN = 0.25  # largest angle of the cube to the fingers [rad]
_WEIGHT, _OF_APPROACH = 0.5, 0.6


@final
@dataclass(frozen=True)
class Pick:
    """The cube has to be held 10 cm above where it lay.

    progress = motion + 0.5 (1 − motion) (0.6 approach + 0.4 grip), motion = lift / 0.1 while held, approach =
    1 − (a − 0.01) / (a₀ − 0.01) with a = `funnel_distance` to the cube, grip = how far the fingers have closed from
    8 cm to the cube's 4 cm, counted while the tool is within 3 cm of its centre, fully within 1.2 cm; all clamped to
    [0, 1].
    """

    name = "pick"
    instruction = "lift the red cube"
    model = "pick.xml"
    point_names = ("object_x [m]", "object_y [m]", "object_z [m]")
    belief = (_OBJECT,)
    horizon = 80

    def lay_out(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Draw where the cube lies, and its angle up to 14 degrees."""
        angle = rng.uniform(-_TURN, _TURN) / 2
        data.joint("object").qpos[:] = (*rng.uniform(_LOW, _HIGH), CUBE / 2, np.cos(angle), 0.0, 0.0, np.sin(angle))

    def observe(self, data: mujoco.MjData) -> Float64[np.ndarray, " number"]:
        """Give where the cube is."""
        return data.body("object").xpos.copy()

    def goal(self, observation: Observation) -> Float64[np.ndarray, "3"]:
        """Give where the cube is [m]."""
        return np.array(observation[_OBJECT], np.float64)

    def success(self, observation: Observation) -> bool:
        """Say whether the cube is held high enough."""
        return _lift(observation) >= 1.0

    def progress(self, observation: Observation, start: Observation) -> float:
        """Give how far the cube is lifted and, before that, how nearly it is grasped."""
        approach = 1.0 - remaining(_way_to_go(observation), touching=0.01, start=_way_to_go(start))
        before = _OF_APPROACH * approach + (1.0 - _OF_APPROACH) * _grip(observation)
        return staged(before, _lift(observation), weight=_WEIGHT)

    def expert(self, observation: Observation) -> Float64[np.ndarray, "4"]:
        """Come down over the cube with open fingers, close them, lift."""
        tool, cube = np.array(observation[TOOL], np.float64), np.array(observation[_OBJECT], np.float64)
        if _nearness(observation) < 1.0 and _grip(observation) < 0.9:
            return np.append(down_the_funnel(tool, cube), OPEN)
        lift = 1.0 if _grip(observation) > 0.9 else 0.0
        return np.array([0.0, 0.0, lift, SHUT])


def _way_to_go(observation: Observation) -> float:
    return funnel_distance(np.array(observation[TOOL], np.float64), np.array(observation[_OBJECT], np.float64))


def _nearness(observation: Observation) -> float:
    """Give 1 with the cube between the fingertips, 0 from 3 cm on."""
    distance = float(np.linalg.norm(np.subtract(observation[TOOL], observation[_OBJECT], dtype=np.float64)))
    return 1.0 - remaining(distance, touching=0.012, start=0.03)


def _grip(observation: Observation) -> float:
    return _nearness(observation) * (1.0 - remaining(float(observation[WIDTH]), touching=CUBE * 1.05, start=MAX_WIDTH))


def _lift(observation: Observation) -> float:
    """Give which part of the height is done, 0 of a cube that is not held."""
    height = (float(observation[_OBJECT][2]) - CUBE / 2) / LIFTED
    return min(1.0, max(0.0, height)) if _nearness(observation) > 0.0 else 0.0
