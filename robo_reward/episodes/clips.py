"""Puts decoded pictures of several cameras together as clips, all cameras in step."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip, Episode


def clips_in_step(
    episode: Episode,
    chunks: Mapping[str, Iterator[np.ndarray]],
    *,
    num_frames: int,
    state: Mapping[str, Float64[Tensor, "time _size"]] | None = None,
) -> Iterator[Clip]:
    """Clips of at most `num_frames` frames, each camera's chunks `(time, height, width, 3)` being of that length.

    Args:
        episode: Whose frames they are.
        chunks: Pictures of each camera.
        num_frames: Length of the chunks.
        state: What the robot felt at each frame of the whole episode; None = nothing.

    Raises:
        ValueError: `num_frames` is not positive.
    """
    if num_frames < 1:
        raise ValueError(f"num_frames must be at least 1, got {num_frames}")
    for first in range(0, episode.num_frames, num_frames):
        stamp = episode.stamp[first : first + num_frames]
        # seen as (1, time, 3, height, width) without a copy: the channels stay last in memory
        views = {name: torch.from_numpy(next(frames)).permute(0, 3, 1, 2)[None] for name, frames in chunks.items()}
        present = torch.ones(1, len(stamp), len(views), dtype=torch.bool)
        felt = {name: numbers[None, first : first + num_frames] for name, numbers in (state or {}).items()}
        yield Clip(views=views, present=present, stamp=stamp[None], state=felt)
