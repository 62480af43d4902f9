"""Recorded episodes as what a model learns from: embedded, with what is known of success and progress."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from robo_reward.clip import Episode
from robo_reward.episodes.source import EpisodeSource
from robo_reward.errors import DataSetError
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.perception.fitting import LabelledClip

NOT_EXCEEDED = 0.9
"""Share of demonstrations that are no longer than the time that counts as the whole task."""


def labelled_clips(
    source: EpisodeSource,
    embedded: Iterable[tuple[Episode, EmbeddedClip]],
    *,
    steps_column: str | None,
    unknown_success: bool | None,
) -> Iterator[LabelledClip]:
    """Put the labels beside episodes as they are embedded.

    Args:
        source: Where they are.
        embedded: Its episodes, with what the encoder saw.
        steps_column: Per-frame number of the step of the task, from 0, −1 where none is; None = no such labels.
        unknown_success: What counts for an episode of which nobody said whether it succeeded.

    Raises:
        DataSetError: A column that is not there, or steps that go backwards.
    """
    for episode, clip in embedded:
        said = None if episode.success is None else bool(episode.success.any())
        progress = None
        if steps_column is not None:
            progress = progress_of_steps(source.columns(episode, [steps_column])[steps_column], episode=episode.index)
        yield LabelledClip(clip=clip, success=unknown_success if said is None else said, progress=progress)


def labelled_by_time_left(clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Label successes by how long they still take, where demonstrations begin anywhere and so differ in length.

        progress(t) = max(0, 1 − (T − t) / T₉₀)

    with T [s] an episode's last stamp and T₉₀ the duration that nine in ten successes do not exceed: one that dawdled
    does not set the scale. By the fraction of its own time a
    demonstration that begins a hand's breadth from the goal would begin at 0. This is a distance in time to the goal:
    the same state gets the same label whichever way led to it, as far as its demonstrator was equally quick.

    Args:
        clips: Of one task; those that are no success keep what they have.

    Raises:
        ValueError: A success that has labels already, or no success that lasts longer than a frame.

    Source:
        Hartikainen et al. 2020 (Dynamical distance learning, 1907.08225), section 3: expected steps to the goal.
    """
    told = [number for number, each in enumerate(clips) if each.success and each.progress is not None]
    if told:
        raise ValueError(f"episodes {told} have labels of progress already: time left would replace them")
    durations = [float(each.clip.stamp[0, -1] - each.clip.stamp[0, 0]) for each in clips if each.success]
    if not durations or max(durations) == 0:
        raise ValueError("no success that lasts longer than a frame: there is no time left to label by")
    scale = float(np.quantile(durations, NOT_EXCEEDED, method="higher"))
    return [replace(each, progress=_time_left(each, scale=scale)) if each.success else each for each in clips]


def _time_left(clip: LabelledClip, *, scale: float) -> Float32[Tensor, " time"]:
    stamp = clip.clip.stamp[0]
    return (1 - (stamp[-1] - stamp) / scale).float().clamp(0, 1)


def progress_of_steps(step: np.ndarray, *, episode: int) -> Float32[Tensor, " time"]:
    """Turn step numbers into progress: every step is an equal share of the task, linear inside.

    Frames before the first step count as 0, frames after the last as 1, and frames of −1 between two as where the
    step before them ended.

    Args:
        step: Number of the step that each frame belongs to, from 0; −1 = none.
        episode: For messages.

    Raises:
        DataSetError: No step, or numbers that go backwards.

    Source:
        Tan et al. 2025 (Robo-Dopamine, 2512.23703): key frames split an episode into steps of equal worth.

    Example:
        >>> import numpy as np
        >>> progress_of_steps(np.array([-1, 0, 0, 1, 1, -1]), episode=0)
        tensor([0.0000, 0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    known = step[step >= 0]
    if len(known) == 0 or bool((np.diff(known) < 0).any()):
        raise DataSetError(f"episode {episode}: step numbers must not go backwards, and some must be >= 0; got {step}")
    count = int(known.max()) + 1
    time = np.arange(len(step))
    progress = np.zeros(len(step))
    for number in np.unique(known):
        first, last = np.flatnonzero(step == number)[[0, -1]]
        within = np.clip((time - first) / (last + 1 - first), 0, 1)
        progress = np.where(time >= first, (number + within) / count, progress)
    return torch.from_numpy(progress).float()
