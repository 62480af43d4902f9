"""Trains an encoder of a task's own: from each camera's picture, how long a demonstration still takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from robo_reward.episodes.source import EpisodeSource
from robo_reward.errors import DataSetError
from robo_reward.perception.trained_convolution import DIM, Convolution, own_transform
from robo_reward.training.time_left import time_left

MOST_PICTURES = 40_000
"""Of all demonstrations and cameras together that are learnt from, evenly thinned: 0.9 GB at 84 px."""
_FRAMES_AT_ONCE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFit:
    """How an encoder is trained.

    Raises:
        ValueError: A setting outside its range.
    """

    steps: int = 3000
    """Optimiser steps."""
    batch_size: int = 64
    """Pictures in a step."""
    learning_rate: float = 1e-3
    """Largest; it rises to it and falls to nothing."""
    shift: int = 4
    """Pixels by which pictures are moved at random, at most, so that no single one is learnt by heart."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size) < 1 or self.learning_rate <= 0 or self.shift < 0:
            raise ValueError(
                "steps and batch_size must be >= 1, learning_rate > 0 and shift >= 0, got "
                f"{self.steps}, {self.batch_size}, {self.learning_rate:g} and {self.shift}"
            )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class EncoderLessons:
    """Pictures with the camera that took them and the time that was left."""

    pictures: UInt8[Tensor, "picture 3 size size"]
    camera: Int64[Tensor, " picture"]
    target: Float32[Tensor, " picture"]
    """1 at the end of a demonstration, 0 where nine in ten of them begin."""


def encoder_lessons(
    source: EpisodeSource, *, image_size: int, unknown_success: bool | None, on_frames: Callable[[int], None]
) -> EncoderLessons:
    """Read the successful episodes of a data set as an encoder of this size sees them.

    Args:
        source: Where they are.
        image_size: Height and width that pictures are made to have [px].
        unknown_success: What counts for an episode of which nobody said whether it succeeded.
        on_frames: Told of frames as they are read.

    Raises:
        DataSetError: No successful episode that lasts longer than a frame.
    """
    chosen = [
        each for each in source.episodes if (unknown_success if each.success is None else bool(each.success.any()))
    ]
    if not any(each.num_frames > 1 for each in chosen):
        raise DataSetError(f"{source.description} has no successful episode: there is nothing to train an encoder on")
    transform = own_transform(image_size)
    cameras = sorted({camera for each in chosen for camera in each.cameras})
    total = sum(each.num_frames * len(each.cameras) for each in chosen)
    every = -(-total // MOST_PICTURES)
    targets = time_left([each.stamp for each in chosen])
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for episode, target in zip(chosen, targets, strict=True):
        start = 0
        for clip in source.clips(episode, num_frames=_FRAMES_AT_ONCE):
            frames = clip.stamp.shape[1]
            for number, camera in enumerate(clip.cameras):
                kept = torch.arange(frames)[clip.present[0, :, number] & ((torch.arange(frames) + start) % every == 0)]
                pictures = transform.prepare(clip.views[camera][0, kept])
                parts.append((pictures, torch.full((len(kept),), cameras.index(camera)), target[start + kept]))
            start += frames
            on_frames(frames)
    pictures, camera, target = (torch.cat(each) for each in zip(*parts, strict=True))
    return EncoderLessons(pictures=pictures, camera=camera, target=target)


def fit_encoder(
    lessons: EncoderLessons, settings: EncoderFit, *, on_step: Callable[[int, float], None]
) -> Mapping[str, Tensor]:
    """Train a `Convolution` to tell from each camera's picture how long is left; give its weights.

    A linear head of each camera's own reads the embedding, and is thrown away. The same seed gives the same weights
    with the same number of threads.

    Args:
        lessons: From `encoder_lessons`.
        settings: How.
        on_step: Told of each step, from 1, and its mean square error.
    """
    transform = own_transform(lessons.pictures.shape[-1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = Convolution(lessons.pictures.shape[-1])
        heads = nn.Linear(DIM, int(lessons.camera.max()) + 1)
        optimiser = torch.optim.AdamW([*network.parameters(), *heads.parameters()], weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, settings.learning_rate, total_steps=max(2, settings.steps)
        )
        for step in range(1, settings.steps + 1):
            chosen = torch.randint(len(lessons.target), (settings.batch_size,))
            pictures = transform.normalise(_shifted(lessons.pictures[chosen], settings.shift))
            opinions = heads(network(pictures).flatten(1)).sigmoid()
            own = opinions.gather(1, lessons.camera[chosen, None])[:, 0]
            loss = functional.mse_loss(own, lessons.target[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            on_step(step, float(loss.detach()))
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _shifted(pictures: UInt8[Tensor, "batch 3 size size"], most: int) -> UInt8[Tensor, "batch 3 size size"]:
    """Move all pictures of a batch by the same random number of pixels; edges are repeated."""
    if most == 0:
        return pictures
    down, right = (int(each) for each in torch.randint(-most, most + 1, (2,)))
    size = pictures.shape[-1]
    rows, columns = ((torch.arange(size) + by).clamp(0, size - 1) for by in (down, right))
    return pictures[:, :, rows][:, :, :, columns]
