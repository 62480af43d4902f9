"""What is recorded of any simulator: a task, a scene that plays it, and how its episodes are sampled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

from robo_reward.episodes.lerobot_format import Feature

Observation = Float[np.ndarray, " number"]
"""Begins with the tool's position [m] and the gripper's opening, whatever the simulator adds to them."""


class Policy(Protocol):
    """Chooses actions from observations."""

    def __call__(self, observation: Observation) -> Float[np.ndarray, "4"]:
        """Return the tool's motion (3) and the gripper's effort (1), in [-1, 1]."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Step:
    """What one step of the simulation led to."""

    observation: Observation
    """Of the state that was reached."""
    reward: float
    """The task's own dense reward."""
    success: bool
    """The task's own predicate of the state that was reached."""


class PlayedTask(Protocol):
    """A task as it is planned: equal ones are the same task."""

    @property
    def name(self) -> str:
        """Such as `reach`."""
        ...

    @property
    def instruction(self) -> str:
        """What is asked, in words."""
        ...

    @property
    def belief(self) -> tuple[slice, ...]:
        """Where observations hold what decides where the tool goes: positions that a mistaken expert gets wrong."""
        ...


class PlayedScene(Protocol):
    """A task's physics and cameras; an episode is a function of the seed and the actions."""

    @property
    def task(self) -> PlayedTask:
        """What is played."""
        ...

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that `frames` shows."""
        ...

    @property
    def image_size(self) -> int:
        """Height and width of a picture [px]."""
        ...

    def reset(self, seed: int) -> Observation:
        """Begin the episode that `seed` stands for, and return its first observation."""
        ...

    def step(self, action: Float[np.ndarray, "4"]) -> Step:
        """Advance by one step of the simulation."""
        ...

    def expert(self) -> Policy:
        """Return a scripted expert of the task."""
        ...

    def frames(self) -> Mapping[str, UInt8[np.ndarray, "3 height width"]]:
        """Render the present state: a new RGB picture per camera, upright."""
        ...

    def close(self) -> None:
        """Free what the scene holds."""
        ...


class HowRecorded(Protocol):
    """How episodes of one simulator are seen and sampled."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that are recorded."""
        ...

    @property
    def image_size(self) -> int:
        """Height and width of a picture [px]."""
        ...

    @property
    def action_repeat(self) -> int:
        """Steps of the simulation that each recorded action is held for."""
        ...

    @property
    def fps(self) -> float:
        """Recorded rows per second of simulated time [1/s]."""
        ...

    @property
    def max_steps(self) -> int:
        """Steps after which an expert that has not succeeded is given up."""
        ...

    @property
    def settle_steps(self) -> int:
        """Steps for which success must last before an episode counts as one and ends."""
        ...

    @property
    def robot_type(self) -> str:
        """Name of the arm."""
        ...

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every column besides the pictures."""
        ...

    def open_scene(self, task: PlayedTask) -> PlayedScene:
        """Load a task with these cameras."""
        ...

    def truth(self, task: PlayedTask, observations: Sequence[Observation]) -> Mapping[str, np.ndarray]:
        """Give what is recorded of the truth besides success and reward, a row for each observation of an episode."""
        ...
