"""What is found out about one recorded episode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.clip import Episode
from robo_reward.evaluation.controls import ControlOutcome
from robo_reward.evaluation.recording import Recording
from robo_reward.evaluation.return_correlation import linear_correlation, rank_correlation, return_so_far
from robo_reward.evaluation.value_order import OrderCorrelation, kendall_order_correlation, value_order_correlation

FINAL_FRAMES = 3
"""Final progress is the mean over this many last known frames: one flickering frame must not decide."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class EpisodeEvaluation:
    """Figures of one episode; NaN where a figure is not defined or the truth is not known."""

    episode: Episode
    task: str
    """Short name of the task."""
    recording: Recording
    fitted: bool
    """True if the model was fitted on this episode: it is shown, but counted in no figure."""
    voc: OrderCorrelation
    kendall: OrderCorrelation
    final_progress: float
    """Mean over the last known frames, in [0, 1]."""
    mean_progress: float
    true_return: float
    """Undiscounted sum of the true reward."""
    return_pearson: float
    """Pearson's correlation of progress with the true return so far."""
    return_spearman: float
    """Spearman's correlation of progress with the true return so far."""
    reward_spearman: float
    """Spearman's correlation of progress with the true reward of the same row."""
    controls: Mapping[str, Sequence[ControlOutcome]]
    """By name of the control: one outcome, or one per order of noisy frames, or one per other instruction."""

    @property
    def badness(self) -> float:
        """How much the reward is at odds with what is known, in [0, 1]; the report shows the highest first.

        A failure: its final progress. A success, or an episode of unknown outcome: what VOC (below 0 as 0) and, for a
        success, final progress lack of 1, averaged. An episode on which the model never spoke: 1.
        """
        if self.final_progress != self.final_progress:  # NaN: abstained throughout
            return 1.0
        if self.recording.succeeded is False:
            return self.final_progress
        order = max(0.0, self.voc.value)
        return 1 - order if self.recording.succeeded is None else 1 - (order + self.final_progress) / 2


def final_progress(progress: Float[Tensor, " time"]) -> float:
    """Give the mean over the last `FINAL_FRAMES` known frames; NaN where none is known.

    Example:
        >>> final_progress(torch.tensor([0.0, 0.5, 1.0, float("nan"), 0.75]))
        0.75
    """
    known = progress[~progress.isnan()].to(torch.float64)
    return float(known[-FINAL_FRAMES:].mean()) if len(known) else float("nan")


def evaluate_episode(
    episode: Episode,
    recording: Recording,
    *,
    task: str,
    fitted: bool,
    controls: Mapping[str, Sequence[ControlOutcome]],
) -> EpisodeEvaluation:
    """Compute the figures of one episode from its columns; the controls are given."""
    progress, reward = recording.progress, recording.true_reward
    nothing = float("nan")
    so_far = None if reward is None else return_so_far(reward.to(torch.float64))
    return EpisodeEvaluation(
        episode=episode,
        task=task,
        recording=recording,
        fitted=fitted,
        voc=value_order_correlation(progress),
        kendall=kendall_order_correlation(progress),
        final_progress=final_progress(progress),
        mean_progress=float(progress.to(torch.float64).nanmean()),
        true_return=nothing if reward is None else float(reward.to(torch.float64).sum()),
        return_pearson=nothing if so_far is None else linear_correlation(progress, so_far),
        return_spearman=nothing if so_far is None else rank_correlation(progress, so_far),
        reward_spearman=nothing if reward is None else rank_correlation(progress, reward),
        controls=controls,
    )
