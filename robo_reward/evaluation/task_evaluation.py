"""What is found out about one task: the figures of its episodes taken together."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from robo_reward.evaluation.controls import ControlOutcome
from robo_reward.evaluation.epic import goal_epic_distance
from robo_reward.evaluation.episode_evaluation import EpisodeEvaluation
from robo_reward.evaluation.return_correlation import rank_correlation
from robo_reward.evaluation.spread_calibration import abstention_rate, linear_progress, spread_coverage
from robo_reward.evaluation.success_separation import success_auroc, success_auroc_interval

ORDERED_CONTROLS = ("reversed", "shuffled", "wrong_instruction")
"""Controls that are compared with VOC, so they are taken over the same episodes; the others over all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSummary:
    """One control over the episodes of a task."""

    voc: float
    """Mean VOC; degenerate ones count as 0."""
    voc_magnitude: float
    """Mean |VOC|: what signs that cancel would hide."""
    degenerate: float
    """Fraction of episodes whose control has no order."""
    abstained: float
    progress: float
    shift: float
    episodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvaluation:
    """Figures of one task over the episodes that the model was not fitted on; NaN = not defined, or not known."""

    name: str
    instruction: str
    voc: float
    """Mean value-order correlation over the episodes that `voc_over` names; degenerate ones count as 0."""
    voc_over: str
    """`successes` where the outcome is known (a failure has no order to be judged by), else `all`."""
    voc_degenerate: int
    """Number of episodes without an order among them."""
    voc_static: float
    """VOC of a still scene with camera noise: how much of VOC comes from counting frames."""
    voc_static_magnitude: float
    voc_static_exact: float
    """VOC of the first frame repeated."""
    voc_reversed: float
    voc_shuffled: float
    voc_wrong_instruction: float
    """VOC of the models of the other tasks on this task's episodes."""
    kendall: float
    success_auroc: float
    """Probability that a success ends with more progress than a failure."""
    success_auroc_interval: tuple[float, float]
    """95 % bootstrap interval."""
    final_progress_success: float
    final_progress_failure: float
    epic: float
    """EPIC distance of progress to per-row success labels, over all rows."""
    epic_final: float
    """EPIC distance of final progress to success, over the episodes' ends."""
    return_correlation: float
    """Spearman's correlation over episodes of final progress with the true return."""
    return_correlation_mean_progress: float
    """The same of mean progress."""
    return_so_far_pearson: float
    """Correlation of progress with the true return so far, mean over episodes."""
    return_so_far_spearman: float
    reward_spearman: float
    """Spearman's correlation of progress with the true reward of the same row, mean over episodes."""
    coverage_1: float
    """Fraction of frames of successes with time-linear progress within 1 spread (Gaussian: .683)."""
    coverage_1645: float
    """The same within 1.645 spreads (Gaussian: .900)."""
    abstained: float
    """Fraction of frames."""
    episodes: int
    successes: int
    failures: int
    unknown: int
    """Episodes whose outcome nobody knows."""
    fitted: int
    """Episodes left out because the model was fitted on them."""
    controls: Mapping[str, ControlSummary]


def evaluate_task(name: str, episodes: Sequence[EpisodeEvaluation], *, seed: int) -> TaskEvaluation:
    """Take the figures of a task's episodes together.

    Args:
        name: Short name of the task.
        episodes: All episodes of the task, fitted ones included.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: No episode.
    """
    if not episodes:
        raise ValueError(f"task '{name}' has no episode")
    counted = [episode for episode in episodes if not episode.fitted]
    known = [episode for episode in counted if episode.recording.succeeded is not None]
    successes = [episode for episode in known if episode.recording.succeeded]
    ordered = successes if known else counted
    controls = _controls(counted, ordered)
    ends = torch.tensor([episode.final_progress for episode in known], dtype=torch.float64)
    succeeded = torch.tensor([bool(episode.recording.succeeded) for episode in known], dtype=torch.bool)
    return TaskEvaluation(
        name=name,
        instruction=episodes[0].episode.instruction,
        voc=_mean(episode.voc.value for episode in ordered),
        voc_over="successes" if known else "all",
        voc_degenerate=sum(episode.voc.degenerate for episode in ordered),
        voc_static=controls["static"].voc,
        voc_static_magnitude=controls["static"].voc_magnitude,
        voc_static_exact=controls["static_exact"].voc,
        voc_reversed=controls["reversed"].voc,
        voc_shuffled=controls["shuffled"].voc,
        voc_wrong_instruction=controls["wrong_instruction"].voc,
        kendall=_mean(episode.kendall.value for episode in ordered),
        success_auroc=success_auroc(ends, succeeded),
        success_auroc_interval=success_auroc_interval(ends, succeeded, seed=seed),
        final_progress_success=float(ends[succeeded].nanmean()),
        final_progress_failure=float(ends[~succeeded].nanmean()),
        epic=_epic_of_rows(known),
        epic_final=goal_epic_distance(ends, succeeded),
        abstained=abstention_rate(_joined([episode.recording.progress for episode in counted])),
        episodes=len(counted),
        successes=len(successes),
        failures=len(known) - len(successes),
        unknown=len(counted) - len(known),
        fitted=len(episodes) - len(counted),
        controls=controls,
        **_agreement_with_truth(counted),
        **_coverage(successes),
    )


def _agreement_with_truth(episodes: Sequence[EpisodeEvaluation]) -> dict[str, float]:
    def column(read: Callable[[EpisodeEvaluation], float]) -> Tensor:
        return torch.tensor([read(episode) for episode in episodes], dtype=torch.float64)

    returns = column(lambda episode: episode.true_return)
    return {
        "return_correlation": rank_correlation(column(lambda episode: episode.final_progress), returns),
        "return_correlation_mean_progress": rank_correlation(column(lambda episode: episode.mean_progress), returns),
        "return_so_far_pearson": float(column(lambda episode: episode.return_pearson).nanmean()),
        "return_so_far_spearman": float(column(lambda episode: episode.return_spearman).nanmean()),
        "reward_spearman": float(column(lambda episode: episode.reward_spearman).nanmean()),
    }


def _coverage(successes: Sequence[EpisodeEvaluation]) -> dict[str, float]:
    progress = _joined([episode.recording.progress for episode in successes])
    spread = _joined([episode.recording.spread for episode in successes])
    truth = _joined(
        [linear_progress(episode.recording.success) for episode in successes if episode.recording.success is not None]
    )
    return {
        "coverage_1": spread_coverage(progress, spread, truth=truth, width=1.0),
        "coverage_1645": spread_coverage(progress, spread, truth=truth, width=1.645),
    }


def _epic_of_rows(episodes: Sequence[EpisodeEvaluation]) -> float:
    progress = _joined([episode.recording.progress for episode in episodes])
    labels = [episode.recording.success for episode in episodes if episode.recording.success is not None]
    return goal_epic_distance(progress, torch.cat(labels) if labels else torch.zeros(0, dtype=torch.bool))


def _controls(
    episodes: Sequence[EpisodeEvaluation], ordered: Sequence[EpisodeEvaluation]
) -> Mapping[str, ControlSummary]:
    names = dict.fromkeys(name for episode in episodes for name in episode.controls)
    return {
        name: _summary(
            [episode.controls.get(name, ()) for episode in (ordered if name in ORDERED_CONTROLS else episodes)]
        )
        for name in names or dict.fromkeys(("static", "static_exact", *ORDERED_CONTROLS))
    }


def _summary(by_episode: Sequence[Sequence[ControlOutcome]]) -> ControlSummary:
    outcomes = [outcome for episode in by_episode for outcome in episode]
    return ControlSummary(
        voc=_mean(outcome.voc.value for outcome in outcomes),
        voc_magnitude=_mean(abs(outcome.voc.value) for outcome in outcomes),
        degenerate=_mean(float(outcome.voc.degenerate) for outcome in outcomes),
        abstained=_mean(outcome.abstained for outcome in outcomes),
        progress=_mean(outcome.progress for outcome in outcomes),
        shift=_mean(outcome.shift for outcome in outcomes),
        episodes=sum(len(episode) > 0 for episode in by_episode),
    )


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(parts)).to(torch.float64) if parts else torch.zeros(0, dtype=torch.float64)
