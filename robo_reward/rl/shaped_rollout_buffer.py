"""A rollout buffer that adds what perception says when the rollout is complete."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from stable_baselines3.common.buffers import RolloutBuffer

from robo_reward.rl.learning_reward import RewardMode, perceived_reward, transitions_known
from robo_reward.rl.shaped_replay_buffer import TransitionSource
from robo_reward.rl.transitions import ScoredTransitions


class ShapedRolloutBuffer(RolloutBuffer):
    """Adds the perceived reward of every transition just before returns are computed.

    Frames may so be scored in one batch at the end of a rollout. Where a potential is not known nothing is added; how
    often is told in `unknown_share`. Call `follow` before the first rollout.
    """

    _source: TransitionSource | None = None
    _mode: RewardMode = "sparse"

    def follow(self, source: TransitionSource, *, mode: RewardMode) -> None:
        """Take potentials from these environments.

        Args:
            source: Where transitions come from.
            mode: What the learner maximises.
        """
        self._source, self._mode = source, mode
        self.unknown_share = 0.0
        """Of the last rollout's transitions, those whose perceived reward is not known."""

    def reset(self) -> None:
        """Begin a rollout."""
        super().reset()
        self._taken: list[ScoredTransitions] = []
        self.perceived: Float32[np.ndarray, "step env"] = np.zeros((self.buffer_size, self.n_envs), np.float32)
        """What was added to the task's reward; stored apart from it."""

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Keep the transitions of one step.

        Raises:
            ValueError: The source has not stepped.
        """
        super().add(*args, **kwargs)
        if self._source is None:
            return
        if self._source.latest is None:
            raise ValueError("the source has not stepped: a shaped buffer is filled by its own environments alone")
        self._taken.append(self._source.latest)

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: np.ndarray) -> None:
        """Add what perception says, with the learner's discount, and compute returns."""
        if self._source is not None:
            self._source.settle()
            known = [self._added(step, each) for step, each in enumerate(self._taken)]
            self.unknown_share = 1.0 - float(np.mean(known))
            self.rewards += self.perceived
        super().compute_returns_and_advantage(last_values, dones)

    def _added(self, step: int, taken: ScoredTransitions) -> float:
        """Write the perceived reward of one step, and give the share of environments where it is known."""
        assert self._source is not None  # noqa: S101  the caller has checked
        ends = {
            "potential": self._source.potentials(taken.departure),
            "next_potential": self._source.potentials(taken.arrival),
            "terminated": taken.terminated,
        }
        known = transitions_known(self._mode, **ends)
        added = perceived_reward(self._mode, **ends, discount=np.power(self.gamma, taken.steps.astype(np.float64)))
        self.perceived[step] = np.where(known, added, 0.0)
        return float(known.mean())
