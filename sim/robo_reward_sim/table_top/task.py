"""What a table-top task is, and the geometry of approaching things that all of them share."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

from typing import Protocol

import mujoco
import numpy as np
from jaxtyping import Float, Float64

TOOL = slice(0, 3)
"""Where the observation of every task holds the tool's position [m]."""

WIDTH = 3
"""Where it holds the gripper's width [m]."""

TOOL_NAMES = ("tool_x [m]", "tool_y [m]", "tool_z [m]", "gripper_width [m]")
"""What the observation of every task begins with; positions are in the base frame."""

TOOL_SPEED = 0.15
"""Speed of the tool [m/s] along an axis at action 1."""

OPEN, SHUT = -1.0, 1.0
"""Actions of the gripper."""

_GAIN = 8.0  # of the experts' proportional control [1/s]
_CLEARANCE = 0.08  # how far above things the tool travels [m]
_SLOPE = 2.0  # of the funnel that leads down to a point

Observation = Float[np.ndarray, " number"]


class TableTopTask(Protocol):
    """One task: how its scene is laid out, what is observed of it, how far it is done, and how an expert does it.

    Everything after `lay_out` and `observe` is a pure function of observations, so that recordings can be judged as
    well as simulations. No state is kept: one object may serve many scenes, and two of a kind are equal.
    """

    @property
    def name(self) -> str:
        """Such as `reach`."""
        ...

    @property
    def instruction(self) -> str:
        """What is asked, in words."""
        ...

    @property
    def model(self) -> str:
        """File of the scene in this folder."""
        ...

    @property
    def point_names(self) -> tuple[str, ...]:
        """What the observation holds after `TOOL_NAMES`."""
        ...

    @property
    def belief(self) -> tuple[slice, ...]:
        """Where the observation holds what decides where the tool goes."""
        ...

    @property
    def horizon(self) -> int:
        """Steps of 0.1 s after which an episode is cut; the expert needs less than half of them."""
        ...

    def lay_out(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Put goal, object or furniture somewhere, before the state is forwarded."""
        ...

    def observe(self, data: mujoco.MjData) -> Float64[np.ndarray, " number"]:
        """Give the numbers of `point_names`."""
        ...

    def goal(self, observation: Observation) -> Float64[np.ndarray, "3"]:
        """Give the point that the tool has to go to first [m]: goal, object or handle."""
        ...

    def success(self, observation: Observation) -> bool:
        """Say whether the task is done in this state."""
        ...

    def progress(self, observation: Observation, start: Observation) -> float:
        """Give how far the task is done, in [0, 1]: 0 at the start, 1 if and only if it is done.

        Args:
            observation: Of the present state.
            start: Of the episode's first state.
        """
        ...

    def expert(self, observation: Observation) -> Float64[np.ndarray, "4"]:
        """Give the action of a scripted expert, in [-1, 1]."""
        ...


def funnel_distance(tool: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"]) -> float:
    """Give the length of the way [m] from the tool to a point that is approached from above.

    d = h + |z − z_target − min(0.08, 2 h)| with h the horizontal distance: far away the tool travels 8 cm above the
    target, and comes down along a cone. The straight distance would lead through what stands in between.
    """
    aside = float(np.hypot(*(tool - target)[:2]))
    return aside + abs(float(tool[2] - target[2]) - min(_CLEARANCE, _SLOPE * aside))


def remaining(distance: float, *, touching: float, start: float) -> float:
    """Give which part of a distance is still left, in [0, 1]: (d − touching) / (start − touching), clamped.

    Args:
        distance: Now [m].
        touching: Counts as nothing [m].
        start: At the beginning of the episode [m]; where that is below `touching`, nothing was ever left.
    """
    if start <= touching:
        return 0.0
    return min(1.0, max(0.0, (distance - touching) / (start - touching)))


def staged(approach: float, motion: float, *, weight: float) -> float:
    """Join the progress of the approach and of the motion that follows it: motion + weight · (1 − motion) · approach.

    It rises with both, starts at 0, reaches `weight` when the tool has arrived and 1 exactly when the motion is done,
    wherever the tool is then.
    """
    return motion + weight * (1.0 - motion) * approach


def towards(tool: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    """Give the tool's action straight to a point: 8/s times the distance, as a share of `TOOL_SPEED`, clamped."""
    return np.clip(_GAIN * (np.asarray(target, np.float64) - tool) / TOOL_SPEED, -1.0, 1.0)


def down_the_funnel(tool: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    """Give the tool's action to a point that is approached from above: up first where it is below the cone."""
    aside = float(np.hypot(*(tool - target)[:2]))
    height = float(target[2]) + min(_CLEARANCE, _SLOPE * aside)
    action = towards(tool, np.array([target[0], target[1], height]))
    action[:2] *= np.clip(1.5 - (height - tool[2]) / 0.03, 0.0, 1.0)
    return action
