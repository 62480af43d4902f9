"""The figures as JSON, for programs; `report.html` is for people."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from robo_reward.durable import atomic_file
from robo_reward.evaluation.evaluation import Evaluation
from robo_reward.evaluation.task_evaluation import TaskEvaluation

COUNTS = ("voc_degenerate", "episodes", "successes", "failures", "unknown", "fitted")


def metrics(evaluation: Evaluation) -> dict[str, object]:
    """Give the figures as plain Python: `{"tasks": {NAME: {...}}, "overall": {...}, "provenance": {...}}`.

    `overall` holds the mean over the tasks where a figure is defined, and the sums of counts. NaN becomes None.
    """
    return {
        "tasks": {task.name: _without_nan(_task(task)) for task in evaluation.tasks},
        "overall": _without_nan(overall(evaluation.tasks)),
        "provenance": _without_nan(evaluation.provenance),
    }


def write_metrics(evaluation: Evaluation, path: Path) -> None:
    """Write the figures as JSON, all or nothing.

    Raises:
        OutputError: The file cannot be written.
    """
    text = json.dumps(metrics(evaluation), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def overall(tasks: Sequence[TaskEvaluation]) -> dict[str, float | int]:
    """Take tasks together: the mean of each figure over the tasks that have it, and the sum of each count."""
    figures = [_task(task) for task in tasks]
    names = [name for name, value in figures[0].items() if isinstance(value, int | float)]
    sums: dict[str, float | int] = {"tasks": len(tasks)}
    for name in names:
        values = [float(figure[name]) for figure in figures if not math.isnan(figure[name])]
        sums[name] = int(sum(values)) if name in COUNTS else (fmean(values) if values else math.nan)
    return sums


def _task(task: TaskEvaluation) -> dict:
    figures = asdict(task)
    del figures["name"]
    return figures


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return None if not math.isfinite(value) else value
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
