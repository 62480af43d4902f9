"""A reward that is blended of the task's and an auxiliary one, in a way that is learnt for the task's sake."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

LONGEST = 12.0
"""Largest logit of the discount that is learnt: γ = 0.999994."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RewardBlend:
    """The reward that a policy is trained on.

        r_φ = φ₁ᵀ x(s, a) + φ₂ · r_task + φ₃ · r_auxiliary,   discounted by γ_φ

    It begins as the naive sum, φ₁ = 0 and φ₂ = φ₃ = 1. An auxiliary reward that misleads the policy is turned down, or
    around; `BlendTraining` finds out by how much. As a policy trained on such a blend need not be optimal for the task,
    a potential-based term (`potential_difference`) remains the way for rewards that are potentials.

    Raises:
        ValueError: Weights that are not finite, a discount outside (0, 1).

    Source:
        BARFI (2310.19007), with φ₁ linear in features.
    """

    task: float = 1.0
    """φ₂."""
    auxiliary: float = 1.0
    """φ₃."""
    residual: Float64[Tensor, " feature"]
    """φ₁: of the features x(s, a) of a transition; empty = none."""
    discount: float
    """γ_φ, in (0, 1)."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.task) and math.isfinite(self.auxiliary) and bool(self.residual.isfinite().all())):
            raise ValueError(f"weights must be finite, got task {self.task} and auxiliary {self.auxiliary}")
        if not 0 < self.discount < 1:
            raise ValueError(f"discount must be in (0, 1), got {self.discount:g}")

    @classmethod
    def naive(cls, *, discount: float, num_features: int = 0) -> "RewardBlend":
        """Give the plain sum of both rewards, without a residual."""
        return cls(residual=torch.zeros(num_features, dtype=torch.float64), discount=discount)

    def __call__(
        self,
        task: Float[Tensor, "*transition"],
        auxiliary: Float[Tensor, "*transition"],
        features: Float[Tensor, "*transition feature"] | None = None,
    ) -> Float64[Tensor, "*transition"]:
        """Give the blended reward of each transition.

        Args:
            task: The task's reward.
            auxiliary: What is to help, and may mislead.
            features: x(s, a); needed where there is a residual.

        Raises:
            ValueError: Features that the residual does not fit.
        """
        return blended(self.parameters, task, auxiliary, features)

    @property
    def parameters(self) -> Float64[Tensor, " parameter"]:
        """Everything that is learnt: φ₂, φ₃, the logit of γ_φ, then φ₁."""
        first = [self.task, self.auxiliary, math.log(self.discount / (1 - self.discount))]
        return torch.cat([torch.tensor(first, dtype=torch.float64), self.residual])

    def with_parameters(self, parameters: Float64[Tensor, " parameter"]) -> "RewardBlend":
        """Give the blend of these parameters; the discount stays within (0, 1)."""
        task, auxiliary, logit, *_ = parameters.tolist()
        bounded = min(LONGEST, max(-LONGEST, logit))
        return replace(
            self,
            task=task,
            auxiliary=auxiliary,
            discount=1 / (1 + math.exp(-bounded)),
            residual=parameters[3:].detach().clone(),
        )


def blended(
    parameters: Float64[Tensor, " parameter"],
    task: Float[Tensor, "*transition"],
    auxiliary: Float[Tensor, "*transition"],
    features: Float[Tensor, "*transition feature"] | None,
) -> Float64[Tensor, "*transition"]:
    """Give r_φ of each transition, differentiable in the parameters.

    Raises:
        ValueError: Features that the residual does not fit.
    """
    residual = parameters[3:]
    given = 0 if features is None else features.shape[-1]
    if given != len(residual):
        raise ValueError(f"the residual has {len(residual)} weights, features have {given} numbers")
    reward = parameters[0] * task.double() + parameters[1] * auxiliary.double()
    return reward if features is None else reward + (features.double() * residual).sum(dim=-1)
