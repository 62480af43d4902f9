"""Reads raw recordings as Robo-Dopamine publishes them: a folder per episode with one video per camera."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import torch

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.clips import clips_in_step
from robo_reward.episodes.lerobot_columns import table_of
from robo_reward.episodes.lerobot_format import ALWAYS, Feature, VideoSpan
from robo_reward.episodes.video import VideoFacts, decode, video_facts, video_fingerprint
from robo_reward.errors import DataSetError

_PREFIX = "observation.images."
_KEYFRAMES = "annotated_keyframes.json"


@final
class RoboDopamineEpisodes:
    """Folders `episode_*/` with `cam_*.mp4` and `annotated_keyframes.json`, beside one `task_instruction.json`.

    Cameras are named as LeRobot names them: `cam_high.mp4` is `observation.images.cam_high`. Frame t is at t / fps. The
    instruction is the first of the file's paraphrases. There are no robot states; the only column of its own is
    `keyframe`: number of the annotated sub-task that a frame belongs to (start ≤ frame < end), −1 where there is none.

    Source:
        FlagOpen/Robo-Dopamine, `dataset/example_raw_data`.

    Raises:
        DataSetError: No such folder, an unknown camera or episode, a missing or damaged file, cameras of different
            length, rate or set.
    """

    def __init__(
        self, path: str | Path, *, cameras: Sequence[str] | None = None, select: Sequence[int] | None = None
    ) -> None:
        """Read all facts; no picture is decoded.

        Args:
            path: The folder that holds `episode_*/` and `task_instruction.json`.
            cameras: Names of the cameras that reward models see; None = all.
            select: Numbers of episodes in the order of their folders' names, from 0; None = all.
        """
        self._path = Path(path)
        folders = [folder for folder in sorted(self._path.glob("episode_*")) if folder.is_dir()]
        if not folders:
            raise DataSetError(f"{self._path}: the data set is empty: no folder episode_*")
        numbers = list(range(len(folders))) if select is None else sorted(select)
        unknown = [number for number in numbers if not 0 <= number < len(folders)]
        if unknown or not numbers:
            raise DataSetError(f"{self._path}: no episode {unknown}; allowed: 0 to {len(folders) - 1}, at least one")
        self._folders = {number: folders[number] for number in numbers}
        self._instruction = _instruction(self._path / "task_instruction.json")
        self._facts = {number: _video_facts_of(folder) for number, folder in self._folders.items()}
        self._all_cameras = self._same_cameras()
        self._cameras = self._chosen(cameras)
        self._rate = self._same_rate()
        self._segments = {n: _segments(folder / _KEYFRAMES) for n, folder in self._folders.items()}
        self._episodes = tuple(self._episode(number) for number in numbers)

    @property
    def description(self) -> str:
        """The format and the folder."""
        return f"Robo-Dopamine recordings {self._path}"

    @property
    def fps(self) -> float:
        """Frame rate of the videos [1/s]."""
        return self._rate

    @property
    def robot_type(self) -> str | None:
        """Not recorded."""
        return None

    @property
    def tasks(self) -> Mapping[int, str]:
        """The one instruction."""
        return {0: self._instruction}

    @property
    def meta_files(self) -> Mapping[str, Path]:
        """None."""
        return {}

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every camera, `keyframe`, and the columns that every LeRobot data set has."""
        facts = next(iter(self._facts.values()))
        names = ["height", "width", "channels"]
        films = {
            name: Feature(dtype="video", shape=(f.height, f.width, 3), names=names, info=_info(f))
            for name, f in facts.items()
        }
        return {**films, "keyframe": Feature(dtype="int64"), **ALWAYS}

    @property
    def episodes(self) -> Sequence[Episode]:
        """Facts about every selected episode, in the order of the folders' names."""
        return self._episodes

    @property
    def column_names(self) -> tuple[str, ...]:
        """`keyframe` and the columns that every LeRobot data set has."""
        return ("keyframe", *ALWAYS)

    def columns(self, episode: Episode, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Per-frame columns of one episode, `(time,)`.

        Raises:
            DataSetError: A name that is not in `column_names`.
        """
        unknown = [name for name in names if name not in self.column_names]
        if unknown:
            raise DataSetError(
                f"{self._path}: no column {', '.join(unknown)}; available: {', '.join(self.column_names)}"
            )
        frame = np.arange(episode.num_frames)
        before = sum(other.num_frames for other in self._episodes if other.index < episode.index)
        values = {
            "keyframe": self._segment_of(episode),
            "timestamp": episode.stamp.numpy().astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full_like(frame, episode.index),
            "index": before + frame,
            "task_index": np.zeros_like(frame),
        }
        return {name: values[name] for name in names}

    def clips(self, episode: Episode, *, num_frames: int) -> Iterator[Clip]:
        """Decode one episode lazily in consecutive chunks of at most `num_frames`, all cameras in step.

        Raises:
            ValueError: `num_frames` is not positive.
            DataSetError: A video is damaged.
        """
        seconds, tolerance = episode.stamp.numpy(), 0.5 / self.fps
        chunks = {
            name: decode(self._video(episode, name), seconds, tolerance=tolerance, num_frames=num_frames)
            for name in episode.cameras
        }
        return clips_in_step(episode, chunks, num_frames=num_frames)

    def fingerprint(self, episode: Episode, camera: str) -> str:
        """SHA-256 of the video's bytes and of the range of frames."""
        return video_fingerprint(self._video(episode, camera), first=0, num_frames=episode.num_frames)

    def table(self, episode: Episode) -> pa.Table:
        """Every column of one episode."""
        columns = {name: self.features[name] for name in self.column_names}
        return table_of(self.columns(episode, self.column_names), columns, num_frames=episode.num_frames)

    def videos(self, episode: Episode) -> Mapping[str, VideoSpan]:
        """One file per camera and episode."""
        end = episode.num_frames / self.fps
        return {n: VideoSpan(path=self._video(episode, n), start=0.0, end=end) for n in self._all_cameras}

    def picture_statistics(self, episode: Episode, camera: str) -> Mapping[str, Any] | None:
        """None are recorded."""
        return None

    def _video(self, episode: Episode, camera: str) -> Path:
        return self._folders[episode.index] / f"{camera.removeprefix(_PREFIX)}.mp4"

    def _segment_of(self, episode: Episode) -> np.ndarray:
        segment = np.full(episode.num_frames, -1, np.int64)
        for number, (first, last) in enumerate(self._segments[episode.index]):
            segment[first:last] = number
        return segment

    def _episode(self, number: int) -> Episode:
        lengths = {name: facts.num_frames for name, facts in self._facts[number].items()}
        if len(set(lengths.values())) > 1:
            raise DataSetError(f"{self._folders[number]}: cameras must have equally many frames, found {lengths}")
        # LeRobot keeps stamps in float32: rounded here, they are the same when the recording has been converted
        stamp = (np.arange(next(iter(lengths.values()))) / self._rate).astype(np.float32).astype(np.float64)
        return Episode(
            index=number,
            instruction=self._instruction,
            cameras=self._cameras,
            stamp=torch.from_numpy(stamp),
            terminated=False,
            success=None,
        )

    def _same_cameras(self) -> tuple[str, ...]:
        cameras = {number: tuple(facts) for number, facts in self._facts.items()}
        first = next(iter(cameras.values()))
        for number, names in cameras.items():
            if names != first or not names:
                raise DataSetError(f"{self._folders[number]}: must hold the videos {list(first)}, found {list(names)}")
        return first

    def _same_rate(self) -> float:
        rates = sorted({facts.fps for episode in self._facts.values() for facts in episode.values()})
        if len(rates) > 1:
            raise DataSetError(f"{self._path}: all videos must have one frame rate, found {rates}")
        return rates[0]

    def _chosen(self, cameras: Sequence[str] | None) -> tuple[str, ...]:
        chosen = self._all_cameras if cameras is None else tuple(cameras)
        unknown = [name for name in chosen if name not in self._all_cameras]
        if unknown or not chosen:
            raise DataSetError(
                f"{self._path}: no camera {', '.join(unknown)}; available: {', '.join(self._all_cameras)}"
            )
        return chosen


def _video_facts_of(folder: Path) -> dict[str, VideoFacts]:
    return {_PREFIX + path.stem: video_facts(path) for path in sorted(folder.glob("*.mp4"))}


def _info(facts: VideoFacts) -> dict[str, Any]:
    return {
        "video.height": facts.height,
        "video.width": facts.width,
        "video.codec": facts.codec,
        "video.pix_fmt": facts.pixel_format,
        "video.is_depth_map": False,
        "video.fps": facts.fps,
        "video.channels": 3,
        "has_audio": False,
    }


def _instruction(path: Path) -> str:
    texts = _json(path)
    if not isinstance(texts, list) or not texts or not isinstance(texts[0], str):
        raise DataSetError(f"{path}: must hold a JSON list of instructions, found {texts!r}")
    return texts[0]


def _segments(path: Path) -> list[tuple[int, int]]:
    rows = _json(path)
    try:
        return [(int(row["start_frame_id"]), int(row["end_frame_id"])) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise DataSetError(f"{path}: must list objects with start_frame_id and end_frame_id ({error!r})") from error


def _json(path: Path) -> Any:
    if not path.is_file():
        raise DataSetError(f"{path}: the file is missing")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataSetError(f"{path}: no valid JSON ({error})") from error
