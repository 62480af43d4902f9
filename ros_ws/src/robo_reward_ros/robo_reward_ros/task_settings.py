"""What names a model, its task and what is made of its progress. No ROS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """What names a model, its task and what is made of its progress."""

    reward_model: str
    """A choice of `configs/reward_model`, a folder that `robo-reward fit` wrote, or a YAML file."""
    instruction: str = ""
    """The task in words; empty = the only task of a fitted model, of the demonstrations, or of the plan."""
    overrides: Sequence[str] = ()
    """As on the command line of `robo-reward relabel`."""
    prompts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Name of a list of prompts, such as goal, to what is configured instead."""
    goal_pictures: Mapping[str, str] = field(default_factory=dict)
    """Camera to a picture file of the task completed; empty = as configured."""
    plan: str = ""
    """A key-point plan's YAML file; empty = as configured."""
    rig: str = ""
    """YAML file of the rig of cameras that the model counts on; empty = as configured."""
    demonstrations: str = ""
    """Folder of a LeRobot data set that the model is fitted to; empty = none."""
    cameras: Sequence[str] = ()
    """Cameras of the demonstrations that count, in the order of the robot's; empty = all that are there."""
    shaping: str = "linear"
    discount: float = 0.99
    success_reward: float = 1.0
