"""What tells a step from all others: running sums per step, and the features that they single out."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

FRAMES_AT_A_TIME = 256
"""Frames that are turned to double precision at once."""
SMALLEST_SCALE = 1e-6
"""A feature that varies less than this fraction of the most varying one says nothing."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StepSums:
    """Sums over the frames of each step; those of two sets of frames add up.

    Raises:
        ValueError: Shapes that disagree.
    """

    count: Float64[Tensor, " step"]
    """Frames of each step."""
    total: Float64[Tensor, "step dim"]
    """Sum of each feature."""
    squares: Float64[Tensor, "step dim"]
    """Sum of each feature's square."""
    progress: Float64[Tensor, " step"]
    """Sum of known progress."""

    def __post_init__(self) -> None:
        if self.total.shape != self.squares.shape or self.count.shape != self.total.shape[:1]:
            raise ValueError(
                "count must be (step,), total and squares (step, dim), got "
                f"{tuple(self.count.shape)}, {tuple(self.total.shape)} and {tuple(self.squares.shape)}"
            )

    def __add__(self, other: "StepSums") -> "StepSums":
        return StepSums(
            count=self.count + other.count,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            progress=self.progress + other.progress,
        )


def sum_steps(
    rows: Float[Tensor, "frame dim"],
    step: Int64[Tensor, " frame"],
    progress: Float[Tensor, " frame"],
    *,
    num_steps: int,
) -> StepSums:
    """Sum frames, their squares and their progress by step, a few hundred frames at a time."""
    total = torch.zeros(num_steps, rows.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    member = torch.nn.functional.one_hot(step, num_steps).to(torch.float64)
    for part, belongs in zip(rows.split(FRAMES_AT_A_TIME), member.split(FRAMES_AT_A_TIME), strict=True):
        exact = part.to(torch.float64)
        total += belongs.T @ exact
        squares += belongs.T @ exact.square()
    return StepSums(
        count=member.sum(dim=0), total=total, squares=squares, progress=member.T @ progress.to(torch.float64)
    )


def add_up(sums: Sequence[StepSums]) -> StepSums:
    """Add the sums of at least one set of frames."""
    whole = sums[0]
    for each in sums[1:]:
        whole = whole + each
    return whole


def centre_and_scale(sums: StepSums) -> tuple[Float64[Tensor, " dim"], Float64[Tensor, " dim"]]:
    """Mean and standard deviation of each feature over all frames; infinite where a feature hardly varies."""
    mean, scale = _mean_and_deviation(sums.count.sum(), sums.total.sum(dim=0), sums.squares.sum(dim=0))
    flat = scale <= SMALLEST_SCALE * scale.max()
    return mean, torch.where(flat, torch.inf, scale)  # a standardised feature is then 0, whatever the frame


def step_means(sums: StepSums) -> tuple[Float64[Tensor, "step dim"], Float64[Tensor, "step dim"]]:
    """Mean and standard deviation of each standardised feature over the frames of each step."""
    centre, scale = centre_and_scale(sums)
    mean, deviation = _mean_and_deviation(sums.count[:, None], sums.total, sums.squares)
    return (mean - centre) / scale, deviation / scale


def discriminability(sums: StepSums, *, alpha: float) -> Float64[Tensor, "step dim"]:
    """Say how well each feature tells each step from all others.

        z_ij = α·|μ⁺_ij − μ⁻_ij| − (σ⁺_ij + σ⁻_ij)

    over standardised features; ⁺ are the frames of step i, ⁻ all others. −∞ where a feature hardly varies.

    Args:
        sums: Of all frames; every step has at least one, and so have its others.
        alpha: Weight of the distance against the deviations, > 0.

    Raises:
        ValueError: An alpha that is not positive, a step without frames, fewer than two steps.

    Source:
        Sermanet et al. 2017 (1612.06699), section 3.2, α = 5.
    """
    if alpha <= 0:
        raise ValueError(f"alpha must be > 0, got {alpha}")
    if len(sums.count) < 2 or not bool((sums.count > 0).all()):
        raise ValueError(f"at least two steps with frames are needed, got counts {sums.count.tolist()}")
    _, scale = centre_and_scale(sums)
    inside = _mean_and_deviation(sums.count[:, None], sums.total, sums.squares)
    outside = _mean_and_deviation(
        (sums.count.sum() - sums.count)[:, None], sums.total.sum(dim=0) - sums.total, sums.squares.sum(0) - sums.squares
    )
    z = (alpha * (inside[0] - outside[0]).abs() - (inside[1] + outside[1])) / scale
    return torch.where(scale.isinf(), -torch.inf, z)


def select_features(sums: StepSums, *, alpha: float, per_step: int) -> Int64[Tensor, "step feature"]:
    """Number the features that tell each step best from all others, the best first.

    Args:
        sums: Of all frames.
        alpha: As in `discriminability`.
        per_step: Features wanted per step; fewer where an embedding has fewer.

    Raises:
        ValueError: No feature wanted, or as `discriminability` says.

    Source:
        Sermanet et al. 2017 (1612.06699), section 3.2, 32 features.
    """
    if per_step < 1:
        raise ValueError(f"per_step must be at least 1, got {per_step}")
    z = discriminability(sums, alpha=alpha)
    return z.topk(min(per_step, z.shape[1]), dim=1).indices


def _mean_and_deviation(count: Tensor, total: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    mean = total / count
    return mean, (squares / count - mean * mean).clamp(min=0).sqrt()
