"""The table-top tasks by name."""

from collections.abc import Mapping
from types import MappingProxyType

from robo_reward_sim.table_top.open import Open
from robo_reward_sim.table_top.pick import Pick
from robo_reward_sim.table_top.push import Push
from robo_reward_sim.table_top.reach import Reach
from robo_reward_sim.table_top.task import TableTopTask

TABLE_TOP_TASKS: Mapping[str, TableTopTask] = MappingProxyType(
    {"reach": Reach(), "push": Push(), "pick": Pick(), "open": Open()}
)
"""Every task by name."""


def table_top_task(name: str) -> TableTopTask:
    """Return a task by its name, or raise ValueError with the names that there are."""
    if name not in TABLE_TOP_TASKS:
        raise ValueError(f"unknown table-top task '{name}'; available: {', '.join(TABLE_TOP_TASKS)}")
    return TABLE_TOP_TASKS[name]
