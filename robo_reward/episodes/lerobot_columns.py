"""Columns that come as numpy arrays: checked against their declaration, then made a table."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from robo_reward.episodes.lerobot_format import Feature, numpy_dtype
from robo_reward.episodes.lerobot_rows import to_arrow

Columns = Mapping[str, np.ndarray]


def table_of(columns: Columns, features: Mapping[str, Feature], *, num_frames: int) -> pa.Table:
    """A table of columns that are exactly as declared.

    Raises:
        ValueError: Other names than declared, or another dtype, shape or length.
    """
    if set(columns) != set(features):
        raise ValueError(f"columns must be {sorted(features)}, got {sorted(columns)}")
    for name, feature in features.items():
        values = columns[name]
        shape = (num_frames,) if feature.shape == (1,) else (num_frames, *feature.shape)
        if values.shape != shape:
            raise ValueError(f"column '{name}' must have shape {shape}, got {values.shape}")
        if feature.dtype != "string" and values.dtype != numpy_dtype(feature):
            raise ValueError(f"column '{name}' must be {feature.dtype}, got {values.dtype}")
    return pa.table({name: to_arrow(columns[name], feature) for name, feature in features.items()})
