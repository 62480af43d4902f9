"""Runs a study run by run, in any number of processes; each run has a folder and goes on where it was stopped."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import robo_reward.rl
from robo_reward.cli import train
from robo_reward.cli.build import build
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.study_plan import PlannedRun
from robo_reward.cli.train_model import reward_model_of
from robo_reward.durable import atomic_file
from robo_reward.errors import OutputError
from robo_reward.study.result import StudyResult, read_result, write_result

PACKAGES = ("robo-reward", "torch", "stable-baselines3", "gymnasium", "mujoco", "numpy")
"""Whose versions decide the figures."""
_CPU = "cpu_seconds.json"
_LEARNING = Path(str(robo_reward.rl.__file__)).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFolders:
    """Where a study keeps what it makes."""

    output: Path
    """Folders of runs, fitted reward models, locks."""
    results: Path
    """One small JSON a finished run."""

    def run(self, run: PlannedRun) -> Path:
        """Folder of a run."""
        return self.output / "runs" / run.name

    def model(self, run: PlannedRun) -> Path:
        """Folder of demonstrations and reward model that this run shares with all others of its task and model."""
        return self.output / "models" / f"{run.task}.{run.model}"

    def result(self, run: PlannedRun) -> Path:
        """JSON of a run."""
        return self.results / f"{run.name}.json"

    def finished(self, run: PlannedRun) -> bool:
        """Tell whether a run has left its result.

        Raises:
            OutputError: The result is there, and was made with other settings.
        """
        path = self.result(run)
        if not path.exists():
            return False
        before, now = read_result(path).settings, [*run.settings, *run.fit]
        if list(before) != now:
            differing = sorted(set(before) ^ set(now))
            raise OutputError(
                f"{path} was made with other settings ({', '.join(differing)}): remove it to have it made again, "
                "or take the settings back"
            )
        return True


def run_study(runs: Sequence[PlannedRun], folders: StudyFolders, *, told: Callable[[str], None]) -> int:
    """Make every run that is neither finished nor being made by another process; give how many this process made.

    A run that cannot be made is told of, and does not keep the others from being made.

    Args:
        runs: In their order.
        folders: Of the study.
        told: Takes lines about how it goes on.

    Raises:
        OutputError: A result was made with other settings, or something cannot be written.
        ValueError: Some runs could not be made; the others are.
    """
    made, failed = 0, []
    for number, run in enumerate(runs, start=1):
        with _lock(folders.output / "locks" / f"{run.name}.lock") as free:
            if not free or folders.finished(run):
                continue
            left = sum(not folders.finished(each) for each in runs)
            told(f"run {number} of {len(runs)} ({left} to do): {run.name}")
            try:
                result = _make(run, folders)
            except ValueError as error:
                failed.append(run.name)
                told(f"{run.name} cannot be made: {error}")
                continue
            made += 1
            told(
                f"{run.name}: {result.success[-1]:.0%} at the end, {max(result.success):.0%} at best; "
                f"{result.cpu_seconds:.0f} CPU seconds"
            )
    if failed:
        raise ValueError(f"these runs could not be made, see above why: {', '.join(failed)}")
    return made


def _make(run: PlannedRun, folders: StudyFolders) -> StudyResult:
    folder = folders.run(run)
    fitted = _fit(run, folders) if run.fit else []
    with _counted(folder / _CPU):
        train.run(compose_verb("train", [*run.settings, *fitted, f"output={folder}"]))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    result = StudyResult(
        name=run.name,
        task=run.task,
        reward=run.reward,
        model=run.model,
        variant=run.variant,
        seed=run.seed,
        settings=[*run.settings, *run.fit],
        steps=[line["step"] for line in lines],
        success=_column(lines, "evaluation/success_rate"),
        returns=_column(lines, "evaluation/mean_return"),
        lengths=_column(lines, "evaluation/mean_length"),
        cpu_seconds=_seconds(folder / _CPU),
        fit_cpu_seconds=_seconds(folders.model(run) / _CPU) if run.fit else 0.0,
        versions={name: version(name) for name in PACKAGES} | {"code": _code()},
    )
    write_result(result, folders.results)
    shutil.rmtree(folder / "checkpoints")  # only a run that goes on needs them, and they are large
    return result


def _fit(run: PlannedRun, folders: StudyFolders) -> list[str]:
    """Record and fit once for all runs of this task with this model; give what `robo-reward train` is told then."""
    folder = folders.model(run)
    with _lock(folder.with_name(folder.name + ".lock"), wait=True), _counted(folder / _CPU):
        if not (folder / "reward_model").exists():
            config = compose_verb("train", [*run.settings, *run.fit, f"output={folder}"])
            reward_model_of(config, build(config.task), folder)
    return [f"reward_model={folder / 'reward_model'}"]


@cache
def _code() -> str:
    """Digest of the learning code: a package's version says nothing of a checkout."""
    return sha256(b"".join(path.read_bytes() for path in sorted(_LEARNING.glob("*.py")))).hexdigest()[:12]


def _column(lines: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if line.get(name) is None else float(line[name]) for line in lines]


@contextmanager
def _lock(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold a lock that the system takes back however the process ends; False = another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def _counted(path: Path) -> Iterator[None]:
    """Add the CPU seconds of what is done inside to those of earlier sittings, but for any that was killed."""
    began = _cpu()
    try:
        yield
    finally:
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(_seconds(path) + _cpu() - began))


def _seconds(path: Path) -> float:
    return float(json.loads(path.read_text())) if path.exists() else 0.0


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
