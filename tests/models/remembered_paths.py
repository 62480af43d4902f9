"""Demonstrations that take one way through 300 dimensions, and a model that remembers them."""

import math

import torch
from fake_encoder import FakeEncoder

from robo_reward.models.trajectory_match import TrajectoryMatch
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.perception.fitting import LabelledClip

SETTINGS = {"directions": 8, "positions": 60, "context": 6, "quantile": 0.99}
DIM = 300


def clip_of(embedding, cameras=("front",)):
    return EmbeddedClip(
        embedding=embedding.float()[None],
        cameras=cameras,
        stamp=torch.arange(len(embedding), dtype=torch.float64)[None],
    )


def path(num_frames, seed, *, views=1, noise=0.2, reach=1.0):
    """A smooth way through 300 dimensions that every demonstration takes; home looks almost the same at its ends."""
    generator = torch.Generator().manual_seed(11)
    way = torch.randn(4, views, DIM, generator=generator)
    done = torch.linspace(0, reach, num_frames)[:, None, None]
    angle = 2 * math.pi * done
    clean = angle.cos() * way[0] + angle.sin() * way[1] + (2 * angle).sin() * way[2] + 0.15 * done * way[3]
    return clean + noise * torch.randn(num_frames, views, DIM, generator=torch.Generator().manual_seed(seed))


def demonstrations(lengths=(60, 80, 50), *, views=1, success=True):
    cameras = ("front", "wrist")[:views]
    return [
        LabelledClip(clip=clip_of(path(length, seed, views=views), cameras), success=success)
        for seed, length in enumerate(lengths)
    ]


def model(**changes):
    return TrajectoryMatch(FakeEncoder(dim=DIM), **(SETTINGS | changes))


def fitted(clips=None, **changes):
    return model(**changes).fitted_to(demonstrations() if clips is None else clips)
