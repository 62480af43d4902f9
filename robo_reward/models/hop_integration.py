"""From hops to progress: three integrations, their mean, and the consistency-aware update. Pure functions."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.models.relative_hop import follow_hop

Integration = Literal["incremental", "forward", "backward", "mean", "consistent"]
CONSISTENCY = 20.0
"""α of the consistency-aware update (table 9 of the paper)."""
FLOOR = 1e-6
"""ε that keeps the relative disagreement finite at progress 0."""
LEAST_WHOLE = 0.5
"""Hop from the reference start to the reference goal, the whole task, below which the two look alike."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class HopReadings:
    """What a source said about each frame of a batch of episodes; NaN = it abstained.

    Raises:
        ValueError: Shapes that differ.
    """

    incremental: Float64[Tensor, "batch time"]
    """H(s_{t−1}, s_t)."""
    forward: Float64[Tensor, "batch time"]
    """H(s_start, s_t): its limited value is itself a progress."""
    backward: Float64[Tensor, "batch time"]
    """H(s_goal, s_t): one more than it is a progress."""

    def __post_init__(self) -> None:
        shapes = {tuple(each.shape) for each in (self.incremental, self.forward, self.backward)}
        if len(shapes) != 1:
            raise ValueError(f"the three readings must have one shape (batch, time), got {sorted(shapes)}")


def integrate(
    readings: HopReadings, integration: Integration, *, begin: Float64[Tensor, " batch"] | None = None
) -> Float64[Tensor, "batch time"]:
    """Integrate hops to progress, causally.

        Φ_F = H(s_start, s_t),   Φ_B = 1 + H(s_goal, s_t),   both limited to [0, 1]
        ΔΦ_t = (1 − Φ*_{t−1}) H_t   if H_t ≥ 0,   Φ*_{t−1} H_t   else
        incremental:  Φ*_t = Φ*_{t−1} + ΔΦ_t
        mean:         Φ*_t = (Φ*_{t−1} + ΔΦ_t + Φ_F + Φ_B) / 3                               (8)
        consistent:   Φ*_t = Φ*_{t−1} + (w/2) (Φ̄ − Φ*_{t−1} + ΔΦ_t),   Φ̄ = (Φ_F + Φ_B) / 2     (11)

    A frame about which the source abstained is NaN, and the next one continues from the last known progress.

    Args:
        readings: Hops of each frame.
        integration: Which of them.
        begin: Φ*_{−1}, in [0, 1]; None = 0, the start of the task.

    Returns:
        Progress in [0, 1]; NaN where a needed hop is.

    Source:
        Tan et al. 2025 (2512.23703), equations 4 to 8 and 11; the limits are ours (the published code has none).
    """
    forward, backward = readings.forward.clamp(0, 1), (1 + readings.backward).clamp(0, 1)
    if integration == "forward":
        return forward
    if integration == "backward":
        return backward
    last = torch.zeros_like(forward[:, 0]) if begin is None else begin
    progress = []
    for t in range(forward.shape[1]):
        moved = follow_hop(last, readings.incremental[:, t])
        if integration == "mean":
            now = (moved + forward[:, t] + backward[:, t]) / 3
        elif integration == "consistent":
            middle = (forward[:, t] + backward[:, t]) / 2
            weight = consistency_weight(forward[:, t], backward[:, t])
            now = last + weight / 2 * (middle - last + (moved - last))
        else:
            now = moved
        now = now.clamp(0, 1)
        progress.append(now)
        last = torch.where(now.isnan(), last, now)
    return torch.stack(progress, dim=1)


def consistency_weight(
    forward: Float64[Tensor, "*shape"], backward: Float64[Tensor, "*shape"], *, strength: float = CONSISTENCY
) -> Float64[Tensor, "*shape"]:
    """Weigh a frame by how far the two anchored readings agree.

        Φ̄ = (Φ_F + Φ_B) / 2,   Δ = |Φ_B − Φ_F| / (Φ̄ + ε),   w = exp(−α Δ²)

    The disagreement is relative: near progress 0 small differences weigh much, and the update stalls there. That is
    how it is printed; `integration="mean"` and the filter have no such trap.

    Args:
        forward: Φ_F in [0, 1].
        backward: Φ_B in [0, 1].
        strength: α.

    Returns:
        Weight in (0, 1].

    Source:
        Tan et al. 2025 (2512.23703), appendix.

    Example:
        >>> import torch
        >>> f = torch.tensor([0.5, 0.1], dtype=torch.float64)
        >>> consistency_weight(f, f + 0.05).round(decimals=3)
        tensor([0.8340, 0.0410], dtype=torch.float64)
    """
    middle = (forward + backward) / 2
    disagreement = (backward - forward).abs() / (middle + FLOOR)
    return torch.exp(-strength * disagreement.square())


def check_references(hop: float) -> None:
    """Refuse reference pictures that look alike; call it before an integration that is anchored to them.

        Φ_F(success) = H(s_start, s_goal) ≈ 0,   Φ_B(success) = 1,   Φ_I(success) = 1:   Φ*(success) = 2/3

    A task that ends where it began (open and close a drawer, go home) would then never count as done, and its middle
    would be worth as much as its end.

    Args:
        hop: H(s_start, s_goal) in [−1, 1], as the source sees it; NaN = it abstained, which refuses nothing.

    Raises:
        ValueError: The hop is less than half of the task.

    Source:
        Tan et al. 2025 (2512.23703), equation 8; users of the published code met it.
    """
    if not math.isnan(hop) and hop < LEAST_WHOLE:
        raise ValueError(
            f"the goal picture looks like the start picture: the hop between them is {hop:.2f}, at least {LEAST_WHOLE} "
            "is needed. Anchored integrations would never see success; what works is integration=incremental, or a "
            "goal picture that shows what the task changed"
        )
