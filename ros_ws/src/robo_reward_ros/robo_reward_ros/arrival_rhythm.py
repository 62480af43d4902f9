"""When the next job is due, so that a slow worker does not begin one that is about to be replaced. No ROS."""

from collections import deque
from itertools import pairwise
from statistics import median
from typing import final

REMEMBERED = 9  # arrivals; their median interval bears a lost picture or two
FEWEST = 4  # arrivals that make a rhythm
EARLIEST, LATEST = 0.75, 1.1  # of a period after the latest arrival: from when, and until when, the next is waited for


@final
class ArrivalRhythm:
    """How long a newer job is worth waiting for.

    A worker that takes longer than a period finds a job of any age up to a period in its slot. Where the next one is
    due within a quarter of a period, waiting for it makes the oldest answers younger by almost that period, and costs
    a thirty-second of one on average: ∫ (1 - u) du from 3/4 to 1.
    """

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque(maxlen=REMEMBERED)

    def heard(self, now: float) -> None:
        """Take note that a job came, on a steady clock [s]."""
        self._arrivals.append(now)

    def patience(self, now: float) -> float:
        """How long to wait for a newer job than the latest [s]; 0 = it is not due soon, or late already."""
        if len(self._arrivals) < FEWEST:
            return 0.0
        period = median(later - earlier for earlier, later in pairwise(self._arrivals))
        since = now - self._arrivals[-1]
        return LATEST * period - since if EARLIEST * period <= since < LATEST * period else 0.0
