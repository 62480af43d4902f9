"""Which runs a study is made of: tasks, rewards, models, variants and seeds, crossed as the configuration says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One run of a study: `robo-reward train` with these settings."""

    task: str
    reward: str
    model: str | None
    variant: str
    seed: int
    settings: tuple[str, ...]
    """Overrides of `robo-reward train`; without output, and without the folder of a fitted model."""
    fit: tuple[str, ...] = ()
    """Overrides besides, with which the reward model is fitted once for all runs of this task; none = it is not."""

    @property
    def name(self) -> str:
        """What it is called: task, reward, model, variant, seed."""
        return (
            ".".join(_word(part) for part in (self.task, self.reward, self.model, self.variant) if part)
            + f".{self.seed}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPart:
    """What is compared with each other."""

    name: str
    runs: tuple[PlannedRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """The runs of a study, by parts. A run may be of several parts; it is made once."""

    parts: tuple[StudyPart, ...]

    def runs(self) -> list[PlannedRun]:
        """Give every run once, in the order in which they tell most: first seeds of all parts before second ones."""
        every = {run.name: run for part in self.parts for run in part.runs}
        return sorted(every.values(), key=lambda run: run.seed)  # a stable sort: parts and their runs as written


def plan_study(
    *,
    settings: Sequence[str],
    tasks: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    rewards: Mapping[str, Sequence[str]],
    parts: Mapping[str, Sequence[Mapping[str, Any]]],
) -> StudyPlan:
    """Plan a study.

    Args:
        settings: Overrides of `robo-reward train` of every run.
        tasks: Name to `settings` of all its runs, {task} in them for the name, and `models`: what a model is told on
            this task besides.
        models: Name to `settings` of its runs, and `fit`: settings besides, with which it is fitted first.
        rewards: Name to settings.
        parts: Name to rows of runs: `tasks`, `rewards`, `models` (none where nobody is asked), `seeds` (how many), and
            perhaps a `variant` with `settings` of its own.

    Raises:
        ValueError: A name that is not there, or one run with two settings.
    """
    planned = {
        part: tuple(
            run for row in rows for run in _row(row, settings=settings, tasks=tasks, models=models, rewards=rewards)
        )
        for part, rows in parts.items()
    }
    seen: dict[str, PlannedRun] = {}
    for run in (run for runs in planned.values() for run in runs):
        if seen.setdefault(run.name, run) != run:
            raise ValueError(f"run {run.name} is planned with two settings: give one of them a variant")
    return StudyPlan(
        parts=tuple(StudyPart(name=name, runs=tuple(dict.fromkeys(runs))) for name, runs in planned.items())
    )


def _row(
    row: Mapping[str, Any],
    *,
    settings: Sequence[str],
    tasks: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    rewards: Mapping[str, Sequence[str]],
) -> list[PlannedRun]:
    return [
        _run(task, reward, model, seed, row=row, settings=settings, tasks=tasks, models=models, rewards=rewards)
        for task in row["tasks"]
        for reward in row["rewards"]
        for model in row.get("models") or [None]
        for seed in range(row["seeds"])
    ]


def _run(
    task: str,
    reward: str,
    model: str | None,
    seed: int,
    *,
    row: Mapping[str, Any],
    settings: Sequence[str],
    tasks: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    rewards: Mapping[str, Sequence[str]],
) -> PlannedRun:
    of_task = _named(tasks, task, "task")
    everywhere = {} if model is None else _named(models, model, "model")
    here = of_task.get("models", {}).get(model, {})
    return PlannedRun(
        task=task,
        reward=reward,
        model=model,
        variant=row.get("variant", ""),
        seed=seed,
        settings=(
            *settings,
            *(each.replace("{task}", task) for each in of_task["settings"]),
            *everywhere.get("settings", ()),
            *here.get("settings", ()),
            *_named(rewards, reward, "reward"),
            *row.get("settings", ()),
            f"seed={seed}",
        ),
        fit=(*everywhere.get("fit", ()), *here.get("fit", ())),
    )


def _named(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise ValueError(f"unknown {what} '{name}'; there are {', '.join(known)}")
    return known[name]


def _word(part: str) -> str:
    """Give what may stand in the name of a file."""
    return re.sub(r"[^\w.+-]+", "-", part)
