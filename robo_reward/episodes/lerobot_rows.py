"""Reads the rows of one episode from LeRobot's parquet files and checks them against what `meta/info.json` declares."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robo_reward.episodes.lerobot_format import Feature, numpy_dtype
from robo_reward.episodes.lerobot_metadata import RecordedEpisode
from robo_reward.errors import DataSetError

SENSED = "observation.sensed."
"""Prefix of columns that hold what a robot said of itself, NaN while it did not."""
_MAY_ABSTAIN = ("reward.", "next.reward", SENSED)
"""Columns in which NaN means that a reward model or the robot did not say."""


@final
class RowReader:
    """Reads rows episode by episode; keeps the last file open, for v3 packs many episodes into one.

    Args:
        features: What the columns are declared to hold.
        shared: True where files hold several episodes (v3), told apart by the column episode_index.
    """

    def __init__(self, features: Mapping[str, Feature], *, shared: bool) -> None:
        self._columns = {name: feature for name, feature in features.items() if not feature.is_picture}
        self._pictures = [name for name, feature in features.items() if feature.dtype == "image"]
        self._shared = shared
        self._path: Path | None = None
        self._file: pq.ParquetFile | None = None
        self._groups: list[int] = []
        self._rows: pa.Table | None = None

    def table(self, episode: RecordedEpisode) -> pa.Table:
        """Every declared column but pictures, typed as declared.

        Raises:
            DataSetError: A file or column that is missing or damaged, another number of rows than listed, a value that
                is not of the declared type, NaN or no value where there must be one.
        """
        file = self._open(episode.data)
        groups = self._groups_of(file, episode)
        if self._rows is None or groups != self._groups:
            self._groups, self._rows = groups, _read(file, episode.data, groups, list(self._columns))
        rows: pa.Table = self._rows
        if self._shared:
            rows = rows.filter(pa.array(rows["episode_index"].to_numpy() == episode.index))
        if rows.num_rows != episode.length:
            raise DataSetError(
                f"{episode.data}: holds {rows.num_rows} rows of episode {episode.index}; meta/ lists {episode.length}"
            )
        table = pa.table({name: _typed(rows[name], name, kind, episode) for name, kind in self._columns.items()})
        for name, kind in self._columns.items():
            _check_values(table[name], name, kind, episode)
        return table

    def pictures(self, episode: RecordedEpisode, camera: str, *, num_frames: int) -> Iterator[list[dict[str, Any]]]:
        """The encoded pictures of a camera stored as images, in chunks; only one chunk is in memory."""
        file = self._open(episode.data)
        names = [camera, "episode_index"] if self._shared else [camera]
        groups = self._groups_of(file, episode)
        held: list[dict[str, Any]] = []
        for part in file.iter_batches(batch_size=num_frames, row_groups=groups, columns=names):
            mine = pa.array(part["episode_index"].to_numpy() == episode.index) if self._shared else None
            held += (part if mine is None else part.filter(mine))[camera].to_pylist()
            while len(held) >= num_frames:
                yield held[:num_frames]
                held = held[num_frames:]
        if held:
            yield held

    def _open(self, path: Path) -> pq.ParquetFile:
        if path == self._path and self._file is not None:
            return self._file
        if not path.is_file():
            raise DataSetError(f"{path}: the file is missing")
        try:
            file = pq.ParquetFile(path, buffer_size=1 << 20)
        except (pa.ArrowException, OSError) as error:
            raise DataSetError(f"{path}: no readable parquet file, perhaps truncated ({error})") from error
        names = file.schema_arrow.names
        missing = [name for name in (*self._columns, *self._pictures) if name not in names]
        if missing:
            raise DataSetError(
                f"{path}: lacks the columns {', '.join(missing)} declared in meta/info.json; it has {', '.join(names)}"
            )
        self._path, self._file, self._rows = path, file, None
        return file

    def _groups_of(self, file: pq.ParquetFile, episode: RecordedEpisode) -> list[int]:
        """The row groups that may hold the episode, by the least and greatest episode_index that each one notes."""
        if not self._shared:
            return list(range(file.num_row_groups))
        leaf = next(i for i in range(file.metadata.num_columns) if file.schema.column(i).path == "episode_index")
        groups = []
        for group in range(file.num_row_groups):
            noted = file.metadata.row_group(group).column(leaf).statistics
            if noted is None or not noted.has_min_max or noted.min <= episode.index <= noted.max:
                groups.append(group)
        return groups


def to_numpy(column: pa.ChunkedArray, feature: Feature) -> np.ndarray:
    """A typed column as `(time,)` for shape (1,), else `(time, *shape)`."""
    values: Any = column.combine_chunks()
    if feature.shape == (1,):
        return np.array(values.to_numpy(zero_copy_only=False), dtype=numpy_dtype(feature))
    for _ in feature.shape:
        values = values.flatten()
    flat = np.array(values.to_numpy(zero_copy_only=False), dtype=numpy_dtype(feature))
    return flat.reshape(len(column), *feature.shape)


def to_arrow(values: np.ndarray, feature: Feature) -> pa.Array:
    """The inverse of `to_numpy`."""
    array = pa.array(values.reshape(-1), type=_scalar_type(feature))
    if feature.shape == (1,):
        return array
    for size in reversed(feature.shape[1:]):
        array = pa.ListArray.from_arrays(pa.array(range(0, len(array) + 1, size), pa.int32()), array)
    return pa.FixedSizeListArray.from_arrays(array, feature.shape[0])


def _scalar_type(feature: Feature) -> pa.DataType:
    return Feature(dtype=feature.dtype).arrow_type


def _read(file: pq.ParquetFile, path: Path, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
    try:
        return file.read_row_groups(list(groups), columns=list(names))
    except (pa.ArrowException, OSError) as error:
        raise DataSetError(f"{path}: no readable parquet file, perhaps truncated ({error})") from error


def _typed(column: pa.ChunkedArray, name: str, feature: Feature, episode: RecordedEpisode) -> pa.ChunkedArray:
    scalar_in_list = pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)
    try:
        if feature.shape == (1,) and scalar_in_list:
            flat = pa.chunked_array([column.combine_chunks().flatten()])
            if len(flat) != len(column):
                raise pa.ArrowInvalid(f"{len(flat)} values in {len(column)} rows")
            column = flat
        return column.cast(feature.arrow_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataSetError(
            f"{episode.data}: column '{name}' of episode {episode.index} is {column.type}, not {feature.dtype} of "
            f"shape {list(feature.shape)} as meta/info.json declares ({error})"
        ) from error


def _check_values(column: pa.ChunkedArray, name: str, feature: Feature, episode: RecordedEpisode) -> None:
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise DataSetError(f"{episode.data}: column '{name}' has no value in row {row} of episode {episode.index}")
    if not feature.dtype.startswith("float") or name.startswith(_MAY_ABSTAIN):
        return
    unknown = np.isnan(to_numpy(column, feature)).reshape(len(column), -1).any(axis=1)
    if unknown.any():
        raise DataSetError(
            f"{episode.data}: column '{name}' is NaN in row {int(unknown.argmax())} of episode {episode.index}; "
            f"allowed in reward.*, next.reward and {SENSED}* only"
        )
