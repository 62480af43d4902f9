"""The statistics that LeRobot keeps of every feature, per episode and over the data set."""

from collections.abc import Iterable, Mapping
from typing import Any, final

import numpy as np
from jaxtyping import UInt8

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
NAMES = ("min", "max", "mean", "std", "count", *QUANTILES)

Statistics = Mapping[str, np.ndarray]
"""Statistic to float64 values of the feature's shape, pictures (3, 1, 1) in [0, 1]; `count` is int64 (1,)."""


def column_statistics(values: np.ndarray) -> Statistics:
    """Statistics over the rows of `(time, *shape)`; rows with NaN do not count, and without any other all are NaN."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    known = rows[~np.isnan(rows).any(axis=1)]
    shape = values.shape[1:] or (1,)
    if not len(known):
        unknown = np.full(shape, np.nan)
        return {name: unknown for name in NAMES} | {"count": np.array([0])}
    measured = {"min": known.min(0), "max": known.max(0), "mean": known.mean(0), "std": known.std(0)}
    measured |= dict(zip(QUANTILES, np.quantile(known, list(QUANTILES.values()), axis=0), strict=True))
    return {name: value.reshape(shape) for name, value in measured.items()} | {"count": np.array([len(known)])}


def sample_rows(num_frames: int) -> list[int]:
    """Rows of an episode whose pictures enter its statistics: n^0.75 of them, at least 100 where there are as many.

    Source:
        lerobot `datasets/compute_stats.py`, `estimate_num_samples` and `sample_indices`.
    """
    count = max(min(100, num_frames), min(int(num_frames**0.75), 10_000))
    return sorted({int(row) for row in np.round(np.linspace(0, num_frames - 1, count))})


@final
class PictureStatistics:
    """Statistics of many pictures from one histogram per channel: its size does not grow with their number."""

    def __init__(self) -> None:
        self._histogram = np.zeros((3, 256), np.int64)
        self._count = 0

    def add(self, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Count the pixels of one picture; large ones are thinned to about 150 pixels, as LeRobot does."""
        height, width = picture.shape[:2]
        step = 1 if max(height, width) < 300 else max(height, width) // 150
        thinned = picture[::step, ::step]
        for channel in range(3):
            self._histogram[channel] += np.bincount(thinned[..., channel].reshape(-1), minlength=256)
        self._count += 1

    def result(self) -> Statistics:
        """The statistics; ValueError where no picture was added."""
        if not self._count:
            raise ValueError("no picture was added")
        level = np.arange(256) / 255
        share = self._histogram / self._histogram.sum(axis=1, keepdims=True)
        mean = share @ level
        below = share.cumsum(axis=1)
        seen = self._histogram > 0
        measured = {
            "min": level[seen.argmax(axis=1)],
            "max": level[255 - seen[:, ::-1].argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(np.maximum(share @ level**2 - mean**2, 0)),
        }
        measured |= {name: level[(below < q - 1e-12).sum(axis=1)] for name, q in QUANTILES.items()}
        return {name: value.reshape(3, 1, 1) for name, value in measured.items()} | {"count": np.array([self._count])}


def recorded_statistics(recorded: Mapping[str, Any]) -> Statistics:
    """Statistics that a data set brings along, as arrays."""
    return {
        name: np.array(value, np.int64 if name == "count" else np.float64).reshape(1 if name == "count" else (3, 1, 1))
        for name, value in recorded.items()
        if name in NAMES
    }


@final
class RunningStatistics:
    """Statistics over many episodes from those of each one.

    Exact for min, max, mean, std and count; a quantile is the mean of the episodes' quantiles weighted by their count,
    as in LeRobot, which is not the quantile of all rows.
    """

    def __init__(self) -> None:
        self._total: dict[str, np.ndarray] = {}

    def add(self, episode: Statistics) -> None:
        """Take in one episode; one without a known value changes nothing."""
        count = float(episode["count"][0])
        if not count:
            return
        if not self._total:
            self._total = dict(episode)
            return
        before, total = float(self._total["count"][0]), self._total
        mean = (before * total["mean"] + count * episode["mean"]) / (before + count)
        squares = before * (total["std"] ** 2 + (total["mean"] - mean) ** 2)
        squares = squares + count * (episode["std"] ** 2 + (episode["mean"] - mean) ** 2)
        merged = {
            "min": np.minimum(total["min"], episode["min"]),
            "max": np.maximum(total["max"], episode["max"]),
            "mean": mean,
            "std": np.sqrt(squares / (before + count)),
            "count": total["count"] + episode["count"],
        }
        for name in QUANTILES:
            if name in total and name in episode:
                merged[name] = (before * total[name] + count * episode[name]) / (before + count)
        self._total = merged

    def result(self) -> Statistics | None:
        """The statistics of all episodes; None where no value is known."""
        return self._total or None


def statistics_of(pictures: Iterable[UInt8[np.ndarray, "height width 3"]]) -> Statistics:
    """Statistics of pictures that come one by one."""
    statistics = PictureStatistics()
    for picture in pictures:
        statistics.add(picture)
    return statistics.result()
