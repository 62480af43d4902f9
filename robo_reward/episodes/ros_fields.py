"""Numbers out of ROS messages by the names of their fields. Needs no ROS."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

_ORDERS = (("x", "y", "z"), ("w", "x", "y", "z"), ("position", "orientation"), ("linear", "angular"))
"""Fields of the messages of geometry_msgs that stand for several numbers; a quaternion is w x y z."""

_NAMING = ("name", "ids")
"""Fields with the names of what the arrays beside them hold, in that order."""


def numbers_of_message(message: Any, fields: Sequence[str]) -> Float64[np.ndarray, " size"]:
    """Give the numbers of some fields, one after the other.

    A field is a path with dots: `data`, `pose.position.x`. A path that ends at an array gives all of it; at a point or
    a vector x y z; at a quaternion w x y z; at a pose both. In a `sensor_msgs/JointState`, whose order of joints no
    driver promises, `position.NAME` is the joint of that name, and in `robo_reward_msgs/KeyPoints` `points.ID` is the
    point of that id. `data.2` is the third number of an array, from 0.

    Raises:
        ValueError: A field that the message does not have (it names those that there are), or that holds no numbers; an
            array that is too short.
    """
    return np.concatenate([_numbers(message, field) for field in fields])


def _numbers(message: Any, field: str) -> Float64[np.ndarray, " size"]:
    value = message
    rest = field.split(".")
    while rest:
        name = rest.pop(0)
        if name.isdigit() and not rest and not _names(value):
            return _number_at(value, int(name), field)
        if not hasattr(value, name):
            raise ValueError(f"no field '{field}' in the message; there are {', '.join(_names(value))}")
        value = getattr(value, name)
        named = next((each for each in _NAMING if hasattr(message, each)), None)
        if rest and named and value is getattr(message, name) and not hasattr(value, rest[0]):
            # joints may have dots in their names
            return _named(list(getattr(message, named)), value, ".".join(rest), field)
    return _flat(value, field)


def _named(names: list[str], values: Any, wanted: str, field: str) -> Float64[np.ndarray, " size"]:
    """The number, or the point, that has a name in the message."""
    if wanted.isdigit() and wanted not in names:
        return _number_at(values, int(wanted), wanted)
    if wanted not in names:
        raise ValueError(f"no {_kind(values)} '{wanted}' in the message; there are {', '.join(names)}")
    place = names.index(wanted)
    if place >= len(values):
        raise ValueError(f"the message has no value of '{wanted}': {len(values)} values of {len(names)} names")
    return _flat(values[place], field)


def _kind(values: Any) -> str:
    return "point" if len(values) and _names(values[0]) else "joint"


def _number_at(values: Any, index: int, field: str) -> Float64[np.ndarray, " 1"]:
    numbers = _flat(values, field)
    if index >= len(numbers):
        raise ValueError(f"no number {index} in '{field}': the array has {len(numbers)}, counted from 0")
    return numbers[index : index + 1]


def _flat(value: Any, field: str) -> Float64[np.ndarray, " size"]:
    names = set(_names(value))
    for order in _ORDERS:
        if names == set(order):
            return np.concatenate([_flat(getattr(value, name), field) for name in order])
    numbers = np.asarray(value) if not names else None
    if numbers is None or numbers.dtype.kind not in "biuf":
        raise ValueError(f"field '{field}' holds no numbers; name one of {', '.join(sorted(names)) or 'its numbers'}")
    return numbers.astype(np.float64).reshape(-1)


def _names(message: Any) -> list[str]:
    """Fields of a message, as rosbags (dataclasses) and rclpy (typed slots) have them."""
    if hasattr(message, "get_fields_and_field_types"):
        return list(message.get_fields_and_field_types())
    return [name for name in getattr(message, "__dataclass_fields__", ()) if not name.startswith("_")]
