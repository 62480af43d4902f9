"""Observations in units in which they vary: metres and radians differ by a few hundredths where it matters."""

from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float, Float32
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

_FLOOR = 0.1
_LIMIT = 10.0


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ObservationStatistics:
    """How each number of an observation varies under random actions."""

    mean: Float32[np.ndarray, " size"]
    deviation: Float32[np.ndarray, " size"]
    """Standard deviation; no smaller than a tenth of their mean, so that what random actions hardly move is told."""


def observation_statistics(env: gymnasium.Env, *, seed: int, steps: int = 1000) -> ObservationStatistics | None:
    """Act at random for some steps; None where observations are no vectors of numbers.

    Args:
        env: One environment; it is reset.
        seed: Of its episodes and of the actions.
        steps: How many.
    """
    if not isinstance(env.observation_space, spaces.Box) or len(env.observation_space.shape) != 1:
        return None
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            observation, _ = env.reset()
        seen.append(observation)
    every = np.asarray(seen, np.float64)
    deviation = every.std(axis=0)
    varying = deviation[deviation > 0]
    floor = _FLOOR * float(varying.mean()) if len(varying) else 1.0
    return ObservationStatistics(
        mean=every.mean(axis=0).astype(np.float32), deviation=np.maximum(deviation, floor).astype(np.float32)
    )


class StandardisedObservations(BaseFeaturesExtractor):
    """The first layer of every network: (observation − mean) / deviation, within ±10; nothing of it is learnt.

    Args:
        observation_space: Vectors.
        mean: Of each number.
        deviation: Of each number, > 0.
    """

    def __init__(self, observation_space: spaces.Box, *, mean: list[float], deviation: list[float]) -> None:
        super().__init__(observation_space, features_dim=len(mean))
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))

    def forward(self, observations: Float[Tensor, "batch size"]) -> Float[Tensor, "batch size"]:
        """Standardise."""
        return ((observations - self.mean) / self.deviation).clamp(-_LIMIT, _LIMIT)  # pyright: ignore[reportOperatorIssue, reportArgumentType]
