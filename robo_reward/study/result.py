"""What a finished run of a study leaves: its curve and all that is needed to make it again, as one small JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from robo_reward.durable import atomic_file
from robo_reward.errors import DataSetError


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """A finished run of a study.

    Raises:
        ValueError: Curves of different lengths or of none, steps that do not increase.
    """

    name: str
    task: str
    reward: str
    """Mode of the learning reward, or the trap that was set."""
    model: str | None
    """What told the progress; None = nobody was asked."""
    variant: str
    """What differs from the study's defaults; empty = nothing."""
    seed: int
    settings: Sequence[str]
    """What `robo-reward train` was told."""
    steps: Sequence[int]
    """Environment steps at each evaluation."""
    success: Sequence[float]
    """Share of the evaluation's episodes that succeeded, in [0, 1]; NaN where it is not known."""
    returns: Sequence[float]
    """Mean undiscounted return of those episodes under the environment's own reward."""
    lengths: Sequence[float]
    """Mean number of their steps."""
    cpu_seconds: float
    """Of the processes that learnt, their children among them; without the fit of the reward model."""
    fit_cpu_seconds: float
    """Of recording demonstrations and fitting the reward model that this run shared with others; 0 = nothing fitted."""
    versions: Mapping[str, str]
    """Of the packages that decide the figures."""

    def __post_init__(self) -> None:
        counts = {len(self.steps), len(self.success), len(self.returns), len(self.lengths)}
        if len(counts) != 1 or not self.steps:
            raise ValueError(f"{self.name}: curves must be of one length, and not empty; got {sorted(counts)}")
        if any(later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError(f"{self.name}: steps must increase, got {list(self.steps)}")

    @property
    def condition(self) -> tuple[str, str, str | None, str]:
        """Task, reward, model and variant: what runs of different seeds have in common."""
        return self.task, self.reward, self.model, self.variant


def write_result(result: StudyResult, folder: Path) -> Path:
    """Write a result as `<name>.json`, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    path = folder / f"{result.name}.json"
    with atomic_file(path) as temporary:
        temporary.write_text(_text({name: _without_nan(value) for name, value in asdict(result).items()}))
    return path


def read_result(path: Path) -> StudyResult:
    """Read a result.

    Raises:
        DataSetError: It is no result of a study.
    """
    try:
        told: dict[str, Any] = json.loads(path.read_text())
        for name in ("success", "returns", "lengths"):
            told[name] = [math.nan if value is None else float(value) for value in told[name]]
        return StudyResult(**told)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataSetError(
            f"{path} is no result of a study with {[each.name for each in fields(StudyResult)]}: {error}"
        ) from error


def read_results(folder: Path) -> list[StudyResult]:
    """Read every result in a folder, by name.

    Raises:
        DataSetError: A JSON there is no result of a study.
    """
    return [read_result(path) for path in sorted(folder.glob("*.json"))]


def success_matrix(results: Sequence[StudyResult]) -> tuple[np.ndarray, np.ndarray]:
    """Give the evaluations' steps, and success of each run at each of them.

    Raises:
        ValueError: No runs, or runs that were judged at different steps.
    """
    if not results:
        raise ValueError("there are no runs to compare")
    steps = tuple(results[0].steps)
    other = [each.name for each in results if tuple(each.steps) != steps]
    if other:
        raise ValueError(f"{results[0].name} and {', '.join(other)} were judged at different steps: no one curve")
    return np.array(steps), np.array([each.success for each in results], np.float64)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return [_without_nan(each) for each in value] if isinstance(value, list | tuple) else value


def _text(told: Mapping[str, Any]) -> str:
    """Lay out JSON with one line a field, so that changes can be read."""
    lines = (f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in told.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
