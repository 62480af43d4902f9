"""A node to be started: what `ros2 launch` and plain Python need to know of it. No ROS."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeDescription:
    """One process with one node.

    Raises:
        ValueError: A log level that there is not, or a negative delay.
    """

    package: str
    executable: str
    module: str = ""
    """Python module that runs it, for starts without an installed package; empty = only `executable`."""
    name: str
    namespace: str = "/"
    """Absolute."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Name to bool, int, float, str or a tuple of str."""
    remappings: Mapping[str, str] = field(default_factory=dict)
    """Topic or service to another name; relative ones are relative to the namespace."""
    arguments: tuple[str, ...] = ()
    """Before `--ros-args`."""
    lifecycle: bool = False
    """Must be configured and activated."""
    respawn: bool = True
    respawn_delay: float = 1.0
    """Time between its end and its new start [s]."""
    log_level: str = "info"
    secured: bool = False
    """Started in its enclave of SROS2."""

    def __post_init__(self) -> None:
        if self.log_level not in LOG_LEVELS:
            raise ValueError(f"log_level must be one of {', '.join(LOG_LEVELS)}; got '{self.log_level}'")
        if self.respawn_delay < 0:
            raise ValueError(f"respawn_delay must be >= 0 s, got {self.respawn_delay:g}")

    @property
    def full_name(self) -> str:
        """Name with its namespace, such as `/left/reward_node`."""
        return f"{self.namespace.rstrip('/')}/{self.name}"

    def command(self, *, python: str = sys.executable) -> list[str]:
        """Give the command that starts it; a Python module where there is one, else the executable of ROS.

        Args:
            python: The interpreter.

        Raises:
            FileNotFoundError: It has no module, and its package is not installed.
        """
        start = [python, "-m", self.module] if self.module else [_installed(self.package, self.executable)]
        words = [*start, *self.arguments, "--ros-args", "-r", f"__node:={self.name}", "-r", f"__ns:={self.namespace}"]
        for old, new in self.remappings.items():
            words += ["-r", f"{old}:={new}"]
        for name, value in self.parameters.items():
            words += ["-p", f"{name}:={yaml_of(value)}"]
        return [*words, *self.ros_arguments]

    @property
    def ros_arguments(self) -> list[str]:
        """What follows `--ros-args` beside names, remappings and parameters."""
        enclave = ["--enclave", enclave_of(self.full_name)] if self.secured else []
        return ["--log-level", self.log_level, *enclave]

    def shell(self) -> str:
        """Give the command as a line for a shell."""
        return shlex.join(self.command(python="python"))


def enclave_of(full_name: str) -> str:
    """Give the enclave of SROS2 that a node is started in."""
    return f"/robo_reward{full_name}"


def yaml_of(value: Any) -> str:
    """Write a parameter's value so that ROS reads the same value of the same type.

    JSON is YAML, and quotes every string: `on`, `1` and `null` stay strings. A whole number that is a float keeps its
    point.
    """
    plain = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    return json.dumps(plain, ensure_ascii=False)


def _installed(package: str, executable: str) -> str:
    problem = (
        f"{package}/{executable} cannot be started: {package} is not installed "
        f"(sudo apt-get install ros-$ROS_DISTRO-{package.replace('_', '-')})"
    )
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_prefix  # noqa: PLC0415 (only with ROS)
    except ImportError as error:
        raise FileNotFoundError(problem) from error
    try:
        path = Path(get_package_prefix(package)) / "lib" / package / executable
    except (PackageNotFoundError, OSError) as error:
        raise FileNotFoundError(problem) from error
    if not path.is_file():
        raise FileNotFoundError(problem)
    return str(path)
