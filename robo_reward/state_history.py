"""What a robot felt at the time of a picture: the latest word at or before it. No clock, no ROS."""

from collections import deque
from collections.abc import Mapping
from typing import final

import numpy as np
from jaxtyping import Float64


@final
class StateHistory:
    """Remembers what was said lately under each name, and gives what had been said when a picture was taken.

    The latest at or before the picture's stamp counts, as long as it is no older than `max_age`; otherwise the state is
    unknown, NaN. What arrives later than a set of frames cannot change what was given with it: causal.

    Args:
        sizes: Name to how many numbers it has.
        max_age: How much older than the picture a state may be [s], >= 0.
        keep: How far back the history reaches [s]: frames that wait longer find nothing.

    Raises:
        ValueError: A negative time, or a size below 1.
    """

    def __init__(self, sizes: Mapping[str, int], max_age: float, *, keep: float = 5.0) -> None:
        if not (0 <= max_age < np.inf and 0 <= keep < np.inf):
            raise ValueError(f"max_age and keep must be >= 0 s and finite, got {max_age:g} and {keep:g}")
        wrong = {name: size for name, size in sizes.items() if size < 1}
        if wrong:
            raise ValueError(f"sizes must be >= 1, got {wrong}")
        self._sizes, self._max_age = dict(sizes), round(max_age * 1e9)
        self._keep = round(keep * 1e9) + self._max_age
        self.reset()

    def reset(self) -> None:
        """Forget all: a clock jumped back."""
        self._said: dict[str, deque[tuple[int, Float64[np.ndarray, " size"]]]] = {name: deque() for name in self._sizes}

    def add(self, name: str, values: Float64[np.ndarray, " size"], *, stamp_ns: int) -> None:
        """Hear a state; one that is not newer than the last under its name is left out.

        Raises:
            ValueError: An unknown name, or another number of values.
        """
        if name not in self._sizes:
            raise ValueError(f"unknown state '{name}'; there are {', '.join(self._sizes) or 'none'}")
        if len(values) != self._sizes[name]:
            raise ValueError(f"state '{name}' must have {self._sizes[name]} numbers, got {len(values)}")
        said = self._said[name]
        if said and stamp_ns <= said[-1][0]:
            return
        said.append((stamp_ns, values))
        while said[0][0] < stamp_ns - self._keep:
            said.popleft()

    def at(self, stamp_ns: int) -> dict[str, Float64[np.ndarray, " size"]]:
        """Give what had been said by a time, under every name; NaN where nothing, or nothing recent, had."""
        return {name: self._latest(name, stamp_ns) for name in self._sizes}

    def _latest(self, name: str, stamp_ns: int) -> Float64[np.ndarray, " size"]:
        for said_ns, values in reversed(self._said[name]):
            if said_ns <= stamp_ns:
                if stamp_ns - said_ns <= self._max_age:
                    return values
                break
        return np.full(self._sizes[name], np.nan)
