"""Capture times as ROS headers have them and as reward models see them."""

import numpy as np


def nanoseconds(sec: int, nanosec: int) -> int:
    """Give the stamp of a ROS header [ns]."""
    return sec * 1_000_000_000 + nanosec


def episode_seconds(stamp_ns: int, *, start_ns: int) -> float:
    """Give the time since an episode's first set [s], as reward models see it: rounded to single precision.

    Data sets keep stamps so. Rounded alike on the robot, in its bag and in a data set made of the bag, a model that
    looks at the clock answers alike. At 30 Hz stamps stay apart for three days.
    """
    return float(np.float32((stamp_ns - start_ns) * 1e-9))
