"""What the robot feels, out of its topics: the same choice of numbers as relabelling from bags makes. No ROS."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from robo_reward.episodes.bag_topics import StateTopic
from robo_reward.episodes.ros_fields import numbers_of_message
from robo_reward.state_history import StateHistory

FIELDS: Mapping[str, Sequence[str]] = {
    "geometry_msgs/msg/PoseStamped": ("pose",),
    "geometry_msgs/msg/PointStamped": ("point",),
    "std_msgs/msg/Float64": ("data",),
}
"""Numbers that are meant where a message has no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateInput:
    """A topic that tells a state."""

    name: str
    """As `Clip.state` has it, such as tool_pose (x y z qw qx qy qz)."""
    kind: str
    """Type of its messages, such as `geometry_msgs/msg/PoseStamped`."""
    choice: StateTopic
    size: int
    """How many numbers the state has."""

    def numbers(self, message: Any) -> Float64[np.ndarray, " size"]:
        """Read a message, scaled to SI units.

        Raises:
            ValueError: It lacks a number, or has more than the state.
        """
        return self.choice.scale * numbers_of_message(message, self.choice.fields)


def state_inputs(given: Mapping[str, Any], *, empty: Callable[[str], Any]) -> list[StateInput]:
    """Give the topics that tell states.

    Args:
        given: The node's parameters.
        empty: Gives an empty message of a type, such as `std_msgs/msg/Float64`.

    Raises:
        ValueError: Lists of different length, a name twice, an unknown type, or fields that do not say how many
            numbers they are.
    """
    names = given["state_names"]
    for other in ("state_topics", "state_types", "state_fields", "state_scales"):
        optional = other in ("state_fields", "state_scales")
        if len(given[other]) != len(names) and not (optional and not given[other]):
            raise ValueError(
                f"{other} must {'be empty or ' if optional else ''}have one entry for each of state_names "
                f"{list(names)}, got {list(given[other])}"
            )
    if len(set(names)) != len(names) or not all(names):
        raise ValueError(f"state_names must be different names, got {list(names)}")
    return [_input(given, index, empty) for index in range(len(names))]


def history(inputs: Sequence[StateInput], *, max_age: float) -> StateHistory:
    """Give what remembers these states, empty; one that is older than `max_age` [s] is unknown."""
    return StateHistory({each.name: each.size for each in inputs}, max_age)


def _input(given: Mapping[str, Any], index: int, empty: Callable[[str], Any]) -> StateInput:
    name, kind = given["state_names"][index], _full_kind(given["state_types"][index])
    told = given["state_fields"][index] if given["state_fields"] else ""
    fields = tuple(each.strip() for each in told.split(",")) if told.strip() else FIELDS.get(kind, ())
    if not fields:
        raise ValueError(
            f"state '{name}': say in state_fields which numbers of {kind} are meant, such as "
            "'position.gripper_joint' of a JointState or 'data.0, data.1' of an array"
        )
    scale = float(given["state_scales"][index]) if given["state_scales"] else 1.0
    if not np.isfinite(scale) or scale == 0:
        raise ValueError(f"state '{name}': its scale must be finite and not 0, got {scale:g}")
    if name == "tool_pose" and scale != 1:
        raise ValueError(f"state 'tool_pose' cannot be scaled, its quaternion would be, too; got scale {scale:g}")
    choice = StateTopic(topic=given["state_topics"][index], fields=fields, scale=scale)
    size = sum(_size(name, kind, field, empty(kind)) for field in fields)
    return StateInput(name=name, kind=kind, choice=choice, size=size)


def _size(name: str, kind: str, field: str, message: Any) -> int:
    """How many numbers a field is; what is named one by one is one, though an empty message has none."""
    path, _, last = field.partition(".")
    if hasattr(message, "name") and hasattr(message, path) and last:
        return 1
    if field.rpartition(".")[2].isdigit():
        return 1
    try:
        size = len(numbers_of_message(message, [field]))
    except ValueError as error:
        raise ValueError(f"state '{name}', {kind}: {error}") from error
    if not size:
        raise ValueError(
            f"state '{name}': '{field}' of {kind} may have any number of values; name them one by one, such as "
            f"'{field}.0, {field}.1'" + (f" or '{field}.JOINT'" if hasattr(message, "name") else "")
        )
    return size


def _full_kind(kind: str) -> str:
    """Let `PoseStamped` stand for `geometry_msgs/msg/PoseStamped`, where it is one of the usual ones."""
    usual = {each.rpartition("/")[2]: each for each in (*FIELDS, *UNSIZED)}
    full = usual.get(kind, kind)
    if full.count("/") == 1:
        full = full.replace("/", "/msg/")
    if full.count("/") != 2:
        raise ValueError(f"state_types has '{kind}'; a type is one of {', '.join(sorted(usual))}, or PACKAGE/msg/TYPE")
    return full


UNSIZED = ("sensor_msgs/msg/JointState", "std_msgs/msg/Float64MultiArray")
"""Usual types whose numbers must be named."""
