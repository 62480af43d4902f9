"""Intervals of progress that cover: a model's spread scaled by how wrong it was on labelled episodes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from robo_reward.reward_model import Estimate

SMALLEST_SPREAD = 1e-3
"""A model is never taken to be surer than this; a spread of 0 would make any error infinitely many spreads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformalProgress:
    """Turns estimates into intervals of a stated coverage.

        interval = [p − q·max(σ, σ₀), p + q·max(σ, σ₀)] limited to [0, 1]

    What is guaranteed: if a further episode is exchangeable with those of the calibration (the same robot, task and
    recording; none of them seen in the fit of the model), then with probability of at least `coverage`, over the draw
    of all these episodes, at least `frames_within` of the frames of the further episode that have an estimate lie in
    their intervals. Episodes are what is exchangeable; frames of one episode err together, and counting each of them
    would make intervals far too narrow. Nothing is said of one given frame, of a shifted scene, or of abstentions.

    Raises:
        ValueError: Coverage or frames_within outside their ranges, a scale that is negative or not finite.
    """

    scale: float
    """q: half-width of the interval in spreads, ≥ 0."""
    coverage: float
    """Probability that an episode is covered, in (0, 1)."""
    frames_within: float
    """Fraction of an episode's frames that make it count as covered, in (0, 1]."""

    def __post_init__(self) -> None:
        _check_fractions(self.coverage, self.frames_within)
        if not (math.isfinite(self.scale) and self.scale >= 0):
            raise ValueError(f"scale must be >= 0 and finite, got {self.scale}")

    @classmethod
    def calibrated_on(
        cls,
        estimates: Sequence[Estimate],
        truths: Sequence[Float[Tensor, " _time"]],
        *,
        coverage: float,
        frames_within: float = 0.9,
    ) -> "ConformalProgress":
        """Find the scale from labelled episodes that the model was not fitted to.

        An episode's score is the `frames_within` quantile of its residuals in spreads; the scale is the
        ⌈(n + 1) · coverage⌉-th smallest of the n scores.

        Args:
            estimates: Of one episode each (batch 1).
            truths: True progress, in [0, 1]; NaN where unknown.
            coverage: In (0, 1).
            frames_within: In (0, 1].

        Raises:
            ValueError: Too few episodes for this coverage (how many are needed is said), an episode without a frame
                that has both an estimate and a label, lengths that differ.

        Source:
            Split conformal prediction: Papadopoulos et al. 2002; Lei et al. 2018 (1604.04173), with episodes as the
            exchangeable units.
        """
        _check_fractions(coverage, frames_within)
        if len(estimates) != len(truths):
            raise ValueError(f"each episode needs a truth: got {len(estimates)} estimates and {len(truths)} truths")
        needed = episodes_needed(coverage)
        if len(estimates) < needed:
            raise ValueError(
                f"{len(estimates)} labelled episodes cannot give intervals of coverage {coverage:g}; "
                f"at least {needed} are needed"
            )
        scores = sorted(
            episode_score(estimate, truth, frames_within=frames_within)
            for estimate, truth in zip(estimates, truths, strict=True)
        )
        rank = math.ceil((len(scores) + 1) * coverage - 1e-9)  # a product such as 10 · 0.9 may end in …001
        return cls(scale=scores[rank - 1], coverage=coverage, frames_within=frames_within)

    def interval(self, estimate: Estimate) -> tuple[Float[Tensor, "batch time"], Float[Tensor, "batch time"]]:
        """Give the lower and the upper end of each frame's interval, in [0, 1]; NaN where the model abstains."""
        half = self.scale * estimate.spread.clamp(min=SMALLEST_SPREAD)
        return (estimate.progress - half).clamp(0, 1), (estimate.progress + half).clamp(0, 1)

    def widened(self, estimate: Estimate, *, width: float = 1.0) -> Estimate:
        """Give the estimate with its spread scaled so that ± `width` spreads are the interval (before [0, 1] cuts it).

        Raises:
            ValueError: A width that is not positive.
        """
        if not width > 0:
            raise ValueError(f"width must be > 0, got {width:g}")
        spread = estimate.spread.clamp(min=SMALLEST_SPREAD) * (self.scale / width)
        return Estimate(progress=estimate.progress, spread=spread)


def normalised_residual(estimate: Estimate, truth: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """Give each frame's error in spreads, |p − y| / max(σ, σ₀); NaN where either is unknown.

    Example:
        >>> import torch
        >>> estimate = Estimate(progress=torch.tensor([[0.5]]), spread=torch.tensor([[0.25]]))
        >>> normalised_residual(estimate, torch.tensor([[1.0]])).item()
        2.0
    """
    return (estimate.progress - truth).abs() / estimate.spread.clamp(min=SMALLEST_SPREAD)


def episode_score(estimate: Estimate, truth: Float[Tensor, " time"], *, frames_within: float) -> float:
    """Give the width in spreads within which so many of an episode's known frames lie.

    Raises:
        ValueError: More than one episode, another length, no frame with both estimate and label.
    """
    if tuple(estimate.progress.shape) != (1, len(truth)):
        raise ValueError(f"an episode's estimate must be (1, time={len(truth)}), got {tuple(estimate.progress.shape)}")
    residual = normalised_residual(estimate, truth[None].to(estimate.progress.dtype))[0]
    known = residual[~residual.isnan()].sort().values
    if len(known) == 0:
        raise ValueError("an episode has no frame with both an estimate and a label")
    return float(known[math.ceil(frames_within * len(known) - 1e-9) - 1])


def episodes_needed(coverage: float) -> int:
    """Give how many labelled episodes intervals of this coverage need: the least n with ⌈(n + 1) · coverage⌉ ≤ n.

    Example:
        >>> episodes_needed(0.9)
        9
    """
    return max(1, math.ceil(coverage / (1 - coverage) - 1e-9))


def _check_fractions(coverage: float, frames_within: float) -> None:
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be in (0, 1), got {coverage:g}")
    if not 0 < frames_within <= 1:
        raise ValueError(f"frames_within must be in (0, 1], got {frames_within:g}")
