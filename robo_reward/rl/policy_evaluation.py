"""How good a policy is: episodes from fixed seeds, without exploration, and what one of them looked like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from jaxtyping import UInt8

from robo_reward.rl.environment_info import DENSE_REWARD, FRAMES, STAMP, SUCCESS
from robo_reward.rl.learning_reward import RewardMode


@runtime_checkable
class Policy(Protocol):
    """Chooses actions; the policies of Stable-Baselines3 do."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        """Give the action for one observation, and what it remembers."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FilmedEpisode:
    """What the cameras saw of an episode of a policy."""

    frames: Sequence[Mapping[str, UInt8[np.ndarray, "3 _height _width"]]]
    """Of the first state and of each one after it, by camera."""
    stamps: Sequence[float]
    """Of each frame set [s]."""
    infos: Sequence[Mapping[str, Any]]
    """What the environment said of each."""
    rewards: Sequence[float]
    """Of the environment, one a transition."""
    success: bool
    terminated: bool


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PolicyEvaluation:
    """Figures over some episodes."""

    success_rate: float
    """Share of episodes with a moment of success; NaN where the environment does not tell."""
    mean_return: float
    """Undiscounted sum of the environment's own reward."""
    mean_length: float
    """Steps."""


def evaluate_policy(policy: Policy, env: gymnasium.Env, *, seeds: Sequence[int], mode: RewardMode) -> PolicyEvaluation:
    """Play an episode from each seed; the same policy gives the same figures.

    Args:
        policy: Asked without exploration.
        env: One environment.
        seeds: One an episode.
        mode: Whether the return counts the dense reward or the environment's.
    """
    successes, returns, lengths = [], [], []
    for seed in seeds:
        success, total, length = float("nan"), 0.0, 0
        observation, _ = env.reset(seed=int(seed))
        ended = False
        while not ended:
            action, _ = policy.predict(observation, deterministic=True)
            observation, reward, terminated, truncated, info = env.step(action)
            total += float(info.get(DENSE_REWARD, reward) if mode == "dense" else reward)
            length += 1
            if SUCCESS in info:
                success = max(float(info[SUCCESS]), 0.0 if np.isnan(success) else success)
            ended = terminated or truncated
        successes.append(success)
        returns.append(total)
        lengths.append(length)
    return PolicyEvaluation(success_rate=fmean(successes), mean_return=fmean(returns), mean_length=fmean(lengths))


def film_episode(policy: Policy, env: gymnasium.Env, *, seed: int) -> FilmedEpisode:
    """Play one episode in an environment with cameras, and keep what they saw.

    Args:
        policy: Asked without exploration.
        env: One environment whose `info` has frames.
        seed: Of the episode.
    """
    observation, info = env.reset(seed=int(seed))
    infos, rewards, terminated, truncated = [info], [], False, False
    while not (terminated or truncated):
        action, _ = policy.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, info = env.step(action)
        infos.append(info)
        rewards.append(float(reward))
    return FilmedEpisode(
        frames=[each[FRAMES] for each in infos],
        stamps=[float(each[STAMP]) for each in infos],
        infos=infos,
        rewards=rewards,
        success=any(bool(each.get(SUCCESS, False)) for each in infos[1:]),
        terminated=terminated,
    )
