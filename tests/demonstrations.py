"""Recordings whose pictures turn from red to green as the task is done, and a process reward small enough to test."""

import torch
from fake_encoder import FakeEncoder

from robo_reward import Clip
from robo_reward.models.process import ProcessReward
from robo_reward.perception.encoder import embed_clip
from robo_reward.perception.fitting import LabelledClip

ENCODER = FakeEncoder()
SMALL_FIT = {"members": 2, "width": 16, "components": 6, "steps": 100, "patience": 6, "num_steps": None, "seed": 0}


def to_green(*shares: float, seed: int = 0, noise: int = 6, rate: float = 10.0) -> Clip:
    """One episode of two cameras, each frame as green as told, with noise of its own."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.tensor(shares)[:, None, None, None]
    colour = torch.cat([220 * (1 - share), 220 * share, torch.full_like(share, 40)], dim=1)
    views = {}
    for view, camera in enumerate(("front", "wrist")):
        grain = torch.randint(0, noise + 1, (len(shares), 3, 12 + view, 10), generator=generator)
        views[camera] = (colour * (1 - 0.2 * view) + grain).clamp(0, 255).byte()[None]
    stamp = torch.arange(len(shares), dtype=torch.float64)[None] / rate
    return Clip(views=views, present=torch.ones(1, len(shares), 2, dtype=torch.bool), stamp=stamp)


def demonstration(time: int = 30, *, reach: float = 1.0, success: bool | None = True, seed: int = 0) -> LabelledClip:
    clip = to_green(*torch.linspace(0, reach, time).tolist(), seed=seed)
    return LabelledClip(clip=embed_clip(ENCODER, clip), success=success)


def small_process(**changes) -> ProcessReward:
    fit = SMALL_FIT | changes.pop("fit", {})
    return ProcessReward(ENCODER, **({"instruction": "make it green", "fit": fit} | changes))
