"""Observations as ways from one thing to the next, in decimetres: what policies learn from with fewer steps."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from robo_reward_sim.table_top.task import TOOL, TOOL_NAMES

_PER_METRE = 10.0


def relative_observation(observation: Float[np.ndarray, " number"]) -> Float64[np.ndarray, " number"]:
    """Give the tool's position and width, then the ways tool → first point → second point, all in decimetres.

    The task is done where a way is short, wherever on the table that is; numbers that are no point, such as a drawer's
    opening, come last. Nothing is lost: sums of ways are the positions.

    Args:
        observation: `TOOL_NAMES` and the task's points [m].
    """
    ways = _PER_METRE * np.asarray(observation, np.float64)
    before = TOOL
    for first in range(len(TOOL_NAMES), len(ways) - 2, 3):
        point = slice(first, first + 3)
        ways[point] = _PER_METRE * np.subtract(observation[point], observation[before], dtype=np.float64)
        before = point
    return ways


def relative_names(names: Sequence[str]) -> tuple[str, ...]:
    """Give name and unit of each number of `relative_observation`, from those of the observation."""
    told = [name.replace("[m]", "[dm]") for name in names]
    before = "tool"
    for first in range(len(TOOL_NAMES), len(told) - 2, 3):
        point = names[first].partition("_")[0]
        told[first : first + 3] = [f"{before}_to_{point}_{axis} [dm]" for axis in "xyz"]
        before = point
    return tuple(told)
