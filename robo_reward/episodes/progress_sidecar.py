"""The side-car parquet from which LeRobot's RA-BC weighting reads progress."""

from pathlib import Path

FILE_NAME = "sarm_progress.parquet"
"""Where LeRobot looks for it by default: beside `meta/`, `data/` and `videos/`."""


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
    raise NotImplementedError
