"""Reads LeRobot data sets, versions v2.0, v2.1 and v3: pictures as video (AV1, H.264, …) or as images in parquet."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import pyarrow as pa
import torch

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.clips import clips_in_step
from robo_reward.episodes.images import decode_images, image_fingerprint
from robo_reward.episodes.lerobot_format import ALWAYS, Feature, VideoSpan
from robo_reward.episodes.lerobot_metadata import RecordedEpisode, read_metadata
from robo_reward.episodes.lerobot_rows import RowReader, to_numpy
from robo_reward.episodes.lerobot_selection import chosen_cameras, chosen_episodes
from robo_reward.episodes.state_columns import chosen_state
from robo_reward.episodes.video import decode, video_facts, video_fingerprint
from robo_reward.errors import DataSetError


@final
class LeRobotEpisodes:
    """The episodes of a LeRobot data set in a folder on this machine.

    Facts and numbers of every selected episode are read and checked when this is built; pictures when they are asked
    for. Frame t is the one shown at the episode's start in the video plus `timestamp[t]`, within half a frame. Versions
    2.x have one video per episode, whose first frame is the first row's, whatever its timestamp: stamps count from it.

    `success` is the column `success_column`, or else `next.success` if there is one. `terminated` is the last row of
    `next.terminated`, else whether the last row is a success; `next.done` says neither, since it mixes both ends.

    Raises:
        DataSetError: Not a LeRobot data set of a readable version, an unknown camera or column, listed files that are
            missing, rows that are not as declared: each names the file, what was found and what is allowed.
        ValueError: `select` is neither a list of distinct numbers nor 'present'.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        cameras: Sequence[str] | None = None,
        select: Sequence[int] | Literal["present"] | None = None,
        success_column: str | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Read all facts and check them.

        Args:
            path: The folder that holds `meta/`, `data/` and `videos/`.
            cameras: Full names of the cameras that reward models see, in this order; None = all.
            select: Numbers of the episodes to use; None = all that the data set lists, `present` = all whose files are
                there.
            success_column: A column of booleans, true where a transition ended in success; None = `next.success`.
            state: What reward models may feel beside seeing: the name that models know to the fields of a
                `StateColumn`, as in {"tool_position": {"column": "observation.state", "first": 0, "stop": 3}}.
        """
        self._metadata = metadata = read_metadata(Path(path))
        self._cameras = chosen_cameras(metadata, cameras)
        recorded = chosen_episodes(metadata, self._cameras, select)
        self._recorded = {episode.index: episode for episode in recorded}
        self._reader = RowReader(metadata.features, shared=metadata.version == "v3.0")
        self._success_column = self._checked_success_column(success_column)
        self._features = self._written_features()
        self._state = chosen_state(self._features, state or {}, where=str(metadata.folder))
        self._episodes = tuple(self._episode(episode) for episode in recorded)

    @property
    def description(self) -> str:
        """The format and the folder."""
        return f"LeRobot {self._metadata.version} data set {self._metadata.folder}"

    @property
    def fps(self) -> float:
        """Nominal frame rate [1/s]."""
        return self._metadata.fps

    @property
    def robot_type(self) -> str | None:
        """The robot that was recorded; None = not said."""
        return self._metadata.robot_type

    @property
    def tasks(self) -> Mapping[int, str]:
        """Instruction of each task index."""
        return self._metadata.tasks

    @property
    def meta_files(self) -> Mapping[str, Path]:
        """Files under `meta/` that LeRobot itself does not define."""
        return self._metadata.meta_files

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every column and every camera that has files, seen by reward models or not, in v3's sense."""
        return self._features

    @property
    def episodes(self) -> Sequence[Episode]:
        """Facts about every selected episode, in the order of their index."""
        return self._episodes

    @property
    def column_names(self) -> tuple[str, ...]:
        """Per-frame columns other than pictures."""
        return tuple(name for name, feature in self._features.items() if not feature.is_picture)

    def columns(self, episode: Episode, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Read per-frame columns of one episode: `(time,)` for numbers, `(time, …)` for vectors.

        Raises:
            DataSetError: A name that is not in `column_names`.
        """
        unknown = [name for name in names if name not in self.column_names]
        if unknown:
            raise DataSetError(
                f"{self._metadata.folder}: no column {', '.join(unknown)}; available: {', '.join(self.column_names)}"
            )
        table = self._numbers(self._recorded[episode.index])
        return {name: to_numpy(table[name], self._features[name]) for name in names}

    def clips(self, episode: Episode, *, num_frames: int) -> Iterator[Clip]:
        """Decode one episode lazily in consecutive chunks of at most `num_frames`, all cameras in step.

        Raises:
            ValueError: `num_frames` is not positive.
            DataSetError: A video is missing, damaged, or of another length than the episode.
        """
        recorded = self._recorded[episode.index]
        chunks = {name: self._pictures(episode, recorded, name, num_frames) for name in episode.cameras}
        columns = self.columns(episode, sorted({choice.column for choice in self._state.values()}))
        felt = {name: choice.read(columns[choice.column]) for name, choice in self._state.items()}
        return clips_in_step(episode, chunks, num_frames=num_frames, state=felt)

    def fingerprint(self, episode: Episode, camera: str) -> str:
        """Identify the pictures of one camera in one episode: SHA-256 of their bytes and of the range of frames."""
        recorded = self._recorded[episode.index]
        if self._features[camera].dtype == "image":
            return image_fingerprint(self._images(recorded, camera, num_frames=64))
        span = recorded.videos[camera]
        return video_fingerprint(span.path, first=round(span.start * self.fps), num_frames=episode.num_frames)

    def table(self, episode: Episode) -> pa.Table:
        """Every column of one episode except videos, typed as `features` declares."""
        recorded = self._recorded[episode.index]
        table = self._numbers(recorded)
        for name in (name for name, feature in self._features.items() if feature.dtype == "image"):
            rows = [row for chunk in self._images(recorded, name, num_frames=64) for row in chunk]
            table = table.append_column(name, pa.array(rows, self._features[name].arrow_type))
        return table.select([name for name, feature in self._features.items() if feature.dtype != "video"])

    def videos(self, episode: Episode) -> Mapping[str, VideoSpan]:
        """Where the pictures of each camera that is stored as video lie."""
        recorded = self._recorded[episode.index]
        videos = {name: span for name, span in recorded.videos.items() if name in self._features}
        length = episode.num_frames / self.fps
        return {
            name: VideoSpan(path=span.path, start=span.start, end=min(span.end, span.start + length))
            for name, span in videos.items()
        }

    def picture_statistics(self, episode: Episode, camera: str) -> Mapping[str, Any] | None:
        """Statistics of a camera's pictures as recorded with the episode; None where there are none."""
        return self._recorded[episode.index].statistics.get(camera)

    def _episode(self, recorded: RecordedEpisode) -> Episode:
        table = self._numbers(recorded)
        stamp = to_numpy(table["timestamp"], ALWAYS["timestamp"]).astype(np.float64)
        late = np.flatnonzero(np.diff(stamp) <= 0)
        if len(late) or not np.isfinite(stamp).all():
            row = int(late[0]) + 1 if len(late) else int(np.flatnonzero(~np.isfinite(stamp))[0])
            raise DataSetError(
                f"{recorded.data}: timestamp must be finite and strictly increasing; row {row} of episode "
                f"{recorded.index} is {stamp[row]:g} s after {stamp[max(row - 1, 0)]:g} s"
            )
        success = self._success(table, recorded)
        return Episode(
            index=recorded.index,
            instruction=self._instruction(table, recorded),
            cameras=self._cameras,
            stamp=torch.from_numpy(stamp),
            terminated=self._terminated(table, success),
            success=success,
        )

    def _instruction(self, table: pa.Table, recorded: RecordedEpisode) -> str:
        task = table["task_index"][0].as_py()
        if task not in self.tasks:
            raise DataSetError(f"{recorded.data}: task_index {task} is not in meta/tasks; known: {sorted(self.tasks)}")
        return self.tasks[task]

    def _success(self, table: pa.Table, recorded: RecordedEpisode) -> torch.Tensor | None:
        if self._success_column is None:
            return None
        values = to_numpy(table[self._success_column], self._features[self._success_column])
        if not np.isin(values, (0, 1)).all():
            raise DataSetError(f"{recorded.data}: column '{self._success_column}' must hold 0 and 1 only")
        return torch.from_numpy(values.astype(bool))

    def _terminated(self, table: pa.Table, success: torch.Tensor | None) -> bool:
        if "next.terminated" in table.column_names:
            return bool(table["next.terminated"][-1].as_py())
        return success is not None and bool(success[-1])

    def _checked_success_column(self, name: str | None) -> str | None:
        features = self._metadata.features
        if name is None:
            return "next.success" if "next.success" in features else None
        scalar = [key for key, feature in features.items() if not feature.is_picture and feature.shape == (1,)]
        if name not in scalar:
            folder = self._metadata.folder
            raise DataSetError(f"{folder}: no column '{name}' to tell success; scalar columns: {', '.join(scalar)}")
        return name

    def _written_features(self) -> dict[str, Feature]:
        metadata = self._metadata
        there = {
            name
            for name in metadata.features
            if any(e.videos[name].path.is_file() for e in self._recorded.values() if name in e.videos)
        }
        declared = {
            name: ALWAYS.get(name, feature)
            for name, feature in metadata.features.items()
            if feature.dtype != "video" or name in there
        }
        return declared | {name: feature for name, feature in ALWAYS.items() if name not in declared}

    def _numbers(self, recorded: RecordedEpisode) -> pa.Table:
        """All columns but pictures in v3's sense: stamps from the episode's start in float32, every row numbered."""
        table = self._reader.table(recorded)
        needed = [name for name in ("timestamp", "task_index") if name not in table.column_names]
        if needed:
            raise DataSetError(f"{recorded.data}: lacks the columns {', '.join(needed)}, which every episode needs")
        seconds = to_numpy(table["timestamp"], Feature(dtype="float64"))
        if self._metadata.version != "v3.0":
            seconds = seconds - seconds[0]
        numbered = {"frame_index": np.arange(len(seconds)), "episode_index": np.full(len(seconds), recorded.index)}
        numbered["timestamp"] = seconds.astype(np.float32)
        if "index" not in table.column_names:
            before = sum(e.length for e in self._metadata.episodes if e.index < recorded.index)
            numbered["index"] = before + np.arange(len(seconds))
        for name, values in numbered.items():
            column = pa.array(values, ALWAYS[name].arrow_type)
            position = table.schema.get_field_index(name)
            table = table.append_column(name, column) if position < 0 else table.set_column(position, name, column)
        return table

    def _pictures(
        self, episode: Episode, recorded: RecordedEpisode, camera: str, num_frames: int
    ) -> Iterator[np.ndarray]:
        if self._features[camera].dtype == "image":
            where = f"{recorded.data}: camera '{camera}' of episode {episode.index}"
            return decode_images(self._images(recorded, camera, num_frames=num_frames), where)
        span = recorded.videos[camera]
        self._check_length(span, recorded)
        seconds = episode.stamp.numpy() + span.start
        return decode(span.path, seconds, tolerance=0.5 / self.fps, num_frames=num_frames)

    def _check_length(self, span: VideoSpan, recorded: RecordedEpisode) -> None:
        own_file = span.end == float("inf")
        held = video_facts(span.path).num_frames if own_file else round((span.end - span.start) * self.fps)
        if held != recorded.length:
            raise DataSetError(
                f"{span.path}: the video holds {held} frames of episode {recorded.index}, {recorded.data} has "
                f"{recorded.length} rows of it; the two must be equal"
            )

    def _images(self, recorded: RecordedEpisode, camera: str, *, num_frames: int) -> Iterator[list[dict[str, Any]]]:
        return self._reader.pictures(recorded, camera, num_frames=num_frames)
