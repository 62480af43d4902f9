"""Whether shaping did on a task what it is claimed to do, decided by figures alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robo_reward.study.statistics import ConditionFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the claims come to on one task: shaped rewards against every way to learn from sparse ones."""

    half_the_steps: bool
    """It takes at most half the environment steps to 80 % success."""
    apart: bool
    """The 95 % intervals of these steps do not overlap."""
    ends_lower: bool
    """Its success at the end lies below that of one of them, and their intervals do not overlap."""

    @property
    def holds(self) -> bool:
        """Twice as fast beyond doubt, and not worse in the end."""
        return self.half_the_steps and self.apart and not self.ends_lower


def judge(shaped: ConditionFigures, sparse: Sequence[ConditionFigures]) -> Verdict:
    """Judge shaped rewards on one task against sparse ones: a claim has to hold against every learner of those.

    Sparse rewards that never reach 80 % have taken more than their budget: shaped ones hold the claim of half the steps
    where they need at most half of that budget.

    Args:
        shaped: Figures of potential-based shaping.
        sparse: Figures of the success signal alone, by one learner or several.

    Raises:
        ValueError: Nothing to judge against, or budgets that differ.
    """
    budgets = {each.budget for each in (shaped, *sparse)}
    if not sparse or len(budgets) > 1:
        raise ValueError(f"sparse rewards of the same budget are wanted, got {len(sparse)}, of {sorted(budgets)} steps")
    verdicts = [_against(shaped, each) for each in sparse]
    return Verdict(
        half_the_steps=all(each.half_the_steps for each in verdicts),
        apart=all(each.apart for each in verdicts),
        ends_lower=any(each.ends_lower for each in verdicts),
    )


def _against(shaped: ConditionFigures, sparse: ConditionFigures) -> Verdict:
    at_least = min(sparse.steps_to_level.value, float(sparse.budget))
    reached = math.isfinite(shaped.steps_to_level.value)
    return Verdict(
        half_the_steps=reached and shaped.steps_to_level.value <= at_least / 2,
        apart=shaped.steps_to_level.high < sparse.steps_to_level.low,
        ends_lower=shaped.final.high < sparse.final.low,
    )
