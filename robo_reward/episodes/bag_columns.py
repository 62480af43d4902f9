"""Numbers of an episode of a bag, as columns of a data set."""

from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Float64

from robo_reward.clip import Episode
from robo_reward.episodes.bag_index import RecordedEpisode
from robo_reward.episodes.bag_topics import CAMERA_PREFIX
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_rows import SENSED

STAMP = "stamp_ns"
"""Column: when the oldest picture of the set was taken, by the header's clock [ns]; joins a data set to its bag."""


def column_features(sizes: Mapping[str, int], optional: Collection[str]) -> dict[str, Feature]:
    """Declare the columns: a state each, the stamp, and whether each optional camera gave a picture."""
    states = {SENSED + name: Feature(dtype="float64", shape=(size,)) for name, size in sizes.items()}
    present = {_present(camera): Feature(dtype="bool") for camera in optional}
    return {**states, STAMP: Feature(dtype="int64"), **present}


def recorded_columns(
    recorded: RecordedEpisode, sizes: Mapping[str, int], optional: Collection[str]
) -> dict[str, np.ndarray]:
    """Fill those columns for one episode."""
    felt = recorded_state(recorded, sizes)
    states = {SENSED + name: rows if sizes[name] > 1 else rows[:, 0] for name, rows in felt.items()}
    seen = [one.frames.frames for one in recorded.sets]
    present = {_present(name): np.array([frames[name] is not None for frames in seen]) for name in optional}
    return {**states, STAMP: np.array([one.frames.stamp_ns for one in recorded.sets], np.int64), **present}


def recorded_state(recorded: RecordedEpisode, sizes: Mapping[str, int]) -> dict[str, Float64[np.ndarray, "time size"]]:
    """Give what the robot felt at every set, NaN where unknown."""
    return {name: np.stack([one.state[name] for one in recorded.sets]) for name in sizes}


def usual_columns(episode: Episode, *, first_row: int, task: int) -> dict[str, np.ndarray]:
    """Fill the columns that every LeRobot data set has."""
    frame = np.arange(episode.num_frames)
    return {
        "timestamp": episode.stamp.numpy().astype(np.float32),
        "frame_index": frame,
        "episode_index": np.full_like(frame, episode.index),
        "index": first_row + frame,
        "task_index": np.full_like(frame, task),
    }


def _present(camera: str) -> str:
    return f"present.{camera.removeprefix(CAMERA_PREFIX)}"
