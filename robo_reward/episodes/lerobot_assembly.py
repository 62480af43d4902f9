"""Puts the tables of a LeRobot v3 data set together: data files, lists of episodes and tasks, statistics, info.json."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robo_reward.durable import atomic_file
from robo_reward.episodes.lerobot_format import (
    ALWAYS,
    CHUNKS_SIZE,
    DATA_FILE_MB,
    DATA_PATH,
    EPISODES_PATH,
    VIDEO_FILE_MB,
    VIDEO_PATH,
    Feature,
    PlacedVideo,
)
from robo_reward.episodes.lerobot_rows import to_numpy
from robo_reward.episodes.statistics import NAMES, RunningStatistics, Statistics, column_statistics

_EPISODES_AT_ONCE = 100
"""Rows of the list of episodes that are held in memory before they are written."""


@final
class ParquetShards:
    """Parquet files that hold table after table; a new one begins where the next table would pass the size limit.

    A file has its name only when it is whole. Used as a context manager.
    """

    def __init__(self, folder: Path, template: str, *, megabytes: float) -> None:
        self._folder, self._template, self._limit = folder, template, megabytes * 10**6
        self._number, self._size = -1, 0
        self._writer: pq.ParquetWriter | None = None
        self._open_file = ExitStack()

    def place(self, num_bytes: int) -> tuple[int, int]:
        """The chunk and file that the next table of so many bytes will be in."""
        if self._writer is None or self._size + num_bytes > self._limit:
            self.close()
            self._number, self._size = self._number + 1, 0
        return divmod(self._number, CHUNKS_SIZE)

    def append(self, table: pa.Table) -> None:
        """Write one table, as one row group, to the file that `place` told."""
        if self._writer is None:
            chunk, file = divmod(self._number, CHUNKS_SIZE)
            path = self._folder / self._template.format(chunk_index=chunk, file_index=file)
            self._writer = pq.ParquetWriter(self._open_file.enter_context(atomic_file(path)), table.schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._size += table.nbytes

    def close(self) -> None:
        """Finish the open file, if there is one."""
        writer, self._writer = self._writer, None
        with self._open_file:
            if writer is not None:
                writer.close()

    def __enter__(self) -> "ParquetShards":
        """Return the shards."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the open file, or remove it after an error."""
        if error is None:
            self.close()
            return
        if self._writer is not None:
            with suppress(OSError):  # the error that ended the block is the one to tell
                self._writer.close()
            self._writer = None
        self._open_file.__exit__(kind, error, trace)


@final
class Assembly:
    """Numbers and writes episodes as they come, and at the end everything that sums them up.

    Args:
        folder: Where the data set is built.
        features: Every column and camera, `ALWAYS` included.
        fps: Frames per second.
        robot_type: Name of the robot; None = not said.
    """

    def __init__(self, folder: Path, features: Mapping[str, Feature], *, fps: float, robot_type: str | None) -> None:
        self._folder, self._features, self._fps, self._robot_type = folder, dict(features), fps, robot_type
        self._stack = ExitStack()
        self._data = self._stack.enter_context(ParquetShards(folder, DATA_PATH, megabytes=DATA_FILE_MB))
        self._lists = self._stack.enter_context(ParquetShards(folder, EPISODES_PATH, megabytes=DATA_FILE_MB))
        self._pending: list[dict[str, Any]] = []
        self._totals = {name: RunningStatistics() for name in self._features}
        self._statistic_names: dict[str, list[str]] = {}
        self.num_episodes = 0
        self.num_frames = 0

    def add(
        self,
        table: pa.Table,
        *,
        tasks: Sequence[str],
        videos: Mapping[str, PlacedVideo],
        pictures: Mapping[str, Statistics],
    ) -> None:
        """Append one episode.

        Args:
            table: Its columns, all but videos; `timestamp` and `task_index` are kept, the other numbers are filled in.
            tasks: Its instructions.
            videos: Where the pictures of each video feature are.
            pictures: Statistics of the pictures of every camera.
        """
        table = self._numbered(table)
        statistics = dict(pictures)
        for name, feature in self._features.items():
            if not (feature.is_picture or feature.dtype == "string"):
                statistics[name] = column_statistics(to_numpy(table[name], feature).reshape(len(table), *feature.shape))
        for name, values in statistics.items():
            self._totals[name].add(values)
        chunk, file = self._data.place(table.nbytes)
        self._data.append(table)
        row = {
            "episode_index": self.num_episodes,
            "tasks": list(tasks),
            "length": table.num_rows,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": self.num_frames,
            "dataset_to_index": self.num_frames + table.num_rows,
        }
        for name, video in videos.items():
            row |= {f"videos/{name}/{key}": value for key, value in video.to_row().items()}
        self._pending.append(row | self._statistics_row(statistics))
        self.num_episodes += 1
        self.num_frames += table.num_rows
        if len(self._pending) == _EPISODES_AT_ONCE:
            self._write_list()

    def finish(self, tasks: Mapping[int, str]) -> None:
        """Write what is left; `meta/info.json` comes last, since without it nothing takes the folder for a data set."""
        self._write_list()
        self._data.close()
        self._lists.close()
        meta = self._folder / "meta"
        _write_tasks(meta / "tasks.parquet", tasks)
        totals = {name: total.result() for name, total in self._totals.items()}
        known = {name: values for name, values in totals.items() if values is not None}
        _write_json(
            meta / "stats.json",
            {name: {key: values[key].tolist() for key in NAMES if key in values} for name, values in known.items()},
        )
        _write_json(meta / "info.json", self._info(num_tasks=len(tasks)))

    def __enter__(self) -> "Assembly":
        """Return the assembly."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files, or remove those that are not whole."""
        self._stack.__exit__(kind, error, trace)

    def _numbered(self, table: pa.Table) -> pa.Table:
        length = table.num_rows
        numbers = {
            "frame_index": np.arange(length),
            "episode_index": np.full(length, self.num_episodes),
            "index": self.num_frames + np.arange(length),
        }
        columns = {}
        for name, feature in self._features.items():
            if feature.dtype != "video":
                columns[name] = pa.array(numbers[name], pa.int64()) if name in numbers else table[name]
        return pa.table(columns)

    def _statistics_row(self, statistics: Mapping[str, Statistics]) -> dict[str, Any]:
        row = {}
        for name, values in statistics.items():
            keys = self._statistic_names.setdefault(name, [key for key in NAMES if key in values])
            row |= {f"stats/{name}/{key}": values[key].tolist() if key in values else None for key in keys}
        return row

    def _write_list(self) -> None:
        if not self._pending:
            return
        columns = {name: [row[name] for row in self._pending] for name in self._pending[0]}
        table = pa.table({name: pa.array(values, self._list_type(name)) for name, values in columns.items()})
        chunk, file = self._lists.place(table.nbytes)
        for name, number in (("meta/episodes/chunk_index", chunk), ("meta/episodes/file_index", file)):
            table = table.append_column(name, pa.array([number] * len(table), pa.int64()))
        self._lists.append(table)
        self._pending = []

    def _list_type(self, name: str) -> pa.DataType | None:
        """The type of a column of the list of episodes; statistics are lists as deep as a feature's shape."""
        if not name.startswith("stats/"):
            return pa.list_(pa.string()) if name == "tasks" else None
        feature, statistic = name.removeprefix("stats/").rsplit("/", 1)
        if statistic == "count":
            return pa.list_(pa.int64())
        kind: pa.DataType = pa.float64()
        for _ in self._features[feature].shape:
            kind = pa.list_(kind)
        return kind

    def _info(self, *, num_tasks: int) -> dict[str, Any]:
        has_video = any(feature.dtype == "video" for feature in self._features.values())
        return {
            "codebase_version": "v3.0",
            "robot_type": self._robot_type,
            "total_episodes": self.num_episodes,
            "total_frames": self.num_frames,
            "total_tasks": num_tasks,
            "chunks_size": CHUNKS_SIZE,
            "data_files_size_in_mb": DATA_FILE_MB,
            "video_files_size_in_mb": VIDEO_FILE_MB,
            "fps": int(self._fps) if self._fps == int(self._fps) else self._fps,
            "splits": {"train": f"0:{self.num_episodes}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH if has_video else None,
            "features": {name: feature.to_json() for name, feature in self._features.items()},
        }


def with_always(features: Mapping[str, Feature]) -> dict[str, Feature]:
    """Features with the columns that every data set has, which come last if they were not there."""
    replaced = {name: ALWAYS.get(name, feature) for name, feature in features.items()}
    return replaced | {name: feature for name, feature in ALWAYS.items() if name not in features}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_tasks(path: Path, tasks: Mapping[int, str]) -> None:
    """LeRobot reads tasks as a pandas frame whose index is the instruction."""
    table = pa.table(
        {
            "task_index": pa.array(list(tasks), pa.int64()),
            "__index_level_0__": pa.array(list(tasks.values()), pa.string()),
        }
    )
    text = {"name": None, "pandas_type": "unicode", "numpy_type": "object"}
    frame = {
        "index_columns": ["__index_level_0__"],
        "column_indexes": [text | {"field_name": None, "metadata": {"encoding": "UTF-8"}}],
        "columns": [
            {
                "name": "task_index",
                "field_name": "task_index",
                "pandas_type": "int64",
                "numpy_type": "int64",
                "metadata": None,
            },
            text | {"field_name": "__index_level_0__", "metadata": None},
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    with atomic_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(frame)}), temporary)
