"""What a LeRobot folder says about itself under `meta/`: versions v2.0, v2.1 and v3 told the same way."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from robo_reward.episodes.lerobot_format import (
    DATA_PATH,
    READABLE_VERSIONS,
    V2_DATA_PATH,
    V2_VIDEO_PATH,
    VIDEO_PATH,
    Feature,
    VideoSpan,
)
from robo_reward.errors import DataSetError

_LEROBOT_FILES = ("info.json", "stats.json", "tasks.jsonl", "episodes.jsonl", "episodes_stats.jsonl", "tasks.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEpisode:
    """Where one listed episode lies; nothing says yet that its files are there."""

    index: int
    length: int
    data: Path
    """The parquet file that holds its rows, perhaps among others."""
    videos: Mapping[str, VideoSpan]
    """By camera. `end` is infinite where the file holds this episode alone."""
    statistics: Mapping[str, Mapping[str, Any]]
    """Of pictures only: camera to statistic to nested lists; empty where the version has none per episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What `meta/` says."""

    folder: Path
    version: str
    fps: float
    robot_type: str | None
    features: Mapping[str, Feature]
    tasks: Mapping[int, str]
    episodes: Sequence[RecordedEpisode]
    meta_files: Mapping[str, Path]


def read_metadata(folder: Path) -> Metadata:
    """Read `meta/` of a LeRobot data set.

    Raises:
        DataSetError: No data set there, an unknown version, a broken or contradictory file.
    """
    info_path = folder / "meta" / "info.json"
    info = _read_json(info_path)
    version = info.get("codebase_version")
    if version not in READABLE_VERSIONS:
        raise DataSetError(f"{info_path}: codebase_version is {version!r}; allowed: {', '.join(READABLE_VERSIONS)}")
    features = _features(info_path, info)
    read_episodes = _v3_episodes if version == "v3.0" else _v2_episodes
    tasks = _v3_tasks(folder) if version == "v3.0" else _v2_tasks(folder)
    episodes = read_episodes(folder, info, features)
    if not episodes:
        raise DataSetError(f"{folder}: the data set is empty: meta/ lists no episode")
    return Metadata(
        folder=folder,
        version=version,
        fps=_fps(info_path, info),
        robot_type=info.get("robot_type"),
        features=features,
        tasks=tasks,
        episodes=sorted(episodes, key=lambda episode: episode.index),
        meta_files=_meta_files(folder / "meta"),
    )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a parquet file, or some of its columns; DataSetError where it is missing or damaged."""
    if not path.is_file():
        raise DataSetError(f"{path}: the file is missing")
    try:
        return pq.read_table(path, columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataSetError(f"{path}: no readable parquet file ({error})") from error


def parquet_schema(path: Path) -> pa.Schema:
    """The columns of a parquet file; DataSetError where it is missing or damaged."""
    if not path.is_file():
        raise DataSetError(f"{path}: the file is missing")
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DataSetError(f"{path}: no readable parquet file ({error})") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataSetError(f"{path}: the file is missing; a LeRobot data set has one")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataSetError(f"{path}: no valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise DataSetError(f"{path}: must hold a JSON object, found {type(content).__name__}")
    return content


def _read_json_lines(path: Path, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise DataSetError(f"{path}: the file is missing; a LeRobot v2 data set has one")
    with path.open(encoding="utf-8") as file:
        yield from (_json_line(path, number, line, keys) for number, line in enumerate(file, 1) if line.strip())


def _json_line(path: Path, number: int, line: str, keys: Sequence[str]) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataSetError(f"{path}: line {number} is no valid JSON ({error})") from error
    if not isinstance(row, dict) or not set(keys) <= set(row):
        raise DataSetError(f"{path}: line {number} must be an object with {', '.join(keys)}")
    return row


def _fps(path: Path, info: Mapping[str, Any]) -> float:
    fps = info.get("fps")
    if not isinstance(fps, int | float) or not fps > 0:
        raise DataSetError(f"{path}: fps must be a positive number, found {fps!r}")
    return float(fps)


def _features(path: Path, info: Mapping[str, Any]) -> dict[str, Feature]:
    declared = info.get("features")
    if not isinstance(declared, dict) or not declared:
        raise DataSetError(f"{path}: features must be a JSON object with at least one entry, found {declared!r}")
    features = {}
    for name, entry in declared.items():
        try:
            features[name] = Feature(
                dtype=entry["dtype"],
                shape=tuple(entry["shape"]) or (1,),
                names=entry.get("names"),
                info=entry.get("info", entry.get("video_info")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataSetError(f"{path}: feature '{name}' is not understood: {error}") from error
    return features


def _v2_tasks(folder: Path) -> dict[int, str]:
    rows = _read_json_lines(folder / "meta" / "tasks.jsonl", ("task_index", "task"))
    return {int(row["task_index"]): str(row["task"]) for row in rows}


def _v3_tasks(folder: Path) -> dict[int, str]:
    path = folder / "meta" / "tasks.parquet"
    table = read_parquet(path)
    # pandas names the index column after the frame's index: LeRobot leaves it unnamed, or calls it `task`
    text = next((name for name in ("__index_level_0__", "task") if name in table.column_names), None)
    if text is None or "task_index" not in table.column_names:
        raise DataSetError(f"{path}: needs a column task_index and the task as index, found {table.column_names}")
    return dict(zip(table["task_index"].to_pylist(), table[text].to_pylist(), strict=True))


def _v2_episodes(folder: Path, info: Mapping[str, Any], features: Mapping[str, Feature]) -> list[RecordedEpisode]:
    rows = _read_json_lines(folder / "meta" / "episodes.jsonl", ("episode_index", "length"))
    pictures = [name for name, feature in features.items() if feature.is_picture]
    statistics = _v21_statistics(folder / "meta" / "episodes_stats.jsonl", pictures)
    videos = [name for name, feature in features.items() if feature.dtype == "video"]

    def place(template: str, standard: str, index: int, **key: str) -> Path:
        chunk = index // int(info.get("chunks_size") or 1000)
        paths = [folder / text.format(episode_chunk=chunk, episode_index=index, **key) for text in (template, standard)]
        # some data sets write {episode_index} into the template where they mean {episode_chunk}; names are still unique
        return paths[0] if paths[0].is_file() or not paths[1].is_file() else paths[1]

    data_path, video_path = info.get("data_path") or V2_DATA_PATH, info.get("video_path") or V2_VIDEO_PATH
    return [
        RecordedEpisode(
            index=row["episode_index"],
            length=row["length"],
            data=place(data_path, V2_DATA_PATH, row["episode_index"]),
            videos={
                key: VideoSpan(
                    path=place(video_path, V2_VIDEO_PATH, row["episode_index"], video_key=key),
                    start=0.0,
                    end=float("inf"),
                )
                for key in videos
            },
            statistics=statistics.get(row["episode_index"], {}),
        )
        for row in rows
    ]


def _v21_statistics(path: Path, pictures: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Statistics of each episode's pictures; v2.0 has none."""
    if not path.is_file():
        return {}
    rows = _read_json_lines(path, ("episode_index", "stats"))
    return {row["episode_index"]: {key: row["stats"][key] for key in pictures if key in row["stats"]} for row in rows}


def _v3_episodes(folder: Path, info: Mapping[str, Any], features: Mapping[str, Feature]) -> list[RecordedEpisode]:
    paths = sorted((folder / "meta" / "episodes").glob("chunk-*/file-*.parquet"))
    if not paths:
        raise DataSetError(f"{folder / 'meta' / 'episodes'}: no parquet file lists the episodes of this v3 data set")
    videos = [name for name, feature in features.items() if feature.dtype == "video"]
    needed = ["episode_index", "length", "data/chunk_index", "data/file_index"]
    needed += [f"videos/{key}/{part}" for key in videos for part in _SPAN]
    pictures = tuple(f"stats/{name}/" for name, feature in features.items() if feature.is_picture)
    episodes = []
    for path in paths:
        names = parquet_schema(path).names
        missing = sorted(set(needed) - set(names))
        if missing:
            raise DataSetError(f"{path}: lacks the columns {', '.join(missing)}")
        # statistics of every column would be far larger than all the rest: take the pictures', which cost decoding
        table = read_parquet(path, needed + [name for name in names if name.startswith(pictures)])
        episodes += [_v3_episode(folder, info, videos, row) for row in table.to_pylist()]
    return episodes


_SPAN = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")


def _v3_episode(
    folder: Path, info: Mapping[str, Any], videos: Sequence[str], row: Mapping[str, Any]
) -> RecordedEpisode:
    def span(key: str) -> VideoSpan:
        chunk, file, start, end = (row[f"videos/{key}/{part}"] for part in _SPAN)
        template = info.get("video_path") or VIDEO_PATH
        path = folder / template.format(video_key=key, chunk_index=chunk, file_index=file)
        return VideoSpan(path=path, start=float(start), end=float(end))

    statistics: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        if name.startswith("stats/") and value is not None:
            feature, statistic = name.removeprefix("stats/").rsplit("/", 1)
            statistics.setdefault(feature, {})[statistic] = value
    template = info.get("data_path") or DATA_PATH
    data = folder / template.format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
    return RecordedEpisode(
        index=row["episode_index"],
        length=row["length"],
        data=data,
        videos={key: span(key) for key in videos},
        statistics=statistics,
    )


def _meta_files(meta: Path) -> dict[str, Path]:
    """Files that LeRobot does not define; v3's own folder of episodes and its task table are written anew."""
    files = {str(path.relative_to(meta)): path for path in sorted(meta.rglob("*")) if path.is_file()}
    return {
        name: path for name, path in files.items() if name not in _LEROBOT_FILES and not name.startswith("episodes/")
    }
