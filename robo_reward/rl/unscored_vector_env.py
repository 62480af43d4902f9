"""Vectorised environments at which no reward model looks, with their transitions told as those of scored ones are."""

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from jaxtyping import Float64, Int64

from robo_reward.rl.environment_info import FINAL_INFO, arrival_values
from robo_reward.rl.transitions import ScoredTransitions


class UnscoredVectorEnv(VectorWrapper):
    """Tells the transitions of each step; their potentials are unknown.

    Args:
        env: The environments, reset in the step in which an episode ends.
    """

    version = "no reward model"

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        self.latest: ScoredTransitions | None = None
        """The transitions of the last step; None before it."""

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Act in every environment."""
        observation, rewards, terminated, truncated, infos = self.env.step(actions)
        nowhere = np.full(self.num_envs, -1)
        ended = (terminated | truncated) & (FINAL_INFO in infos)
        self.latest = ScoredTransitions(
            departure=nowhere,
            arrival=nowhere,
            task_reward=rewards.astype(np.float64),
            terminated=terminated.copy(),
            truncated=truncated.copy(),
            steps=arrival_values(infos, "steps", ended=ended, default=1).astype(np.int64),
            real=np.ones(self.num_envs, np.bool_),
        )
        return observation, rewards, terminated, truncated, infos

    def potentials(self, numbers: Int64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
        """Give NaN: nobody looked."""
        return np.full(numbers.shape, np.nan)

    def settle(self) -> None:
        """Nothing waits."""

    def forget_before(self, number: int) -> None:
        """Nothing is kept."""
