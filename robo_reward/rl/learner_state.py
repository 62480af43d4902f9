"""Everything of a learner that changes, as tensors and arrays: what a checkpoint holds. No pickled code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer

from robo_reward.errors import RoboRewardError

COUNTERS = ("num_timesteps", "_n_updates", "_n_calls", "_episode_num", "exploration_rate")
"""Of Stable-Baselines3's algorithms; each has some of them."""

_BUFFER_FILE, _LEARNER_FILE = "buffer.npz", "learner.pt"


class CheckpointError(RoboRewardError):
    """A checkpoint does not fit the training that would resume from it; says what differs."""


def write_learner(algorithm: BaseAlgorithm, folder: Path) -> None:
    """Write networks, optimisers, counters and, where there is one, the replay buffer into a folder."""
    _, variables = algorithm._get_torch_save_params()
    state = {
        "parameters": algorithm.get_parameters(),
        "variables": {name: getattr(algorithm, name).detach() for name in variables},
        "counters": {name: getattr(algorithm, name) for name in COUNTERS if hasattr(algorithm, name)},
    }
    torch.save(state, folder / _LEARNER_FILE)
    buffer = getattr(algorithm, "replay_buffer", None)
    if buffer is not None:
        np.savez(folder / _BUFFER_FILE, allow_pickle=False, **_arrays_of(buffer))


def read_learner(algorithm: BaseAlgorithm, folder: Path) -> None:
    """Make an algorithm that was built alike what it was when `write_learner` wrote it.

    Raises:
        CheckpointError: It was not built alike.
    """
    state: Mapping[str, Any] = torch.load(folder / _LEARNER_FILE, weights_only=True, map_location=algorithm.device)
    try:
        algorithm.set_parameters(dict(state["parameters"]), exact_match=True, device=algorithm.device)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{folder} was written by another learner: {error}") from error
    for name, tensor in state["variables"].items():
        with torch.no_grad():
            getattr(algorithm, name).copy_(tensor)
    for name, number in state["counters"].items():
        setattr(algorithm, name, number)
    buffer = getattr(algorithm, "replay_buffer", None)
    if buffer is not None:
        with np.load(folder / _BUFFER_FILE) as arrays:
            _fill(buffer, dict(arrays), folder)


def _arrays_of(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """Give the part of every array that is filled, and where the next transition goes."""
    refresh = getattr(buffer, "refresh", None)
    if refresh is not None:
        refresh()  # frames that wait to be scored would not be there any more
    rows = buffer.buffer_size if buffer.full else buffer.pos
    named = {name: value for name, value in vars(buffer).items() if isinstance(value, np.ndarray)}
    place = {"place": np.array([buffer.pos, int(buffer.full)])}
    version = {"versions": np.array(getattr(buffer, "versions", []), dtype=np.str_)}
    return {name: value[:rows] for name, value in named.items()} | place | version


def _fill(buffer: ReplayBuffer, arrays: dict[str, np.ndarray], folder: Path) -> None:
    place, versions = arrays.pop("place"), arrays.pop("versions")
    for name, value in arrays.items():
        mine = getattr(buffer, name, None)
        if not isinstance(mine, np.ndarray) or mine.shape[1:] != value.shape[1:] or len(value) > len(mine):
            raise CheckpointError(f"{folder}: the replay buffer's '{name}' {value.shape} does not fit this learner")
        mine[: len(value)] = value
    buffer.pos, buffer.full = int(place[0]), bool(place[1])
    for name in ("departures", "arrivals"):  # frame sets of another process: their numbers mean nothing in this one
        if name in arrays:
            getattr(buffer, name)[:] = -1
    if len(versions):
        setattr(buffer, "versions", versions.tolist())  # noqa: B010  only shaped buffers have it
