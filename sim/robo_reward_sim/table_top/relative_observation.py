"""Observations as ways from one thing to the next, in decimetres: what policies learn from in fewer steps."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from robo_reward_sim.table_top.task import TOOL, TOOL_NAMES, WIDTH

_PER_METRE = 10.0


def relative_observation(observation: Float[np.ndarray, " number"], *, place: bool) -> Float64[np.ndarray, " _way"]:
    """Give the gripper's width, then the ways tool → first point → second point, all in decimetres.

    A task is done where a way is short, wherever on the table that is: without the tool's own place, what is learnt in
    one place holds in every other. Numbers that are no point, such as a drawer's opening, come last.

    Args:
        observation: `TOOL_NAMES` and the task's points [m].
        place: Where the tool is comes before all of them.
    """
    metres = np.asarray(observation, np.float64)
    ways, before = [metres[TOOL]] * place + [metres[WIDTH : WIDTH + 1]], metres[TOOL]
    points = metres[len(TOOL_NAMES) :]
    for first in range(0, len(points) - 2, 3):
        point = points[first : first + 3]
        ways.append(point - before)
        before = point
    return _PER_METRE * np.concatenate([*ways, points[len(points) // 3 * 3 :]])


def relative_names(names: Sequence[str], *, place: bool) -> tuple[str, ...]:
    """Give name and unit of each number of `relative_observation`, from those of the observation."""
    told, before = [*(names[TOOL] if place else ()), names[WIDTH]], "tool"
    points = names[len(TOOL_NAMES) :]
    for first in range(0, len(points) - 2, 3):
        point = points[first].partition("_")[0]
        told += [f"{before}_to_{point}_{axis} [m]" for axis in "xyz"]
        before = point
    told += points[len(points) // 3 * 3 :]
    return tuple(name.replace("[m]", "[dm]") for name in told)
