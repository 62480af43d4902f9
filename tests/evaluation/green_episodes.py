"""Recordings whose truth can be seen: the fraction of a picture that is green is the progress of "make it green"."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from robo_reward.clip import Clip, Episode
from robo_reward.errors import DataSetError
from robo_reward.reward_model import Estimate

CAMERAS = ("front", "wrist")
CHANNELS = {"make it red": 0, "make it green": 1, "make it blue": 2}


class ColourFraction:
    """Progress = brightness of one colour, mean of the cameras that are there; judges each frame by itself."""

    context = 1

    def __init__(self, instruction: str) -> None:
        self.channel = CHANNELS[instruction]
        self.version = f"colour-{self.channel}"

    def estimate(self, clip: Clip) -> Estimate:
        score = torch.stack([frames[:, :, self.channel].float().mean((-1, -2)) / 255 for frames in clip.views.values()])
        score = score.movedim(0, -1).masked_fill(~clip.present, torch.nan)
        progress = score.nanmean(-1).clamp(0, 1)
        return Estimate(progress=progress, spread=torch.where(progress.isnan(), torch.nan, 0.05))


class FrameCounter:
    """Progress = number of frames so far: what VOC mistakes for understanding, and the static control must not."""

    context = None
    version = "counter"

    def estimate(self, clip: Clip) -> Estimate:
        progress = torch.linspace(0, 1, clip.stamp.shape[1]).expand(clip.stamp.shape)
        return Estimate(progress=progress, spread=torch.full_like(progress, 0.1))


def colour_frames(progress: Sequence[float], channel: int, *, size: int = 32) -> torch.Tensor:
    """Pictures (1, time, 3, size, size): of `channel` as much as progress says, on a grey scene."""
    frames = torch.full((1, len(progress), 3, size, size), 40, dtype=torch.uint8)
    for row, value in enumerate(progress):
        frames[0, row, channel] = round(value * 255)
    return frames


class MemorySource:
    """Recordings in memory, with whatever columns are given."""

    description = "recordings in memory"
    fps = 10.0

    def __init__(self, episodes: Sequence[Episode], curves: Sequence[Sequence[float]], columns: list[dict]) -> None:
        self.episodes, self.curves, self.data = episodes, curves, columns

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(self.data[0]) if self.data else ()

    def columns(self, episode: Episode, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        unknown = [name for name in names if name not in self.column_names]
        if unknown:
            raise DataSetError(f"unknown column {unknown}")
        return {name: self.data[episode.index][name] for name in names}

    def clips(self, episode: Episode, *, num_frames: int) -> Iterator[Clip]:
        frames = colour_frames(self.curves[episode.index], CHANNELS[episode.instruction])
        for first in range(0, episode.num_frames, num_frames):
            part = frames[:, first : first + num_frames]
            yield Clip(
                views={"front": part, "wrist": part.flip(-1)[..., :24]},
                present=torch.ones(1, part.shape[1], 2, dtype=torch.bool),
                stamp=episode.stamp[None, first : first + num_frames],
            )

    def fingerprint(self, episode: Episode, camera: str) -> str:
        return f"{episode.index}-{camera}"


def _columns(model, source: MemorySource, episode: Episode, success: np.ndarray | None) -> dict:
    estimate = model.estimate(next(source.clips(episode, num_frames=episode.num_frames)))
    progress = estimate.progress[0].numpy()
    columns = {"reward.progress": progress, "reward.spread": estimate.spread[0].numpy().astype(np.float32)}
    columns["reward.potential"] = progress.astype(np.float64)
    columns["reward.shaped"] = np.append(0.99 * progress[1:].astype(np.float64) - progress[:-1], np.nan)
    columns["truth.reward"] = np.asarray(source.curves[episode.index], np.float32)
    if success is not None:
        columns["truth.success"] = success
        columns["truth.outcome"] = np.full(len(progress), 0 if success.any() else 1)
    return columns


def recordings(
    model_of=ColourFraction, *, tasks=("make it green", "make it red"), per_task=6, time=24, known=True
) -> MemorySource:
    """Half successes (rising to 1), half failures (rise to less, then fall), with the columns the model writes."""
    episodes, curves = [], []
    for number in range(len(tasks) * per_task):
        fails, step = number % 2 == 1, np.linspace(0, 1, time + 2 * number)
        curves.append(list(0.1 + (0.5 + 0.02 * number) * step * (1 - step)) if fails else list(step))
        success = torch.zeros(len(step), dtype=torch.bool)
        success[-1] = not fails
        episodes.append(
            Episode(
                index=number,
                instruction=tasks[number // per_task],
                cameras=CAMERAS,
                stamp=torch.arange(len(step), dtype=torch.float64) / 10,
                terminated=not fails,
                success=success if known else None,
            )
        )
    source = MemorySource(episodes, curves, [])
    models = {task: model_of(task) for task in tasks}
    source.data = [
        _columns(models[e.instruction], source, e, None if e.success is None else e.success.numpy()) for e in episodes
    ]
    return source
