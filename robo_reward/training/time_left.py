"""How long demonstrations still take, as progress: the same state gets the same number whichever way led to it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64
from torch import Tensor

NOT_EXCEEDED = 0.9
"""Share of demonstrations that are no longer than the time that counts as the whole task."""


def time_left(stamps: Sequence[Float64[Tensor, " _time"]]) -> list[Float32[Tensor, " _time"]]:
    """Give the progress of each frame of successful episodes.

        progress(t) = max(0, 1 − (T − t) / T₉₀)

    with T [s] an episode's last stamp and T₉₀ the duration that nine in ten episodes do not exceed: one that dawdled
    does not set the scale. By the fraction of its own time a demonstration that begins a hand's breadth from the goal
    would begin at 0.

    Args:
        stamps: Of each episode's frames [s].

    Raises:
        ValueError: No episode that lasts longer than a frame.

    Source:
        Hartikainen et al. 2020 (Dynamical distance learning, 1907.08225), section 3: expected steps to the goal.
    """
    durations = [float(each[-1] - each[0]) for each in stamps]
    scale = float(np.quantile(durations, NOT_EXCEEDED, method="higher")) if durations else 0.0
    if scale == 0:
        raise ValueError("no success that lasts longer than a frame: there is no time left to label by")
    return [(1 - (each[-1] - each) / scale).float().clamp(0, 1) for each in stamps]
