"""What many worlds on one device show after a step, and how their episodes ended."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robo_reward.clip import Clip


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class WorldsStep:
    """One step of every world, as tensors on the simulator's device.

    Raises:
        ValueError: Lengths that disagree, a world that is both terminated and truncated, final frames without worlds
            that ended.
    """

    observation: Any
    """What the policy sees, as the simulator gives it."""
    clip: Clip
    """One frame set per world: what it shows now."""
    task_reward: Float[Tensor, " world"]
    terminated: Bool[Tensor, " world"]
    """The state that the step reached is terminal: its potential counts as 0."""
    truncated: Bool[Tensor, " world"]
    """The episode was cut there, by a time limit: the potential is kept and the learner bootstraps."""
    begins: Bool[Tensor, " world"]
    """The frame set in `clip` is the first of an episode."""
    final: Clip | None = None
    """One frame set per world that ended, in their order, of the state it ended in; None where `clip` shows it."""

    def __post_init__(self) -> None:
        worlds = self.clip.stamp.shape[0]
        named = {"task_reward": self.task_reward, "terminated": self.terminated, "truncated": self.truncated}
        for name, numbers in (named | {"begins": self.begins}).items():
            if tuple(numbers.shape) != (worlds,):
                raise ValueError(f"{name} must be (world={worlds},), got {tuple(numbers.shape)}")
        if bool((self.terminated & self.truncated).any()):
            raise ValueError("a world is both terminated and truncated; a terminal state is not bootstrapped")
        ended = int(self.ended.sum())
        if self.final is not None and self.final.stamp.shape[0] != ended:
            raise ValueError(f"final frames must be of the {ended} worlds that ended, got {self.final.stamp.shape[0]}")

    @property
    def ended(self) -> Bool[Tensor, " world"]:
        """An episode ended in the state that the step reached."""
        return self.terminated | self.truncated

    @property
    def real(self) -> Bool[Tensor, " world"]:
        """The step was a transition of the task, and no mere reset that took a step of its own."""
        return ~self.begins if self.final is None else torch.ones_like(self.begins)
