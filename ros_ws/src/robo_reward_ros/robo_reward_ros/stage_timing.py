"""How long each stage of the way from a picture to a reward took: medians and tails over the latest answers. No ROS."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import final

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """Durations of one stage [s] over the window."""

    p50: float
    p95: float
    largest: float


@final
class StageTiming:
    """Keeps the latest durations of each stage; may be fed and read from different threads.

    Args:
        window: Durations that are kept per stage, >= 1.

    Raises:
        ValueError: A window below 1.
    """

    def __init__(self, window: int = 256) -> None:
        if window < 1:
            raise ValueError(f"window must be >= 1, got {window}")
        self._window, self._lock = window, Lock()
        self._durations: dict[str, deque[float]] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Note a duration [s]."""
        with self._lock:
            self._durations.setdefault(stage, deque(maxlen=self._window)).append(seconds)

    def summary(self) -> Mapping[str, StageTime]:
        """Give median, 95th percentile and largest duration of each stage that was noted."""
        with self._lock:
            kept = {stage: np.array(durations) for stage, durations in self._durations.items()}
        return {
            stage: StageTime(
                p50=float(np.quantile(durations, 0.5)),
                p95=float(np.quantile(durations, 0.95)),
                largest=float(durations.max()),
            )
            for stage, durations in kept.items()
        }

    def clear(self) -> None:
        """Forget all durations."""
        with self._lock:
            self._durations.clear()
