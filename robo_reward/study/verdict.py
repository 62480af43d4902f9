"""Whether shaping did on a task what it is claimed to do, decided by figures alone."""

import math
from dataclasses import dataclass

from robo_reward.study.statistics import ConditionFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the claims come to on one task: shaped against sparse rewards."""

    half_the_steps: bool
    """It takes at most half the environment steps to 80 % success."""
    apart: bool
    """The 95 % intervals of these steps do not overlap."""
    ends_lower: bool
    """Its success at the end lies below that of sparse rewards, and their intervals do not overlap."""

    @property
    def holds(self) -> bool:
        """Twice as fast beyond doubt, and not worse in the end."""
        return self.half_the_steps and self.apart and not self.ends_lower


def judge(shaped: ConditionFigures, sparse: ConditionFigures) -> Verdict:
    """Judge shaped against sparse rewards on one task.

    Sparse rewards that never reach 80 % have taken more than their budget: shaped ones hold the claim of half the steps
    where they need at most half of that budget.

    Args:
        shaped: Figures of potential-based shaping.
        sparse: Figures of the success signal alone.

    Raises:
        ValueError: Their budgets differ.
    """
    if shaped.budget != sparse.budget:
        raise ValueError(f"budgets must be one, got {shaped.budget} steps shaped and {sparse.budget} sparse")
    at_least = min(sparse.steps_to_level.value, float(sparse.budget))
    reached = math.isfinite(shaped.steps_to_level.value)
    return Verdict(
        half_the_steps=reached and shaped.steps_to_level.value <= at_least / 2,
        apart=shaped.steps_to_level.high < sparse.steps_to_level.low,
        ends_lower=shaped.final.high < sparse.final.low,
    )
