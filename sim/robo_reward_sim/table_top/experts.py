"""Scripted experts of the table-top tasks: pure functions of the observation."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from robo_reward_sim.table_top.tasks import table_top_task

Policy = Callable[[Float[np.ndarray, " number"]], Float[np.ndarray, "4"]]
"""Chooses an action in [-1, 1] from an observation."""


def expert(task: str) -> Policy:
    """Give the scripted expert of a task, or raise ValueError with the tasks that there are."""
    return table_top_task(task).expert
