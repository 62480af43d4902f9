"""A node's parameters: of the robot's file, the parameter file and the arguments, checked before it starts. No ROS."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from robo_reward_ros.parameters import Parameter

from robo_reward_bringup.known_nodes import PARAMETER_TABLES
from robo_reward_bringup.launch_arguments import parameter_argument
from robo_reward_bringup.parameter_file import read_parameters

OF_EVERY_NODE = ("use_sim_time", "start_type_description_service")


def parameters_of_node(full_name: str, said: Mapping[str, str], *, base: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters that a node is started with; what is nowhere mentioned keeps the node's own default.

    Args:
        full_name: Such as `/left/reward_node`.
        said: Every argument of the launch file.
        base: What the robot's file says.

    Raises:
        ValueError: A parameter that the node does not have, or a value that it refuses; says whose it was.
    """
    node = full_name.rsplit("/", 1)[-1]
    table = PARAMETER_TABLES.get(node, {})
    filed = read_parameters(Path(said["params_file"]).expanduser(), full_name) if said["params_file"] else {}
    told = {
        name: value_of(parameter, said[parameter_argument(node, name)])
        for name, parameter in table.items()
        if said.get(parameter_argument(node, name))
    }
    found: dict[str, Any] = {}
    for source, given in (("the robot's file", base), (f"params_file {said['params_file']}", filed), ("", told)):
        found |= {name: _checked(node, name, value, source=source) for name, value in given.items()}
    found["use_sim_time"] = _flag(found.get("use_sim_time", False), said)
    # rcl reads an empty list as "not set": that is what it means, too
    return {name: value for name, value in found.items() if value != ()}


def value_of(parameter: Parameter, text: str) -> Any:
    """Read a value of a parameter's type.

    Raises:
        ValueError: The text is no such value.
    """
    if parameter.kind == "string":
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{parameter.name} cannot be read: {text!r}") from error
    if isinstance(parameter.default, tuple) and not isinstance(value, list):
        return tuple(
            yaml.safe_load(each) if parameter.kind == "double_array" else each.strip() for each in text.split(",")
        )
    return value


def _checked(node: str, name: str, value: Any, *, source: str) -> Any:
    told = f"{source}: " if source else ""
    if name in OF_EVERY_NODE or name.startswith("qos_overrides."):
        return value
    table = PARAMETER_TABLES.get(node, {})
    if name not in table:
        near = difflib.get_close_matches(name, table, n=3, cutoff=0.5)
        hint = f": do you mean {' or '.join(near)}?" if near else f": it has {', '.join(table)}"
        raise ValueError(f"{told}{node} has no parameter '{name}'{hint}")
    parameter = table[name]
    if isinstance(value, list | tuple):
        # ROS takes no whole number for a fraction
        whole = parameter.kind == "double_array"
        value = tuple(float(each) if whole and type(each) is int else each for each in value)
    if parameter.kind == "double" and type(value) is int:
        value = float(value)
    problem = parameter.problem(value)
    if problem:
        raise ValueError(f"{told}{node}: {problem}")
    return value


def _flag(filed: Any, said: Mapping[str, str]) -> bool:
    """use_sim_time: of the argument or, where that is false, of the parameter file."""
    told = yaml.safe_load(said["use_sim_time"])
    if not isinstance(told, bool) or not isinstance(filed, bool):
        raise ValueError(f"use_sim_time must be true or false, got '{said['use_sim_time']}' and {filed!r}")
    return told or filed
