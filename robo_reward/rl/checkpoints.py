"""Checkpoints of a training: folders that appear whole or not at all, the newest few of them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from robo_reward.durable import flush, output_errors, publish_folder, staging_folder

_STATE_FILE = "training.json"
_KEPT = 2


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Checkpoint:
    """What a training goes on from."""

    folder: Path
    state: Mapping[str, Any]
    """Plain data: steps, segment, metrics."""


def write_checkpoint(
    folder: Path, *, steps: int, state: Mapping[str, Any], write: Callable[[Path], None]
) -> Checkpoint:
    """Write a checkpoint under its name in one step, and remove those before the last one.

    Args:
        folder: Of all checkpoints.
        steps: Environment steps so far; names the checkpoint.
        state: Plain data.
        write: Writes the rest into the folder that it is given.

    Raises:
        OutputError: The disk is full, or a checkpoint of so many steps is there.
    """
    final = folder / f"{steps:09d}"
    staging = staging_folder(final)
    with output_errors(final):
        if staging.exists():
            rmtree(staging)  # of a process that was killed while it wrote
        staging.mkdir(parents=True)
        write(staging)
        (staging / _STATE_FILE).write_text(json.dumps(state, indent=1))
        for file in staging.iterdir():
            flush(file)
    publish_folder(staging, final)
    for old in _finished(folder)[:-_KEPT]:
        rmtree(old)
    return Checkpoint(folder=final, state=state)


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """Give the checkpoint to go on from; None where there is none."""
    finished = _finished(folder)
    if not finished:
        return None
    return Checkpoint(folder=finished[-1], state=json.loads((finished[-1] / _STATE_FILE).read_text()))


def _finished(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(each for each in folder.iterdir() if each.is_dir() and each.name.isdigit())
