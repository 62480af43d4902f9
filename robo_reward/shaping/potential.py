"""From progress to potential: bounded, increasing transforms, applied to Φ before shaping and never to F."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64
from torch import Tensor


@runtime_checkable
class Potential(Protocol):
    """An increasing function of progress, in float64 so that returns telescope to rounding."""

    def __call__(self, progress: Float[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
        """Give the potential of each progress in [0, 1]; NaN stays NaN."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearPotential:
    """Φ = scale · (progress + offset).

    With offset 0 waiting at progress p costs (1 − γ) · scale · p per step and an empty start is free: there is no tie
    to loitering. Offset −1 makes success free of a jump at the terminal state, but pays for waiting before it.

    Raises:
        ValueError: A scale that is not positive, or a value that is not finite.

    Source:
        Müller & Kudenko 2025 (2502.01307) on offsets; keep scale near the task's return.
    """

    scale: float = 1.0
    """Largest difference of potential; > 0."""
    offset: float = 0.0
    """Added to progress before scaling."""

    def __post_init__(self) -> None:
        _check_positive("scale", self.scale)
        if not math.isfinite(self.offset):
            raise ValueError(f"offset must be finite, got {self.offset}")

    def __call__(self, progress: Float[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
        """Give the potential of each progress."""
        return self.scale * (progress.to(torch.float64) + self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialPotential:
    """Φ = scale · (base^progress − 1) / (base − 1): steep near the goal, 0 at 0 and `scale` at 1.

    Raises:
        ValueError: A scale that is not positive, or a base that is not above 1.

    Source:
        Müller & Kudenko 2025 (2502.01307), base 32.
    """

    scale: float = 1.0
    base: float = 32.0

    def __post_init__(self) -> None:
        _check_positive("scale", self.scale)
        if not (math.isfinite(self.base) and self.base > 1):
            raise ValueError(f"base must be > 1, got {self.base}")

    def __call__(self, progress: Float[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
        """Give the potential of each progress."""
        return self.scale * torch.expm1(progress.to(torch.float64) * math.log(self.base)) / (self.base - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigmoidPotential:
    """Φ = scale · σ(gain · (progress − reference)): bounded, steep near the reference, flat far from it.

    Raises:
        ValueError: A scale or gain that is not positive, or a reference that is not finite.

    Source:
        Preference As Reward (2502.18770), one reference, on a potential instead of a reward.
    """

    scale: float = 1.0
    gain: float = 8.0
    reference: float = 0.5

    def __post_init__(self) -> None:
        _check_positive("scale", self.scale)
        _check_positive("gain", self.gain)
        if not math.isfinite(self.reference):
            raise ValueError(f"reference must be finite, got {self.reference}")

    def __call__(self, progress: Float[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
        """Give the potential of each progress."""
        return self.scale * torch.sigmoid(self.gain * (progress.to(torch.float64) - self.reference))


def hold_last_known(potential: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """Replace each unknown (NaN) potential by the last known one; leading unknowns stay NaN.

    A held potential gives F = (γ − 1)Φ and is caught up later, so returns still telescope; leaving the step out
    would not be policy invariant (the cached potential is the one on both sides of it).

    Example:
        >>> import torch
        >>> hold_last_known(torch.tensor([[float("nan"), 0.25, float("nan"), 0.5]]))
        tensor([[   nan, 0.2500, 0.2500, 0.5000]])
    """
    index = torch.arange(potential.shape[1]).expand_as(potential)
    last = torch.where(potential.isnan(), -1, index).cummax(dim=1).values
    return torch.where(last < 0, torch.nan, potential.gather(1, last.clamp(min=0)))


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be > 0 and finite, got {value}")
