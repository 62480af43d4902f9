"""From settings to what bags hold: every bag gone through once, checked against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robo_reward.clip import Episode
from robo_reward.episodes.bag_file import BagFile, bags_at
from robo_reward.episodes.bag_index import BagIndex, RecordedEpisode, described, index_bag
from robo_reward.episodes.bag_topics import CAMERA_PREFIX, BagTopics
from robo_reward.errors import DataSetError
from robo_reward.frame_sets import Drop, FrameSets
from robo_reward.stamps import episode_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BagSettings:
    """How frames make sets: the settings of the robot's node."""

    optional: Sequence[str]
    """Cameras without which a set is complete."""
    tolerance: float
    """Largest time between the pictures of a set [s]."""
    max_age: float | None
    """Pictures older than this when they were received are dropped [s]; None = ages are not judged."""
    max_future: float
    """Pictures stamped later than they were received by more are dropped [s], where ages are judged."""
    state_max_age: float
    """States older than this are unknown [s]."""


def bags_of(path: str | Path | Sequence[str | Path]) -> list[BagFile]:
    """Open the bags at one or several paths.

    Raises:
        DataSetError: No path, no bag, or a damaged one.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    if not paths:
        raise DataSetError("no bag is named; name a bag, a folder of bags, or a list of bags")
    return [BagFile(bag) for given in paths for bag in bags_at(Path(given))]


def index_bags(bags: Sequence[BagFile], topics: BagTopics, settings: BagSettings) -> list[BagIndex]:
    """Go through the bags one after the other.

    Raises:
        DataSetError: A bag that has no episode, or cameras of another size than the one before.
        ValueError: Settings that make no sense.
    """
    optional = [CAMERA_PREFIX + name.removeprefix(CAMERA_PREFIX) for name in settings.optional]
    indices: list[BagIndex] = []
    for bag in bags:
        frames = FrameSets(
            tuple(topics.cameras),
            settings.tolerance,
            optional=optional,
            max_age=settings.max_age,
            max_future=settings.max_future,
        )
        judge_age = settings.max_age is not None
        index = index_bag(bag, topics, frames, state_max_age=settings.state_max_age, judge_age=judge_age)
        if not index.episodes:
            raise DataSetError(
                f"{bag.path}: no set of frames within {settings.tolerance:g} s of each other: "
                f"{'; '.join(described(index))}{_clock_hint(index)}"
            )
        _check_alike(bag, index, indices)
        indices.append(index)
    return indices


def selected(indices: Sequence[BagIndex], numbers: Sequence[int] | None) -> dict[int, RecordedEpisode]:
    """Number the episodes of all bags from 0, and take those of some numbers.

    Raises:
        DataSetError: A number that no episode has, or none at all.
    """
    found = [episode for index in indices for episode in index.episodes]
    chosen = list(range(len(found))) if numbers is None else sorted(set(numbers))
    unknown = [number for number in chosen if not 0 <= number < len(found)]
    if unknown or not chosen:
        raise DataSetError(f"no episode {unknown}; allowed: 0 to {len(found) - 1}, at least one")
    return {number: found[number] for number in chosen}


def episode_of(number: int, recorded: RecordedEpisode, *, cameras: tuple[str, ...], instruction: str | None) -> Episode:
    """Give the facts about an episode.

    Raises:
        DataSetError: Nobody says the task.
    """
    text = recorded.instruction if instruction is None else instruction
    if not text:
        raise DataSetError(
            f"{recorded.bag.path}: nobody said the task of episode {number} on the topic of instructions; "
            "say it with instruction=TEXT"
        )
    start_ns = recorded.sets[0].frames.stamp_ns
    stamp = [episode_seconds(one.frames.stamp_ns, start_ns=start_ns) for one in recorded.sets]
    success = None
    if recorded.said_success is not None:
        success = torch.tensor([*(one.success for one in recorded.sets[1:]), recorded.said_success])
    return Episode(
        index=number,
        instruction=text,
        cameras=cameras,
        stamp=torch.tensor(stamp, dtype=torch.float64),
        terminated=bool(recorded.said_success),
        success=success,
    )


def nominal_rate(episodes: Sequence[Episode]) -> float:
    """Give sets per second [1/s]: the inverse of the median step, a whole number where it is within 2 % of one.

    Raises:
        DataSetError: No episode has two sets.
    """
    steps = np.concatenate([episode.stamp.diff().numpy() for episode in episodes])
    if not len(steps):
        raise DataSetError("no episode has more than one set of frames; name its rate with fps=")
    rate = float(1 / np.median(steps))
    return float(round(rate)) if round(rate) and abs(rate / round(rate) - 1) < 0.02 else rate


def _clock_hint(index: BagIndex) -> str:
    """Say what helps where the clocks of cameras and recorder differ."""
    by_age = sum(lost.get(why, 0) for lost in index.frames.dropped.values() for why in (Drop.TOO_OLD, Drop.FUTURE))
    hint = "; max_age=null does not judge ages: right where cameras and recorder have different clocks"
    return hint if by_age else ""


def _check_alike(bag: BagFile, index: BagIndex, before: Sequence[BagIndex]) -> None:
    for what, found, first in (
        ("cameras of (height, width)", index.sizes, before[0].sizes if before else index.sizes),
        ("states of size", index.state_sizes, before[0].state_sizes if before else index.state_sizes),
    ):
        if _differs(found, first):
            raise DataSetError(f"{bag.path} has {what} {dict(found)}, the first bag {dict(first)}; they must be equal")


def _differs(found: Mapping[str, Any], first: Mapping[str, Any]) -> bool:
    # an optional camera may be silent throughout a bag
    return any(found[name] != first[name] for name in found if name in first)
