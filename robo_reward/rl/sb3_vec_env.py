"""Gymnasium's vectorised environments as Stable-Baselines3 wants them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv

from robo_reward.rl.environment_info import FINAL_OBSERVATION


class Sb3VecEnv(VecEnv):
    """Shows vectorised environments of Gymnasium to Stable-Baselines3, true last observations and time limits included.

    Args:
        env: Environments that are reset in the step in which their episode ends.

    Raises:
        ValueError: Another auto-reset mode.
    """

    def __init__(self, env: VectorEnv) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(f"Stable-Baselines3 needs AutoresetMode.SAME_STEP, got {mode}")
        self._env = env
        self._actions: Any = None
        self.next_seeds: Sequence[int] | None = None
        """Seeds of the next reset, one an environment; None = the environments' own."""
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Begin an episode in every environment."""
        seeds, self.next_seeds = self.next_seeds, None
        numbers: Any = None if seeds is None else [int(seed) for seed in seeds]
        observation, _ = self._env.reset(seed=numbers)
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Act in every environment."""
        observation, rewards, terminated, truncated, infos = self._env.step(self._actions)
        ended = terminated | truncated
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(ended):
            told[row] = {
                "terminal_observation": infos[FINAL_OBSERVATION][row],
                "TimeLimit.truncated": bool(truncated[row] and not terminated[row]),
            }
        return observation, rewards.astype(np.float32), ended, told

    def close(self) -> None:
        """Close the environments."""
        self._env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Give an attribute of each environment."""
        get_attr = getattr(self._env.unwrapped, "get_attr", None)
        values = [None] * self.num_envs if get_attr is None else get_attr(attr_name)
        return [values[row] for row in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not offered: environments are set up when they are made."""
        raise NotImplementedError("environments are set up when they are made")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Not offered: environments are set up when they are made."""
        raise NotImplementedError("environments are set up when they are made")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Say False: wrappers lie within Gymnasium's environments."""
        return [False for _ in self._get_indices(indices)]
