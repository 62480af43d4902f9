"""What a ROS parameter file says to one node, wildcards resolved. No ROS."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

MARK = "ros__parameters"


def read_parameters(path: Path, node: str) -> dict[str, Any]:
    """Give the parameters that a file has for a node; of several entries that match, the later wins.

    Args:
        path: A file as `--params-file` takes it: node names, `/*` for one level and `/**` for any, to parameters.
        node: Full name, such as `/left/reward_node`.

    Raises:
        ValueError: It cannot be read, or is no such file; names it.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"params_file {path} cannot be read: {error}") from error
    entries = list(_entries(content, "")) if isinstance(content, Mapping) else []
    if not entries:
        raise ValueError(f"params_file {path} holds no '{MARK}': it must be node: {{{MARK}: {{name: value}}}}")
    found: dict[str, Any] = {}
    for name, parameters in entries:
        if matches(name, node):
            found |= dict(_flat(parameters or {}, ""))
    return found


def matches(pattern: str, node: str) -> bool:
    """Say whether a node name of a parameter file stands for a node: `*` is one level, `**` any number of them."""
    expression = "/".join(
        "[^/]+" if each == "*" else ".*" if each == "**" else re.escape(each) for each in _parts(pattern)
    )
    # /**/a is /a, too
    expression = ("/" + expression).replace("/.*", "(?:/.*)?")
    return re.fullmatch(expression, node) is not None


def _parts(name: str) -> list[str]:
    return [each for each in name.split("/") if each]


def _entries(content: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if name == MARK:
            yield above, value
        elif isinstance(value, Mapping):
            yield from _entries(value, f"{above}/{str(name).strip('/')}")


def _flat(parameters: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
