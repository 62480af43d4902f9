"""Writes an existing data set anew as LeRobot v3, with more columns: what relabelling leaves behind."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from robo_reward.clip import Episode
from robo_reward.durable import atomic_file
from robo_reward.episodes.images import decode_images
from robo_reward.episodes.lerobot_assembly import Assembly, with_always
from robo_reward.episodes.lerobot_columns import Columns, table_of
from robo_reward.episodes.lerobot_format import Feature, PlacedVideo, VideoSpan, check_name
from robo_reward.episodes.source import EpisodeSource
from robo_reward.episodes.statistics import Statistics, recorded_statistics, sample_rows, statistics_of
from robo_reward.episodes.video import decode_at
from robo_reward.errors import DataSetError


@runtime_checkable
class CopyableSource(EpisodeSource, Protocol):
    """A source whose recordings can be written anew as a LeRobot v3 data set without decoding them."""

    @property
    def robot_type(self) -> str | None:
        """The robot that was recorded; None = not said."""
        ...

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every column and every camera that is there, chosen for reward models or not."""
        ...

    @property
    def tasks(self) -> Mapping[int, str]:
        """Instruction of each task index."""
        ...

    @property
    def meta_files(self) -> Mapping[str, Path]:
        """Files under `meta/` that LeRobot itself does not define, by their path within `meta/`."""
        ...

    def table(self, episode: Episode) -> pa.Table:
        """Every column of one episode except videos, typed as `features` declares."""
        ...

    def videos(self, episode: Episode) -> Mapping[str, VideoSpan]:
        """Where the pictures of each camera that is stored as video lie."""
        ...

    def picture_statistics(self, episode: Episode, camera: str) -> Mapping[str, Any] | None:
        """Statistics of a camera's pictures as recorded with the episode; None = to be computed."""
        ...


def check_copyable(source: CopyableSource) -> None:
    """Find out before hours of work whether the data set can be written anew.

    Raises:
        DataSetError: A video of some selected episode is missing, whether or not reward models see that camera.
    """
    for episode in source.episodes:
        for camera, span in source.videos(episode).items():
            if not span.path.is_file():
                raise DataSetError(f"{span.path}: the video of camera {camera} in episode {episode.index} is missing")


def write_lerobot_v3(
    staging: Path,
    source: CopyableSource,
    *,
    extra_features: Mapping[str, Feature],
    extra_columns: Callable[[Episode], Columns],
) -> None:
    """Write every selected episode of a source, with more columns, as a LeRobot v3 data set into a staging folder.

    Episodes are numbered anew from 0 in the order of `source.episodes`; `index` counts on across them. All columns and
    cameras are copied, videos byte for byte; a column of `extra_features` replaces the source's of the same name.

    Every file appears whole or not at all, its bytes depend on the source and the extra columns only, and
    `meta/info.json` comes last. Called again on the same staging folder after an interruption, it leaves out
    videos that are already there. The caller ends with `robo_reward.durable.publish_folder(staging, output)`.

    Args:
        staging: Folder to write into; made if absent. Files that other code put there are left alone.
        source: What to copy.
        extra_features: Name to declaration of each added column.
        extra_columns: Gives the added columns of one episode: `(time,)` for shape (1,), else `(time, *shape)`. Asked
            once per episode, in order, so that only one episode is in memory.

    Raises:
        ValueError: An extra feature that is a picture, has '/' in its name or one of the names that the writer fills;
            extra columns that differ from `extra_features` in name, dtype or shape.
        DataSetError: The source cannot be read as it claims to be.
        OutputError: The disk is full or the folder cannot be written.
    """
    for name, feature in extra_features.items():
        check_name(name)
        if feature.is_picture:
            raise ValueError(f"feature '{name}': an added column cannot be a picture")
    check_copyable(source)
    _copy_files(staging, source)
    features = with_always({**source.features, **extra_features})
    kept = [name for name, kind in features.items() if kind.dtype != "video" and name not in extra_features]
    placed = _Placement(staging)
    with Assembly(staging, features, fps=source.fps, robot_type=source.robot_type) as assembly:
        for episode in source.episodes:
            added = table_of(extra_columns(episode), extra_features, num_frames=episode.num_frames)
            table = source.table(episode)
            pictures = {
                name: _statistics(source, episode, name, table) for name, kind in features.items() if kind.is_picture
            }
            table = table.select(kept)
            for name in extra_features:
                table = table.append_column(name, added[name])
            videos = {camera: placed.copy(camera, span) for camera, span in source.videos(episode).items()}
            assembly.add(table, tasks=[episode.instruction], videos=videos, pictures=pictures)
        assembly.finish(source.tasks)


class _Placement:
    """Copies video files, each once, and numbers them per camera in the order of first use."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        self._numbers: dict[str, dict[Path, int]] = {}

    def copy(self, camera: str, span: VideoSpan) -> PlacedVideo:
        """Make sure that the file is there."""
        numbers = self._numbers.setdefault(camera, {})
        known = span.path in numbers
        video = PlacedVideo(number=numbers.setdefault(span.path, len(numbers)), start=span.start, end=span.end)
        target = self._staging / video.path(camera)
        # a file that carries its name is whole: an earlier run, interrupted later, put it there
        if not known and not target.is_file():
            _copy(span.path, target)
        return video


def _copy(source: Path, target: Path) -> None:
    with atomic_file(target) as temporary:
        shutil.copyfile(source, temporary)


def _copy_files(staging: Path, source: CopyableSource) -> None:
    for name, path in source.meta_files.items():
        target = staging / "meta" / name
        if not target.is_file():
            _copy(path, target)


def _statistics(source: CopyableSource, episode: Episode, camera: str, table: pa.Table) -> Statistics:
    """As recorded, else from some of the pictures."""
    recorded = source.picture_statistics(episode, camera)
    if recorded is not None:
        return recorded_statistics(recorded)
    rows = sample_rows(episode.num_frames)
    if source.features[camera].dtype == "image":
        where = f"camera '{camera}' of episode {episode.index} in {source.description}"
        encoded = iter([[table[camera][row].as_py()] for row in rows])
        return statistics_of(picture for chunk in decode_images(encoded, where) for picture in chunk)
    span = source.videos(episode)[camera]
    seconds = episode.stamp.numpy() + span.start
    return statistics_of(decode_at(span.path, seconds, rows, tolerance=0.5 / source.fps))
