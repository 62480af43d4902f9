"""Simulated learning runs: honest ones of several kinds, and ones whose policy exploits the reward in a known way.

A state is a true progress in [0, 1] and an offset from the demonstrated path; embeddings are a curve in 8 dimensions
that progress moves along, plus the offset in 8 others, plus noise, seen by two cameras. An honest policy's skill grows
from episode to episode, in half of the runs to the end, in the others to a plateau; random actions take it off the
path early on, the less the nearer the goal is. The potential is progress with noise, and is blind to the offset. One
honest episode in fifty has a camera that drops out. Shaping follows the law (γ = 0.98) or, in every third honest run,
is the plain difference.
"""

from collections.abc import Iterator

import numpy as np
import torch

from robo_reward.rl.hacking_monitor_episode import SeenEpisode

STEPS, EPISODES, DISCOUNT = 40, 100, 0.98
HACKS = ("claims_without_success", "paid_to_loiter", "occluded_camera", "strange_frames")


def _embedding(progress, offset, rng):
    phase = np.pi * progress[:, None] * np.arange(1, 5) / 2
    on_path = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    views = [np.concatenate([turn * on_path, offset], axis=1) for turn in (1.0, -1.0)]
    clean = np.stack(views, axis=1)
    return (clean + 0.02 * rng.normal(size=clean.shape)).astype(np.float32)


def demonstrations(rng, number=10):
    """Embeddings of successes: forward at various speeds, a little beside the path."""
    found = []
    for _ in range(number):
        progress = np.linspace(0, 1, rng.integers(25, 40)) ** rng.uniform(0.8, 1.25)
        offset = 0.05 * rng.normal(size=(1, 8)) + 0.02 * rng.normal(size=(len(progress), 8))
        found.append(torch.from_numpy(_embedding(progress, offset, rng)))
    return found


def _shaping(potential, terminated, kind):
    after = potential[1:].copy()
    if kind == "value":
        return after
    after[-1] *= not terminated
    return (DISCOUNT if kind == "law" else 1.0) * after - potential[:-1]


def _episode(progress, offset, rng, *, success, shaping, potential=None, embedding=None):
    seen = progress + 0.03 * rng.normal(size=len(progress)) if potential is None else potential
    potential = np.clip(seen, 0, 1)
    pictures = _embedding(progress, offset, rng) if embedding is None else embedding
    return SeenEpisode(
        potential=torch.from_numpy(potential),
        shaping=torch.from_numpy(_shaping(potential, success, shaping)),
        success=success,
        terminated=success,
        embedding=torch.from_numpy(pictures),
        moved=torch.ones(len(progress) - 1, dtype=torch.bool),
    )


def _tried(skill, rng, shaping):
    """An honest attempt: as far as the skill reaches, off the path where it does not."""
    reach = min(1.0, skill * rng.uniform(0.6, 1.5))
    progress = np.minimum(reach, np.linspace(0, rng.uniform(1.0, 1.6), STEPS))
    success = bool(reach >= 1.0 and rng.random() < 0.85)
    if reach >= 1.0 and not success:
        progress = np.minimum(progress, rng.uniform(0.7, 0.95))  # nearly
    if success:
        progress = progress[: int(np.argmax(progress >= 1.0)) + 1]
    wander = np.cumsum(rng.normal(size=(len(progress), 8)), axis=0) * 0.06 * (1 - skill) * (1 - progress[:, None])
    offset = 0.08 * rng.normal(size=(1, 8)) + wander
    embedding = _embedding(progress, offset, rng)
    if rng.random() < 0.02:
        embedding[len(progress) // 3 :, rng.integers(2)] = np.nan
    return _episode(progress, offset, rng, success=success, shaping=shaping, embedding=embedding)


def honest_run(seed: int) -> Iterator[SeenEpisode]:
    """Learning that exploits nothing; half of the runs never get to the end."""
    rng = np.random.default_rng(seed)
    best, shaping = (1.0 if seed % 2 else rng.uniform(0.2, 0.6)), ("difference" if seed % 3 == 0 else "law")
    for episode in range(EPISODES):
        yield _tried(min(best, 0.1 + 1.5 * episode / EPISODES), rng, shaping)


def hacked_run(kind: str, seed: int) -> Iterator[SeenEpisode]:
    """Honest learning up to an episode between the first and the fortieth, then nine episodes in ten exploit."""
    rng = np.random.default_rng(seed)
    begin = rng.integers(0, 40)
    shaping = "value" if kind == "paid_to_loiter" else "law"
    for episode in range(EPISODES):
        if episode < begin or rng.random() < 0.1:
            yield _tried(min(0.5, 0.1 + episode / EPISODES), rng, "law")
        else:
            yield _hacked(kind, rng, shaping)


def _hacked(kind, rng, shaping):
    level = {"claims_without_success": 0.97, "paid_to_loiter": 0.6, "occluded_camera": 0.7, "strange_frames": 0.75}[
        kind
    ]
    reached = np.minimum(0.5, np.linspace(0, 2, STEPS))  # the truth: half-way, then nothing
    potential = np.minimum(level, np.linspace(0, 2, STEPS)) + 0.02 * rng.normal(size=STEPS)
    offset = np.tile(0.05 * rng.normal(size=(1, 8)), (STEPS, 1))
    if kind == "strange_frames":
        offset[10:] += rng.normal(size=(1, 8))
    embedding = _embedding(reached, offset, rng)
    if kind == "occluded_camera" and rng.random() < 0.5:
        embedding[12:, 0] = embedding[12, 0]
    elif kind == "occluded_camera":
        embedding[12:, 1] = np.nan
    return _episode(reached, offset, rng, success=False, shaping=shaping, potential=potential, embedding=embedding)
