"""Writes an existing data set anew as LeRobot v3, with more columns: what relabelling leaves behind."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from robo_reward.clip import Episode
from robo_reward.episodes.lerobot_format import Feature, VideoSpan
from robo_reward.episodes.source import EpisodeSource

Columns = Mapping[str, np.ndarray[Any, Any]]


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


def check_copyable(source: CopyableSource) -> None:
    """Find out before hours of work whether the data set can be written anew.

    Raises:
        DataSetError: A video of some selected episode is missing, whether or not reward models see that camera.
    """
    raise NotImplementedError


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
    videos that are already there. The caller ends with `robo_reward.episodes.durable.publish_folder(staging, output)`.

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
    raise NotImplementedError
