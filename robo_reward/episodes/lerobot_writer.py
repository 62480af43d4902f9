"""Records new episodes into a LeRobot v3 data set: pictures in, H.264 and parquet out."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from robo_reward.durable import check_absent, flush, output_errors, publish_folder, staging_folder
from robo_reward.episodes.lerobot_assembly import Assembly, with_always
from robo_reward.episodes.lerobot_columns import table_of
from robo_reward.episodes.lerobot_format import VIDEO_FILE_MB, Feature, PlacedVideo, check_name
from robo_reward.episodes.statistics import PictureStatistics, Statistics
from robo_reward.episodes.video_encoder import VideoEncoder, video_info
from robo_reward.errors import OutputError


class LeRobotWriter:
    """Records episodes one after the other; the data set gets its name when all are there.

    Everything goes to `<folder>.partial`, which `finish` renames to `folder`: an interrupted recording leaves nothing
    that looks whole. What an earlier interrupted recording left there is replaced. The same calls give the same bytes.

    Used as a context manager it finishes on leaving without an error, and leaves `<folder>.partial` behind otherwise.

    Raises:
        OutputError: `folder` exists, or the disk is full.
        ValueError: `fps` not positive, no camera, a camera that is not `video` or of odd size, a name that the writer
            fills itself or that has '/' in it.
    """

    def __init__(
        self,
        folder: Path,
        features: Mapping[str, Feature],
        *,
        fps: float,
        robot_type: str,
        crf: int = 20,
        key_frame_every: int = 10,
    ) -> None:
        """Begin a data set.

        Args:
            folder: Where the data set will be; must not exist.
            features: Cameras (`dtype="video"`, shape (height, width, 3)) and columns, without those that the writer
                fills: timestamp, frame_index, episode_index, index, task_index.
            fps: Frames per second [1/s].
            robot_type: Name of the robot.
            crf: x264's constant rate factor in [0, 51]; less is better and larger.
            key_frame_every: Frames between key frames; less makes random access faster and files larger.
        """
        _check_features(features)
        if not fps > 0:
            raise ValueError(f"fps must be positive, got {fps}")
        if not 0 <= crf <= 51 or key_frame_every < 1:
            raise ValueError(f"crf must be in [0, 51] and key_frame_every at least 1, got {crf} and {key_frame_every}")
        self._folder, self._staging, self._fps = Path(folder), staging_folder(Path(folder)), fps
        check_absent(self._folder)
        with output_errors(self._staging):
            if self._staging.exists():
                shutil.rmtree(self._staging)
            self._staging.mkdir(parents=True)
        self._columns = {name: feature for name, feature in features.items() if not feature.is_picture}
        self._films = {
            name: _Film(self._staging, name, feature.shape[:2], fps=fps, crf=crf, key_frame_every=key_frame_every)
            for name, feature in features.items()
            if feature.is_picture
        }
        filled = {
            name: replace(feature, names=["height", "width", "channels"], info=video_info(feature.shape[:2], fps))
            if feature.is_picture
            else feature
            for name, feature in features.items()
        }
        self._assembly = Assembly(self._staging, with_always(filled), fps=fps, robot_type=robot_type)
        self._tasks: dict[str, int] = {}
        self._spoilt = self._finished = False

    def add_episode(
        self,
        instruction: str,
        *,
        views: Mapping[str, Iterable[np.ndarray]],
        columns: Mapping[str, np.ndarray],
    ) -> None:
        """Append one episode, encoded while its frames come in.

        Args:
            instruction: The task in words; episodes of one instruction share a task.
            views: RGB frames of every camera, uint8 `(3, height, width)`, oldest first: an array
                `(time, 3, height, width)` or a generator. Frame t is at t / fps seconds.
            columns: `(time,)` for shape (1,), else `(time, *shape)`, of exactly the declared dtype.

        Raises:
            ValueError: Names that differ from `features`, an empty instruction, shapes, dtypes or lengths that differ,
                an episode without frames.
            OutputError: The disk is full, or an earlier episode failed half-way.
        """
        if not instruction.strip():
            raise ValueError("instruction is empty; say the task in words")
        if set(views) != set(self._films):
            raise ValueError(f"views must be of the cameras {sorted(self._films)}, got {sorted(views)}")
        self._check_usable()
        self._spoilt = True  # until the episode is complete: half of its frames may be in a file by then
        with output_errors(self._staging):
            filmed = {name: self._films[name].add_episode(frames) for name, frames in views.items()}
            lengths = {name: length for name, (length, _, _) in filmed.items()}
            num_frames = next(iter(lengths.values()))
            if not num_frames or len(set(lengths.values())) > 1:
                raise ValueError(f"cameras must give equally many frames, at least 1; got {lengths}")
            recorded = table_of(columns, self._columns, num_frames=num_frames)
            task = self._tasks.setdefault(instruction, len(self._tasks))
            always = {
                "timestamp": pa.array(np.arange(num_frames) / self._fps, pa.float32()),
                "task_index": pa.array([task] * num_frames, pa.int64()),
            }
            self._assembly.add(
                pa.table({name: recorded[name] for name in recorded.column_names} | always),
                tasks=[instruction],
                videos={name: video for name, (_, video, _) in filmed.items()},
                pictures={name: statistics for name, (_, _, statistics) in filmed.items()},
            )
        self._spoilt = False

    def finish(self) -> Path:
        """Write tables of contents and statistics, give the folder its name, and return it.

        Raises:
            ValueError: No episode was added.
            OutputError: The disk is full, or something took the name meanwhile.
        """
        if not self._assembly.num_episodes:
            raise ValueError(f"no episode was added to {self._folder}")
        self._check_usable()
        with output_errors(self._staging):
            for film in self._films.values():
                film.close()
            self._assembly.finish({index: text for text, index in self._tasks.items()})
        publish_folder(self._staging, self._folder)
        self._finished = True
        return self._folder

    def __enter__(self) -> "LeRobotWriter":
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish unless an error ended the block, or it is finished."""
        if error is None:
            if not self._finished:
                self.finish()
            return
        for film in self._films.values():
            with suppress(OSError):  # the error that ended the block is the one to tell
                film.close()
        self._assembly.__exit__(kind, error, trace)

    def _check_usable(self) -> None:
        if self._spoilt:
            raise OutputError(f"{self._staging}: an episode failed half-way; begin the data set anew")


class _Film:
    """The video files of one camera: episode after episode in one file, until it is about to pass the size limit."""

    def __init__(
        self, staging: Path, camera: str, size: tuple[int, ...], *, fps: float, crf: int, key_frame_every: int
    ) -> None:
        self._staging, self._camera, self._size, self._fps = staging, camera, (size[0], size[1]), fps
        self._settings = {"fps": fps, "crf": crf, "key_frame_every": key_frame_every}
        self._encoder: VideoEncoder | None = None
        self._number, self._largest = -1, 0

    def add_episode(self, frames: Iterable[np.ndarray]) -> tuple[int, PlacedVideo, Statistics]:
        """Encode one episode; gives its number of frames, where it is, and the statistics of its pictures."""
        encoder = self._encoder_with_room()
        first, before = encoder.num_frames, encoder.num_bytes
        statistics = PictureStatistics()
        for frame in frames:
            picture = self._picture(frame)
            encoder.add(picture, key_frame=encoder.num_frames == first)
            statistics.add(picture)
        length = encoder.num_frames - first
        if not length:
            raise ValueError(f"camera '{self._camera}' gave no frame")
        self._largest = max(self._largest, encoder.num_bytes - before)
        video = PlacedVideo(number=self._number, start=first / self._fps, end=encoder.num_frames / self._fps)
        return length, video, statistics.result()

    def close(self) -> None:
        """Finish the file."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()
            flush(encoder.path)

    def _encoder_with_room(self) -> VideoEncoder:
        # how large the episode will be is known only once it is encoded: leave room for the largest so far
        full = self._encoder is not None and self._encoder.num_bytes + self._largest > VIDEO_FILE_MB * 10**6
        if full:
            self.close()
        if self._encoder is None:
            self._number += 1
            path = self._staging / PlacedVideo(number=self._number, start=0.0, end=0.0).path(self._camera)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._encoder = VideoEncoder(path, self._size, **self._settings)
        return self._encoder

    def _picture(self, frame: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
        expected = (3, *self._size)
        if frame.dtype != np.uint8 or frame.shape != expected:
            hint = "; move the channels first" if frame.shape == (*self._size, 3) else ""
            raise ValueError(
                f"camera '{self._camera}': frames must be uint8 {expected}, got {frame.dtype} {frame.shape}{hint}"
            )
        return frame.transpose(1, 2, 0)


def _check_features(features: Mapping[str, Feature]) -> None:
    for name, feature in features.items():
        check_name(name)
        if feature.dtype == "image" or (feature.dtype == "video" and feature.shape[2] != 3):
            raise ValueError(f"camera '{name}' must be 'video' of shape (height, width, 3), got {feature}")
        if feature.dtype == "video" and (feature.shape[0] % 2 or feature.shape[1] % 2):
            raise ValueError(f"camera '{name}': height and width must be even for H.264, got {feature.shape[:2]}")
    if not any(feature.is_picture for feature in features.values()):
        raise ValueError(f"features must hold at least one camera (dtype 'video'), got {sorted(features)}")
