"""Success over environment steps from a few seeds, with intervals: interquartile means by stratified bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import bootstrap, trim_mean

from robo_reward.study.result import StudyResult, success_matrix

LEVEL = 0.8
"""Success that counts as having learnt a task."""
CONFIDENCE = 0.95
_LAST = 3
_REPETITIONS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % bootstrap interval over runs."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ConditionFigures:
    """What runs of one condition, differing in their seed, came to."""

    num_runs: int
    steps: Int64[np.ndarray, " evaluation"]
    success: Float64[np.ndarray, " evaluation"]
    """Interquartile mean over runs."""
    low: Float64[np.ndarray, " evaluation"]
    high: Float64[np.ndarray, " evaluation"]
    final: Interval
    """Interquartile mean of runs' mean success in the last three evaluations."""
    steps_to_level: Interval
    """Environment steps after which the interquartile mean is at `LEVEL` for the first time; inf = not within these."""
    cpu_seconds: float
    """Mean of a run."""

    @property
    def budget(self) -> int:
        """Environment steps of each run."""
        return int(self.steps[-1])


def condition_figures(results: Sequence[StudyResult]) -> ConditionFigures:
    """Give curve, end and speed of one condition, each with the percentile interval of 2000 bootstrap samples of runs.

    All come from the same samples. A sample that never reaches `LEVEL` counts as infinitely slow. With three runs none
    is trimmed, and there are ten different samples: intervals are what so few can say. One run has none: NaN.

    Args:
        results: Of one condition, one a seed.

    Raises:
        ValueError: No runs, runs of several conditions, or judged at different steps.

    Source:
        Agarwal et al. 2021 (2108.13264), section 4: interquartile mean and stratified bootstrap, of one task.
    """
    if len({each.condition for each in results}) > 1:
        raise ValueError(f"runs of one condition are wanted, got {sorted({each.name for each in results})}")
    steps, success = success_matrix(results)
    beyond = 2.0 * float(steps[-1])  # stands for "not within the budget" where percentiles need numbers
    value = _statistics(success, steps, beyond)
    low, high = _interval(success, steps, beyond)
    count = len(steps)
    return ConditionFigures(
        num_runs=len(results),
        steps=steps,
        success=value[:count],
        low=low[:count],
        high=high[:count],
        final=Interval(value=float(value[count]), low=float(low[count]), high=float(high[count])),
        steps_to_level=_censored(value[count + 1], low[count + 1], high[count + 1], budget=float(steps[-1])),
        cpu_seconds=float(np.mean([each.cpu_seconds for each in results])),
    )


def first_at_level(
    steps: Int64[np.ndarray, " evaluation"], success: Float64[np.ndarray, "*sample evaluation"]
) -> Float64[np.ndarray, "*sample"]:
    """Give the steps of the first evaluation with success of at least `LEVEL`; inf where there is none."""
    reached = success >= LEVEL - 1e-9
    return np.where(reached.any(axis=-1), steps[reached.argmax(axis=-1)], np.inf)


def interquartile_mean(success: Float64[np.ndarray, "*sample run column"]) -> Float64[np.ndarray, "*sample column"]:
    """Give the mean without the lowest and the highest quarter of runs, column by column."""
    return trim_mean(success, 0.25, axis=-2)


def _interval(
    success: Float64[np.ndarray, "run evaluation"], steps: Int64[np.ndarray, " evaluation"], beyond: float
) -> tuple[Float64[np.ndarray, " statistic"], Float64[np.ndarray, " statistic"]]:
    """Give the ends of the interval of every statistic; runs are drawn, so that all see the same samples."""
    if len(success) == 1:
        unknown = np.full(len(steps) + 2, np.nan)
        return unknown, unknown
    drawn = bootstrap(
        (np.arange(len(success)),),
        lambda runs, axis: np.moveaxis(_statistics(success[runs], steps, beyond), -1, 0),
        n_resamples=_REPETITIONS,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return drawn.confidence_interval.low, drawn.confidence_interval.high


def _statistics(
    success: Float64[np.ndarray, "*sample run evaluation"], steps: Int64[np.ndarray, " evaluation"], beyond: float
) -> Float64[np.ndarray, "*sample statistic"]:
    """Give the curve, the end, and steps to `LEVEL`, side by side."""
    curve = interquartile_mean(success)
    final = interquartile_mean(success[..., -_LAST:].mean(axis=-1, keepdims=True))
    reached = np.minimum(first_at_level(steps, curve), beyond)
    return np.concatenate([curve, final, reached[..., None]], axis=-1)


def _censored(value: float, low: float, high: float, *, budget: float) -> Interval:
    """Give infinity for what lies beyond the budget; so does a percentile between two samples of which one is."""
    within = [float("inf") if each > budget else float(each) for each in (value, low, high)]
    return Interval(value=within[0], low=within[1], high=within[2])
