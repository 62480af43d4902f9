"""The relative hop: how much of the work that is left, or was done, lies between two frames."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

START, GOAL = -1, -2
"""Stand for the reference pictures in place of a time index."""

Seen_contra = TypeVar("Seen_contra", contravariant=True)
"""What a source looks at: a `Clip` or an `EmbeddedClip`."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Hops:
    """Answers of a hop source; NaN = it abstains.

    Raises:
        ValueError: Shapes that disagree, a value outside [−1, 1], a negative spread, or one without the other.
    """

    value: Float64[Tensor, "batch pair"]
    """Relative hop H(before, after), in [−1, 1]."""
    spread: Float64[Tensor, "batch pair"]
    """One standard deviation of the hop, ≥ 0."""
    probability: Float64[Tensor, "batch pair bin"] | None = None
    """The whole distribution over equal bins of [−1, 1], where the source knows more than mean and spread."""

    def __post_init__(self) -> None:
        if self.value.shape != self.spread.shape:
            raise ValueError(f"value is {tuple(self.value.shape)}, spread {tuple(self.spread.shape)}")
        if self.probability is not None and self.probability.shape[:2] != self.value.shape:
            raise ValueError(f"value is {tuple(self.value.shape)}, probability {tuple(self.probability.shape)}")
        if not torch.equal(self.value.isnan(), self.spread.isnan()):
            raise ValueError("a hop and its spread must be NaN together: an abstention has neither")
        value, spread = self.value[~self.value.isnan()], self.spread[~self.value.isnan()]
        if bool((value.abs() > 1).any()):
            raise ValueError(f"hops must be in [-1, 1], got [{value.min():g}, {value.max():g}]")
        if bool((spread < 0).any()):
            raise ValueError(f"spread must be >= 0, got {spread.min():g}")


class HopSource(Protocol[Seen_contra]):
    """Compares two moments of an episode, with pictures of a start and of the goal for reference. Bound to one task."""

    @property
    def version(self) -> str:
        """Identifies weights or model, references, task and settings."""
        ...

    def hops(self, seen: Seen_contra, before: Int64[Tensor, " pair"], after: Int64[Tensor, " pair"]) -> Hops:
        """Give H(before, after) for pairs of time steps, the same pairs for every episode of the batch.

        Args:
            seen: The episodes.
            before: Time index, or `START` or `GOAL`.
            after: Time index.
        """
        ...


def relative_hop(before: Float[Tensor, "*shape"], after: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Give the hop between two progresses.

        H(p, q) = (Φ_q − Φ_p) / (1 − Φ_p)   if Φ_q ≥ Φ_p, the share of the remaining work that was done
                = (Φ_q − Φ_p) / Φ_p         else, the share of the done work that was lost

    Where nothing remains (Φ_p = Φ_q = 1) nothing was done: the hop is 0.

    Args:
        before: Φ_p in [0, 1].
        after: Φ_q in [0, 1].

    Returns:
        Hop in [−1, 1].

    Source:
        Tan et al. 2025 (Robo-Dopamine, 2512.23703), section 3.

    Example:
        >>> import torch
        >>> relative_hop(torch.tensor([0.5, 0.5]), torch.tensor([0.75, 0.25]))
        tensor([ 0.5000, -0.5000])
    """
    change = after - before
    whole = torch.where(change >= 0, 1 - before, before)
    return torch.where(change == 0, torch.zeros_like(change), change / whole.clamp(min=1e-300)).clamp(-1, 1)


def follow_hop(progress: Float[Tensor, "*shape"], hop: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Give the progress after a hop; the inverse of `relative_hop`, and inside [0, 1] whatever the hop.

        Φ_q = Φ_p + (1 − Φ_p) H   if H ≥ 0,   Φ_p + Φ_p H   else

    Example:
        >>> import torch
        >>> follow_hop(torch.tensor([0.5, 0.0]), torch.tensor([0.5, -0.3]))
        tensor([0.7500, 0.0000])
    """
    return progress + torch.where(hop >= 0, 1 - progress, progress) * hop
