"""Small policies whose weights are one vector: what can be differentiated twice."""

import math
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor


@runtime_checkable
class BlendPolicy(Protocol):
    """A family of policies over features of an observation."""

    @property
    def num_weights(self) -> int:
        """Length of the weights."""
        ...

    def sample(
        self, weights: Tensor, features: Float64[Tensor, "*batch feature"], generator: torch.Generator
    ) -> Tensor:
        """Draw an action for each row of features."""
        ...

    def log_probability(
        self, weights: Tensor, features: Float64[Tensor, "*batch feature"], action: Tensor
    ) -> Float64[Tensor, "*batch"]:
        """Give log π(a | s), differentiable in the weights."""
        ...

    def entropy(self, weights: Tensor, features: Float64[Tensor, "*batch feature"]) -> Float64[Tensor, "*batch"]:
        """Give the entropy [nat] of the actions in each state, differentiable in the weights."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxPolicy:
    """Discrete actions: P(a | s) ∝ exp(w_aᵀ x(s)).

    Raises:
        ValueError: No feature, or fewer than two actions.
    """

    num_features: int
    num_actions: int

    def __post_init__(self) -> None:
        if self.num_features < 1 or self.num_actions < 2:
            raise ValueError(
                f"at least one feature and two actions are needed, got {self.num_features} and {self.num_actions}"
            )

    @property
    def num_weights(self) -> int:
        """Length of the weights."""
        return self.num_features * self.num_actions

    def sample(
        self,
        weights: Float64[Tensor, " weight"],
        features: Float64[Tensor, "*batch feature"],
        generator: torch.Generator,
    ) -> Int64[Tensor, "*batch"]:
        """Draw an action for each row of features."""
        chance = self._logarithms(weights, features).exp()
        drawn = torch.multinomial(chance.reshape(-1, self.num_actions), 1, generator=generator)
        return drawn.reshape(chance.shape[:-1])

    def log_probability(
        self,
        weights: Float64[Tensor, " weight"],
        features: Float64[Tensor, "*batch feature"],
        action: Int64[Tensor, "*batch"],
    ) -> Float64[Tensor, "*batch"]:
        """Give log π(a | s)."""
        return self._logarithms(weights, features).gather(-1, action[..., None])[..., 0]

    def entropy(
        self, weights: Float64[Tensor, " weight"], features: Float64[Tensor, "*batch feature"]
    ) -> Float64[Tensor, "*batch"]:
        """Give the entropy of the actions in each state."""
        logarithms = self._logarithms(weights, features)
        return -(logarithms.exp() * logarithms).sum(dim=-1)

    def _logarithms(self, weights: Tensor, features: Tensor) -> Float64[Tensor, "*batch action"]:
        return (features @ weights.reshape(self.num_features, self.num_actions)).log_softmax(dim=-1)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianPolicy:
    """Continuous actions: a ~ N(Wᵀ x(s), deviation²), of a fixed deviation.

    Raises:
        ValueError: No feature, no number in an action, a deviation that is not positive.
    """

    num_features: int
    num_actions: int
    """Numbers in an action."""
    deviation: float

    def __post_init__(self) -> None:
        if min(self.num_features, self.num_actions) < 1 or not self.deviation > 0:
            raise ValueError(
                "at least one feature, one number in an action and a deviation > 0 are needed, got "
                f"{self.num_features}, {self.num_actions} and {self.deviation:g}"
            )

    @property
    def num_weights(self) -> int:
        """Length of the weights."""
        return self.num_features * self.num_actions

    def sample(
        self,
        weights: Float64[Tensor, " weight"],
        features: Float64[Tensor, "*batch feature"],
        generator: torch.Generator,
    ) -> Float[Tensor, "*batch action"]:
        """Draw an action for each row of features."""
        mean = self._mean(weights, features)
        return mean + self.deviation * torch.randn(mean.shape, generator=generator, dtype=torch.float64)

    def log_probability(
        self,
        weights: Float64[Tensor, " weight"],
        features: Float64[Tensor, "*batch feature"],
        action: Float[Tensor, "*batch action"],
    ) -> Float64[Tensor, "*batch"]:
        """Give log π(a | s)."""
        away = (action - self._mean(weights, features)) / self.deviation
        return (-0.5 * away**2 - math.log(self.deviation) - 0.5 * math.log(2 * math.pi)).sum(dim=-1)

    def entropy(
        self, weights: Float64[Tensor, " weight"], features: Float64[Tensor, "*batch feature"]
    ) -> Float64[Tensor, "*batch"]:
        """Give the entropy of the actions, the same in every state."""
        each = 0.5 * math.log(2 * math.pi * math.e * self.deviation**2)
        return torch.full(features.shape[:-1], self.num_actions * each, dtype=torch.float64)

    def _mean(self, weights: Tensor, features: Tensor) -> Float64[Tensor, "*batch action"]:
        return features @ weights.reshape(self.num_features, self.num_actions)
