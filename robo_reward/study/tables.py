"""Tables of a study, in Markdown."""

import math
from collections.abc import Mapping, Sequence

from robo_reward.study.result import StudyResult
from robo_reward.study.statistics import ConditionFigures, Interval
from robo_reward.study.verdict import Verdict, judge

SPARSE = "sparse"
"""What the labels of what shaping is compared with begin with."""
SHAPED = "shaped, "
"""What the labels of potential-based shaping begin with."""
_UNKNOWN = "–"


def conditions_table(conditions: Mapping[str, Mapping[str, ConditionFigures]]) -> str:
    """Give one row a task and condition: how many runs, steps to 80 %, success at the end, CPU time."""
    head = (
        "| task | reward | runs | steps to 80 % | success at the end | CPU minutes a run |\n|---|---|---|---|---|---|\n"
    )
    rows = [
        f"| {task} | {label} | {each.num_runs} | {_steps(each.steps_to_level, each.budget)} | {_share(each.final)} "
        f"| {each.cpu_seconds / 60:.1f} |\n"
        for task, labelled in conditions.items()
        for label, each in labelled.items()
    ]
    return head + "".join(rows)


def claims_table(conditions: Mapping[str, Mapping[str, ConditionFigures]]) -> str:
    """Give one row a task and shaped condition: what holds against every sparse one. A task without both has none."""
    head = (
        "| task | reward | at most half the steps | intervals apart | ends lower | holds |\n|---|---|---|---|---|---|\n"
    )
    rows = []
    for task, labelled in conditions.items():
        sparse = [each for label, each in labelled.items() if label.startswith(SPARSE)]
        rows += [
            _claim(task, label, judge(each, sparse))
            for label, each in labelled.items()
            if sparse and label.startswith(SHAPED)
        ]
    return head + "".join(rows)


def progress_line(results: Sequence[StudyResult], parts: Mapping[str, Sequence[str]]) -> str:
    """Say how many runs of each part are done, and what all that is done has cost."""
    done = {each.name for each in results}
    told = ", ".join(f"{part} {sum(name in done for name in names)} of {len(names)}" for part, names in parts.items())
    planned = {name for names in parts.values() for name in names}
    cost = sum(each.cpu_seconds for each in results if each.name in planned)
    fits = {(each.task, each.model): each.fit_cpu_seconds for each in results if each.name in planned}
    return (
        f"{len(planned & done)} of {len(planned)} runs are done ({told}), in {cost / 3600:.1f} CPU hours of learning "
        f"and {sum(fits.values()) / 3600:.1f} of recording and fitting.\n"
    )


def _claim(task: str, label: str, verdict: Verdict) -> str:
    words = [_word(each) for each in (verdict.half_the_steps, verdict.apart, verdict.ends_lower, verdict.holds)]
    return f"| {task} | {label} | {' | '.join(words)} |\n"


def _word(answer: bool) -> str:
    return "yes" if answer else "no"


def _steps(interval: Interval, budget: int) -> str:
    return f"{_number(interval.value, budget)} [{_number(interval.low, budget)}, {_number(interval.high, budget)}]"


def _number(steps: float, budget: int) -> str:
    if math.isnan(steps):
        return _UNKNOWN
    return f"{steps:.0f}" if math.isfinite(steps) else f"> {budget}"


def _share(interval: Interval) -> str:
    low, high = (_UNKNOWN if math.isnan(end) else f"{end:.0%}" for end in (interval.low, interval.high))
    return f"{interval.value:.0%} [{low}, {high}]"
