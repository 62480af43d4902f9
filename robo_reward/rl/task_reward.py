"""The task's own reward: success alone, or what the environment says."""

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from jaxtyping import Bool, Float64

from robo_reward.rl.environment_info import (
    DENSE_REWARD,
    FINAL_INFO,
    SHAPING_REWARD,
    SUCCESS,
    TASK_REWARD,
    arrival_values,
    tells,
)
from robo_reward.rl.learning_reward import RewardMode, check_mode


class TaskReward(VectorWrapper):
    """Makes the environments' reward that of the task, and keeps what else they said of it for whoever counts.

        environment   as the environment gives it
        dense         info's `dense_reward`, or the environment's reward where there is none
        all others    success_reward · success

    Args:
        env: The environments.
        mode: What the learner maximises.
        success_reward: Reward of a transition into success.

    Raises:
        ValueError: An unknown mode.
    """

    def __init__(self, env: VectorEnv, *, mode: RewardMode, success_reward: float) -> None:
        check_mode(mode)
        super().__init__(env)
        self._mode, self._success_reward = mode, float(success_reward)
        self.success = np.full(env.num_envs, np.nan)
        """1 where the last step reached success, 0 where it did not, NaN where the environment does not tell."""
        self.told: dict[str, Float64[np.ndarray, " env"]] = {}
        """Parts of the last step's reward that the environment told apart: `task_reward`, `shaping_reward`."""

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Act in every environment.

        Raises:
            ValueError: Success is to be rewarded, and no environment tells of it.
        """
        observation, rewards, terminated, truncated, infos = self.env.step(actions)
        ended = (terminated | truncated) & (FINAL_INFO in infos)
        self.success = arrival_values(infos, SUCCESS, ended=ended, default=np.nan)
        self.told = {
            name: arrival_values(infos, name, ended=ended, default=np.nan)
            for name in (TASK_REWARD, SHAPING_REWARD)
            if tells(infos, name)
        }
        return observation, self._rewards(infos, rewards, ended), terminated, truncated, infos

    def _rewards(
        self, infos: dict[str, Any], rewards: Float64[np.ndarray, " env"], ended: Bool[np.ndarray, " env"]
    ) -> Float64[np.ndarray, " env"]:
        if self._mode == "environment":
            return rewards.astype(np.float64)
        if self._mode == "dense":
            dense = arrival_values(infos, DENSE_REWARD, ended=ended, default=np.nan)
            return np.where(np.isnan(dense), rewards, dense)
        if self._success_reward == 0:
            return np.zeros(len(rewards))
        if not tells(infos, SUCCESS):
            raise ValueError(f"info has no '{SUCCESS}': reward={self._mode} needs it; reward=environment does not")
        return self._success_reward * (self.success > 0)
