"""Small LeRobot data sets for tests: coloured squares that move, written by our own writer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter

FRONT = "observation.images.front"
WRIST = "observation.images.wrist"
FPS = 10.0


def moving_square(num_frames: int, *, size: tuple[int, int] = (48, 64), seed: int = 0) -> np.ndarray[Any, Any]:
    """RGB frames `(time, 3, height, width)` of a coloured square that crosses a background; no two frames are alike."""
    rng = np.random.default_rng(seed)
    height, width = size
    background, colour = rng.integers(30, 110, 3), rng.integers(140, 250, 3)
    frames = np.empty((num_frames, 3, height, width), np.uint8)
    frames[:] = background[None, :, None, None]
    side = height // 4
    for t in range(num_frames):
        left = round((width - side) * t / max(num_frames - 1, 1))
        frames[t, :, side : 2 * side, left : left + side] = colour[:, None, None]
        frames[t, :, -4:, : 1 + t * (width - 1) // max(num_frames - 1, 1)] = 255
    return frames


def features(
    cameras: Sequence[str] = (FRONT, WRIST), *, size: tuple[int, int] = (48, 64), **extra: Feature
) -> dict[str, Feature]:
    """Cameras, a state of 3, an action of 2, and whatever more is asked for."""
    return {
        **{name: Feature(dtype="video", shape=(*size, 3)) for name in cameras},
        "observation.state": Feature(dtype="float32", shape=(3,), names=["x", "y", "z"]),
        "action": Feature(dtype="float32", shape=(2,)),
        **{name.replace("__", "."): feature for name, feature in extra.items()},
    }


def columns(num_frames: int, *, seed: int = 0, **extra: np.ndarray[Any, Any]) -> Mapping[str, np.ndarray[Any, Any]]:
    """State and action of one episode, and whatever more is asked for (`next__success` is `next.success`)."""
    rng = np.random.default_rng(seed)
    return {
        "observation.state": rng.normal(size=(num_frames, 3)).astype(np.float32),
        "action": rng.normal(size=(num_frames, 2)).astype(np.float32),
        **{name.replace("__", "."): values for name, values in extra.items()},
    }


def write_data_set(
    folder: Path,
    lengths: Sequence[int] = (12, 7, 9),
    *,
    cameras: Sequence[str] = (FRONT, WRIST),
    instructions: Sequence[str] = ("push the square", "pull the square"),
    success: Mapping[int, bool] | None = None,
) -> Path:
    """Write episodes of given lengths; instructions alternate.

    With `success` (episode to outcome) the columns next.success, next.terminated and next.truncated are there, and a
    successful episode terminates in its last row.
    """
    flags = {} if success is None else dict.fromkeys(("success", "terminated", "truncated"), Feature(dtype="bool"))
    declared = features(cameras, **{f"next__{name}": feature for name, feature in flags.items()})
    with LeRobotWriter(folder, declared, fps=FPS, robot_type="square") as writer:
        for index, length in enumerate(lengths):
            views = {name: moving_square(length, seed=10 * index + k) for k, name in enumerate(cameras)}
            last = np.arange(length) == length - 1
            reached = last & bool((success or {}).get(index, False))
            ends = {"success": reached, "terminated": reached, "truncated": last & ~reached}
            extra = {f"next__{name}": ends[name] for name in flags}
            writer.add_episode(
                instructions[index % len(instructions)], views=views, columns=columns(length, seed=index, **extra)
            )
    return folder
