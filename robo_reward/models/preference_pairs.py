"""Pairs of frames and which of the two is nearer to the goal: who said so, how they are kept, where they come from."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from robo_reward.errors import DataSetError
from robo_reward.perception.fitting import LabelledClip

Label = Literal[0, 1] | None
LATE = 0.7
"""Fraction of time from which a success counts as nearer to the goal than a failure: before, both may look alike."""
AGAINST_FAILURES = 0.25
"""Part of the pairs that compare a success with a failure, where there are failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReference:
    """A frame of a data set.

    Raises:
        ValueError: A negative number.
    """

    episode: int
    """Number of the episode, from 0."""
    frame: int
    """Number of the frame in it, from 0."""

    def __post_init__(self) -> None:
        if self.episode < 0 or self.frame < 0:
            raise ValueError(f"episode and frame must be >= 0, got {self.episode} and {self.frame}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair:
    """Two frames, and in which of them the goal is better achieved.

    Raises:
        ValueError: A label that is not 0, 1 or None.
    """

    first: FrameReference
    second: FrameReference
    label: Label
    """0 = in the first, 1 = in the second, None = unsure or no difference."""

    def __post_init__(self) -> None:
        if self.label is not None and (isinstance(self.label, bool) or self.label not in (0, 1)):
            raise ValueError(f"label must be 0, 1 or null, got {self.label!r}")


def write_pairs(path: str | Path, pairs: Sequence[PreferencePair]) -> None:
    """Write pairs as JSON lines for a person to label or a model to learn from.

    One line each: `{"first": {"episode": 0, "frame": 3}, "second": {"episode": 0, "frame": 9}, "label": 1}`.
    """
    lines = [json.dumps(asdict(pair)) for pair in pairs]
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_pairs(path: str | Path) -> list[PreferencePair]:
    """Read pairs from JSON lines; empty lines are skipped.

    Raises:
        DataSetError: A line that is not such a pair, by its number.
        FileNotFoundError: No such file.
    """
    found = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                found.append(_pair(json.loads(line)))
            except (ValueError, TypeError, KeyError) as error:
                raise DataSetError(
                    f"{path}, line {number}: expected "
                    '{"first": {"episode": 0, "frame": 3}, "second": {"episode": 0, "frame": 9}, "label": 0, 1 or null}'
                    f", got {line.strip()[:200]!r} ({error})"
                ) from error
    return found


def pairs_from_time(clips: Sequence[LabelledClip], *, number: int, margin: float, seed: int) -> list[PreferencePair]:
    """Draw pairs whose label the episodes themselves tell.

    Within and across successes the frame of greater progress (labelled, or the fraction of time passed) is better, if
    it is greater by `margin`. Where there are failures, a late frame of a success is better than the frame of a
    failure at the same fraction of time. First and second are in random order.

    Args:
        clips: Episode numbers of the pairs are places in this list.
        number: Of pairs, ≥ 1.
        margin: Least difference of progress, in (0, 1).
        seed: The same seed gives the same pairs.

    Raises:
        ValueError: No success, no two frames that differ by the margin, arguments outside their ranges.
    """
    if number < 1 or not 0 < margin < 1:
        raise ValueError(f"number must be >= 1 and margin in (0, 1), got {number} and {margin:g}")
    frames = [
        (float(value), FrameReference(episode=episode, frame=frame))
        for episode, clip in enumerate(clips)
        if clip.success
        for frame, value in enumerate(clip.target.tolist())
        if not math.isnan(value)
    ]
    values = torch.tensor([value for value, _ in frames], dtype=torch.float64)
    if len(frames) < 2 or float(values.max() - values.min()) < margin:
        raise ValueError(
            f"no two frames of successful episodes differ in progress by {margin:g}; give a demonstration of the task"
        )
    generator = torch.Generator().manual_seed(seed)
    failures = [episode for episode, clip in enumerate(clips) if clip.success is False]
    against = round(AGAINST_FAILURES * number) if failures else 0
    worse_better = _by_progress(frames, values, number - against, margin, generator)
    worse_better += _against_failures(clips, failures, against, generator)
    turned = torch.rand(len(worse_better), generator=generator) < 0.5
    return [
        PreferencePair(first=better, second=worse, label=0)
        if turn
        else PreferencePair(first=worse, second=better, label=1)
        for (worse, better), turn in zip(worse_better, turned.tolist(), strict=True)
    ]


_WorseBetter = list[tuple[FrameReference, FrameReference]]


def _by_progress(
    frames: Sequence[tuple[float, FrameReference]],
    values: Tensor,
    number: int,
    margin: float,
    generator: torch.Generator,
) -> _WorseBetter:
    found: _WorseBetter = []
    while len(found) < number:
        one, other = torch.randint(len(frames), (2, max(64, 2 * number)), generator=generator)
        apart = (values[other] - values[one]) >= margin
        found += [(frames[a][1], frames[b][1]) for a, b in zip(one[apart].tolist(), other[apart].tolist(), strict=True)]
    return found[:number]


def _against_failures(
    clips: Sequence[LabelledClip], failures: Sequence[int], number: int, generator: torch.Generator
) -> _WorseBetter:
    successes = [episode for episode, clip in enumerate(clips) if clip.success]
    found: _WorseBetter = []
    for _ in range(number):
        moment = LATE + (1 - LATE) * float(torch.rand(1, generator=generator))
        pair = []
        for episodes in (failures, successes):
            episode = episodes[int(torch.randint(len(episodes), (1,), generator=generator))]
            pair.append(FrameReference(episode=episode, frame=round(moment * (clips[episode].num_frames - 1))))
        found.append((pair[0], pair[1]))
    return found


def _pair(found: dict[str, dict[str, int] | Label]) -> PreferencePair:
    if set(found) != {"first", "second", "label"}:
        raise ValueError(f"keys must be first, second and label, got {sorted(found)}")
    first, second, label = found["first"], found["second"], found["label"]
    if not (isinstance(first, dict) and isinstance(second, dict)) or isinstance(label, dict):
        raise ValueError("first and second must each hold an episode and a frame")
    return PreferencePair(first=_reference(first), second=_reference(second), label=label)


def _reference(found: dict[str, int]) -> FrameReference:
    if set(found) != {"episode", "frame"} or any(type(number) is not int for number in found.values()):
        raise ValueError(f"a frame is an episode and a frame number, got {found}")
    return FrameReference(**found)
