"""The side-car parquet from which LeRobot's RA-BC weighting reads progress."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from robo_reward.durable import atomic_file
from robo_reward.episodes.lerobot_metadata import parquet_schema, read_parquet
from robo_reward.errors import DataSetError

FILE_NAME = "sarm_progress.parquet"
"""Where LeRobot looks for it by default: beside `meta/`, `data/` and `videos/`."""

_SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("episode_index", pa.int64()),
        ("frame_index", pa.int64()),
        ("progress_sparse", pa.float32()),
    ]
)


def write_progress_sidecar(folder: Path, *, reward_model: str, column: str = "reward.progress") -> Path:
    """Write `sarm_progress.parquet` of a LeRobot v3 data set from one of its columns, file by file.

    Columns: index, episode_index, frame_index (int64) and progress_sparse (float32; NaN where the model abstained,
    which the reader leaves out). `reward_model` goes into the schema's metadata as `reward_model_path`.

    Args:
        folder: A v3 data set, finished or staged.
        reward_model: Identifies what gave the progress: a path or a version.
        column: The column to take over.

    Raises:
        DataSetError: The folder is no v3 data set or lacks the column.
        OutputError: The disk is full.

    Source:
        lerobot `utils/rabc.py` (RABCWeights) reads it, `policies/sarm/compute_rabc_weights.py` writes it.
    """
    paths = sorted((folder / "data").glob("chunk-*/file-*.parquet"))
    if not paths:
        raise DataSetError(f"{folder / 'data'}: no file of a LeRobot v3 data set (chunk-*/file-*.parquet)")
    schema = _SCHEMA.with_metadata({"reward_model_path": reward_model})
    target = folder / FILE_NAME
    with atomic_file(target) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for path in paths:
            names = parquet_schema(path).names
            if column not in names:
                raise DataSetError(f"{path}: no column '{column}' to take progress from; it has {', '.join(names)}")
            table = read_parquet(path, [*_SCHEMA.names[:3], column])
            writer.write_table(table.select([*_SCHEMA.names[:3], column]).rename_columns(_SCHEMA.names).cast(schema))
    return target
