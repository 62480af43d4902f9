"""Stand-ins for `launch` and `launch_ros` that record what they are given, where those are not installed.

Their constructors take the keywords that the real ones have and ours pass, so that every line of the launch files runs;
whether ROS does what is recorded, only an installation of ROS shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any


@dataclass(eq=False)
class LaunchDescription:
    entities: list[Any]


@dataclass(eq=False)
class DeclareLaunchArgument:
    name: str
    default_value: str | None = None
    description: str = ""


@dataclass(eq=False)
class SetEnvironmentVariable:
    name: str
    value: str


@dataclass(eq=False)
class OpaqueFunction:
    function: Callable[..., Any] = field(kw_only=True)
    args: list[Any] = field(kw_only=True, default_factory=list)

    def execute(self, **configurations: str) -> list[Any]:
        return self.function(SimpleNamespace(launch_configurations=configurations), *self.args)


@dataclass(eq=False)
class Shutdown:
    reason: str = field(kw_only=True)


@dataclass(eq=False, kw_only=True)
class Node:
    package: str
    executable: str
    name: str
    namespace: str
    parameters: list[dict[str, Any]]
    output: str
    remappings: list[tuple[str, str]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    ros_arguments: list[str] = field(default_factory=list)
    respawn: bool = False
    respawn_delay: float | None = None
    on_exit: Any = None


class LifecycleNode(Node):
    pass


@dataclass(eq=False, kw_only=True)
class OnProcessStart:
    target_action: Node
    on_start: Callable[[Any, Any], list[Any]]


@dataclass(eq=False)
class RegisterEventHandler:
    event_handler: OnProcessStart


def modules() -> dict[str, ModuleType]:
    """Give the stand-ins by the names under which they are imported."""
    contents = {
        "launch": {"LaunchContext": object, "LaunchDescription": LaunchDescription},
        "launch.actions": {
            each.__name__: each
            for each in (DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler, SetEnvironmentVariable, Shutdown)
        },
        "launch.event_handlers": {"OnProcessStart": OnProcessStart},
        "launch_ros": {},
        "launch_ros.actions": {"LifecycleNode": LifecycleNode, "Node": Node},
    }
    found = {}
    for name, members in contents.items():
        found[name] = ModuleType(name)
        vars(found[name]).update(members)
    return found
