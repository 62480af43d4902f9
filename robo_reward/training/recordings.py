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
from robo_reward.training.time_left import time_left


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
    """Label successes by how long they still take, where demonstrations begin anywhere; see `time_left`.

    Args:
        clips: Of one task; those that are no success keep what they have.

    Raises:
        ValueError: A success that has labels already, or no success that lasts longer than a frame.
    """
    told = [number for number, each in enumerate(clips) if each.success and each.progress is not None]
    if told:
        raise ValueError(f"episodes {told} have labels of progress already: time left would replace them")
    labels = iter(time_left([each.clip.stamp[0] for each in clips if each.success]))
    return [replace(each, progress=next(labels)) if each.success else each for each in clips]


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
