"""Time that passes on a node's own clock. No ROS."""

from typing import Protocol, final


class NanosecondClock(Protocol):
    """Tells the time, as a clock of rclpy or `NodeClocks` does."""

    def now_ns(self) -> int:
        """Give the time [ns]; 0 = simulated time was not heard yet."""
        ...


@final
class ElapsedTime:
    """How much time has passed on a clock, which may be that of a simulation or of a bag.

    It begins once the clock tells a time and stands still while the clock does; a step of the clock back to an earlier
    time does not count.

    Args:
        clock: Whose time counts.
    """

    def __init__(self, clock: NanosecondClock) -> None:
        self._clock, self._passed_ns = clock, 0
        self._last_ns = clock.now_ns()

    def seconds(self) -> float:
        """Look at the clock, and give the time that has passed up to now [s]."""
        now_ns = self._clock.now_ns()
        if self._last_ns > 0:
            self._passed_ns += max(0, now_ns - self._last_ns)
        self._last_ns = now_ns
        return self._passed_ns * 1e-9
