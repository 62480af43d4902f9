"""Reads ROS bags (mcap, sqlite3) as recorded episodes: the frame sets that the node on the robot would form."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import UInt8
from torch import Tensor

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.bag_columns import column_features, recorded_columns, recorded_state, usual_columns
from robo_reward.episodes.bag_frames import identity_of_picture, messages_in_sets, rgb_in_sets
from robo_reward.episodes.bag_index import RecordedEpisode, described
from robo_reward.episodes.bag_reading import BagSettings, bags_of, episode_of, index_bags, nominal_rate, selected
from robo_reward.episodes.bag_topics import CAMERA_PREFIX, BagTopics, camera_topics, state_topics
from robo_reward.episodes.lerobot_columns import table_of
from robo_reward.episodes.lerobot_format import ALWAYS, Feature, VideoSpan
from robo_reward.episodes.ros_images import encoded_picture, png
from robo_reward.errors import DataSetError
from robo_reward.frame_sets import MAX_AGE, MAX_FUTURE, TOLERANCE


@final
class BagEpisodes:
    """Episodes of one or several ROS bags, without ROS.

    A bag is an episode, or several where somebody said so: on `episode_topic`, by another instruction, or by a clock
    that jumped back. Frame t is the t-th set of `FrameSets`, fed in the order in which messages were received, with
    the settings of the robot's node: the same sets as there. Times are those of headers; an episode's stamps count
    from the oldest picture of its first set, see `episode_seconds`.

    State is the latest at or before a set's oldest picture that had been received when the set was formed, NaN where
    there is none. `success[t]` is what `success_topic` had said when set t+1 was formed, in the last row what it had
    said when the episode ended; `terminated` is whether that was a success.

    Raises:
        ModuleNotFoundError: rosbags is not installed.
        DataSetError: No bag or a damaged one, topics that are missing, empty or of another type, pictures that cannot
            be read or change size, cameras that never make a set, an episode without an instruction.
        ValueError: Settings that make no sense.
    """

    def __init__(
        self,
        path: str | Path | Sequence[str | Path],
        *,
        cameras: Mapping[str, str] | None = None,
        optional: Sequence[str] = (),
        tolerance: float = TOLERANCE,
        max_age: float | None = MAX_AGE,
        max_future: float = MAX_FUTURE,
        instruction: str | None = None,
        instruction_topic: str | None = None,
        success_topic: str | None = None,
        episode_topic: str | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
        state_max_age: float = 0.1,
        fps: float | None = None,
        select: Sequence[int] | None = None,
    ) -> None:
        """Go through all bags once; no picture is decoded.

        Args:
            path: A bag (folder or file), a folder of bags, or a list of bags.
            cameras: Name to image topic, in the order that reward models see; `front` is the camera
                `observation.images.front`. None = every image topic, see `camera_topics`.
            optional: Those of the names in `cameras` without which a set is complete.
            tolerance: Largest time between the pictures of a set [s].
            max_age: Pictures older than this when they were received are dropped [s]; None = ages are not judged,
                which is right where cameras and recorder have different clocks.
            max_future: Pictures stamped later than they were received by more are dropped [s], where ages are judged.
            instruction: The task in words; None = `instruction_topic` says it.
            instruction_topic: A std_msgs/String; another text begins another episode.
            success_topic: A std_msgs/Bool: has the task succeeded?
            episode_topic: A topic of any type: each message begins another episode.
            state: What reward models may feel: name to the fields of a `StateTopic`, as in
                {"gripper_width": {"topic": "/gripper", "fields": ["data"], "scale": 0.001}}.
            state_max_age: States older than this are unknown [s].
            fps: Nominal rate of the sets [1/s]; None = from the median step.
            select: Numbers of the episodes to use, counted from 0 over all bags; None = all.
        """
        if (instruction is None) == (instruction_topic is None):
            raise ValueError("say the task in one way: instruction=TEXT, or instruction_topic=TOPIC of the bag")
        self._bags = bags_of(path)
        self._topics = topics = BagTopics(
            cameras=camera_topics(self._bags[0], cameras),
            state=state_topics(state or {}),
            instruction=instruction_topic,
            success=success_topic,
            boundary=episode_topic,
        )
        settings = BagSettings(
            optional=optional,
            tolerance=tolerance,
            max_age=max_age,
            max_future=max_future,
            state_max_age=state_max_age,
        )
        self._indices = index_bags(self._bags, topics, settings)
        self._optional = [CAMERA_PREFIX + name.removeprefix(CAMERA_PREFIX) for name in optional]
        self._sizes = {camera: _size(camera, self._indices) for camera in topics.cameras}
        self._recorded = selected(self._indices, select)
        self._episodes = tuple(
            episode_of(number, recorded, cameras=tuple(topics.cameras), instruction=instruction)
            for number, recorded in self._recorded.items()
        )
        self._fps = nominal_rate(self._episodes) if fps is None else float(fps)
        if not self._fps > 0:
            raise ValueError(f"fps must be positive, got {fps}")
        self._digests: dict[int, dict[str, str]] = {}

    @property
    def description(self) -> str:
        """The format and where the bags are."""
        return f"ROS bag {', '.join(str(bag.path) for bag in self._bags)}"

    @property
    def fps(self) -> float:
        """Nominal rate of the sets [1/s]."""
        return self._fps

    @property
    def robot_type(self) -> str | None:
        """Not recorded."""
        return None

    @property
    def tasks(self) -> Mapping[int, str]:
        """Instructions in the order in which they occur."""
        return dict(enumerate(dict.fromkeys(episode.instruction for episode in self._episodes)))

    @property
    def meta_files(self) -> Mapping[str, Path]:
        """None."""
        return {}

    @property
    def notes(self) -> Sequence[str]:
        """For each bag and camera, how many frames are in sets and why others are not."""
        pairs = zip(self._bags, self._indices, strict=True)
        return [f"{bag.path}: {line}" for bag, index in pairs for line in described(index)]

    @property
    def recorded(self) -> Mapping[int, RecordedEpisode]:
        """Number of each selected episode to where it is."""
        return self._recorded

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every camera (pictures one by one, compressed ones byte for byte) and every column."""
        names = ["height", "width", "channels"]
        sizes = self._sizes.items()
        pictures = {camera: Feature(dtype="image", shape=(*size, 3), names=names) for camera, size in sizes}
        return {**pictures, **self._columns, **ALWAYS}

    @property
    def episodes(self) -> Sequence[Episode]:
        """Facts about every selected episode, in the order in which they were recorded."""
        return self._episodes

    @property
    def column_names(self) -> tuple[str, ...]:
        """The state, `stamp_ns`, `present.NAME` of optional cameras, and what every LeRobot data set has."""
        return (*self._columns, *ALWAYS)

    def columns(self, episode: Episode, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Per-frame columns of one episode: `(time,)` for numbers, `(time, size)` for states of several.

        Raises:
            DataSetError: A name that is not in `column_names`.
        """
        unknown = [name for name in names if name not in self.column_names]
        if unknown:
            available = ", ".join(self.column_names)
            raise DataSetError(f"{self.description}: no column {', '.join(unknown)}; available: {available}")
        before = sum(other.num_frames for other in self._episodes if other.index < episode.index)
        task = list(self.tasks.values()).index(episode.instruction)
        own = recorded_columns(self._recorded[episode.index], self._state_sizes, self._optional)
        values = own | usual_columns(episode, first_row=before, task=task)
        return {name: values[name] for name in names}

    def clips(self, episode: Episode, *, num_frames: int) -> Iterator[Clip]:
        """Decode one episode lazily in consecutive chunks of at most `num_frames`, all cameras in step.

        Raises:
            ValueError: `num_frames` is not positive.
            DataSetError: A picture is damaged.
        """
        if num_frames < 1:
            raise ValueError(f"num_frames must be at least 1, got {num_frames}")
        recorded = self._recorded[episode.index]
        felt = {name: torch.from_numpy(rows) for name, rows in recorded_state(recorded, self._state_sizes).items()}
        pictures = rgb_in_sets(recorded, self._topics.cameras)
        for first in range(0, episode.num_frames, num_frames):
            stamp = episode.stamp[first : first + num_frames]
            sets = [next(pictures) for _ in stamp]
            yield Clip(
                views={name: self._film(name, [one[name] for one in sets]) for name in episode.cameras},
                present=torch.tensor([[[one[name] is not None for name in episode.cameras] for one in sets]]),
                stamp=stamp[None],
                state={name: rows[None, first : first + num_frames] for name, rows in felt.items()},
            )

    def fingerprint(self, episode: Episode, camera: str) -> str:
        """SHA-256 of the pictures of one camera in one episode, as they are in the bag."""
        if episode.index not in self._digests:
            digests = {name: hashlib.sha256() for name in episode.cameras}
            for messages in messages_in_sets(self._recorded[episode.index], self._topics.cameras):
                for name, message in messages.items():
                    digests[name].update(b"absent" if message is None else identity_of_picture(message.content))
            self._digests[episode.index] = {name: digest.hexdigest() for name, digest in digests.items()}
        return self._digests[episode.index][camera]

    def table(self, episode: Episode) -> pa.Table:
        """Every column and picture of one episode: compressed ones as recorded, raw ones as PNG, absent ones black."""
        columns = {name: self.features[name] for name in self.column_names}
        table = table_of(self.columns(episode, self.column_names), columns, num_frames=episode.num_frames)
        black = {name: png(np.zeros((*size, 3), np.uint8)) for name, size in self._sizes.items()}
        rows: dict[str, list[Any]] = {name: [] for name in episode.cameras}
        for messages in messages_in_sets(self._recorded[episode.index], self._topics.cameras):
            for name, message in messages.items():
                picture = black[name] if message is None else encoded_picture(message.content)
                rows[name].append({"bytes": picture, "path": None})
        for name, encoded in rows.items():
            table = table.append_column(name, pa.array(encoded, self.features[name].arrow_type))
        return table

    def videos(self, episode: Episode) -> Mapping[str, VideoSpan]:
        """None: pictures are kept one by one."""
        return {}

    def picture_statistics(self, episode: Episode, camera: str) -> Mapping[str, Any] | None:
        """None are recorded."""
        return None

    @property
    def _state_sizes(self) -> Mapping[str, int]:
        return self._indices[0].state_sizes

    @property
    def _columns(self) -> dict[str, Feature]:
        return column_features(self._state_sizes, self._optional)

    def _film(
        self, camera: str, pictures: Sequence[UInt8[np.ndarray, "height width 3"] | None]
    ) -> UInt8[Tensor, "1 time 3 height width"]:
        black = np.zeros((*self._sizes[camera], 3), np.uint8)
        film = np.stack([black if picture is None else picture for picture in pictures])
        return torch.from_numpy(film).permute(0, 3, 1, 2)[None]


def _size(camera: str, indices: Sequence[Any]) -> tuple[int, int]:
    sizes = [index.sizes[camera] for index in indices if camera in index.sizes]
    return sizes[0]
