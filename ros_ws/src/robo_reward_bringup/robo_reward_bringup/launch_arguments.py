"""What can be said to a launch file, and what was said: one table for `ros2 launch` and plain Python. No ROS."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from robo_reward_ros.parameters import ParameterTable

from robo_reward_bringup.known_nodes import PARAMETER_TABLES, PORTS
from robo_reward_bringup.robot_file import Robot


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a launch file."""

    name: str
    doc: str
    default: str = ""
    """Empty = not given: what the robot's file, the parameter file or the node itself has."""


GENERAL = (
    Argument(name="namespace", doc="of every node and relative topic; one per arm, such as left"),
    Argument(name="params_file", doc="parameters of the nodes, as `--params-file` takes them; arguments overrule it"),
    Argument(name="use_sim_time", default="false", doc="follow /clock: a simulator's, or that of a bag"),
    Argument(name="log_level", default="info", doc="debug, info, warn, error or fatal"),
    Argument(name="autostart", default="true", doc="take the reward node to active; again, when it was started anew"),
    Argument(name="respawn", default="true", doc="start a node that died anew; false: its end ends everything"),
    Argument(name="respawn_delay", default="1.0", doc="how long after its end a node is started anew [s]"),
    Argument(name="activation_timeout", default="120.0", doc="how long the reward node may take to become active [s]"),
    Argument(name="gate", default="true", doc="start a gate, too"),
    Argument(
        name="heed_robot", default="true", doc="heed what says that the robot may go on, if its file names anything"
    ),
    Argument(name="start_cameras", default="false", doc="start the camera drivers that the robot's file names, too"),
    Argument(
        name="publish_rig", default="false", doc="publish where the cameras of `rig` stand on /tf_static, by tf2_ros"
    ),
    Argument(
        name="enclaves", default="false", doc="start each node in its enclave of SROS2: /robo_reward/NAMESPACE/NODE"
    ),
    Argument(
        name="dds_profile",
        default="large_images",
        doc="large_images, the path of a Fast DDS profile, or none; a profile of your environment goes first",
    ),
)
"""Arguments that every robot has."""


def short(camera: str) -> str:
    """Give the last word of a camera's name: `observation.images.front` is `front`."""
    return camera.rsplit(".", 1)[-1]


def topic_argument(camera: str) -> str:
    """Give the argument that names a camera's topic."""
    return f"{short(camera)}_topic"


def port_arguments(robot: Robot) -> list[Argument]:
    """Give the arguments that rename topics and services: each has the very name that it renames."""
    found: dict[str, Argument] = {}
    for node, ports in PORTS.items():
        if node != "sim_arm_node" or robot.simulated:
            for port in ports:
                if port.name not in PARAMETER_TABLES[node] and "NAME" not in port.name:  # parameters rename the others
                    name = port.name.replace("~/", f"{node}/")
                    found.setdefault(name, Argument(name=name, doc=f"another name for it ({port.kind}: {port.doc})"))
    return list(found.values())


def parameter_argument(node: str, parameter: str) -> str:
    """Give the argument that sets a parameter: the reward node's have their own names, others the node's before it."""
    return parameter if node == "reward_node" else f"{node}.{parameter}"


def arguments_of(robot: Robot) -> list[Argument]:
    """Give every argument that a robot's launch file takes."""
    found = list(GENERAL)
    for camera, heard in robot.cameras.items():
        found.append(Argument(name=topic_argument(camera), doc=f"image topic of {camera}; now {heard.topic}"))
    for node, table in PARAMETER_TABLES.items():
        if node == "sim_arm_node" and not robot.simulated:
            continue
        found += _of_table(node, table, robot.parameters.get(node, {}))
    return found + port_arguments(robot)


def _of_table(node: str, table: ParameterTable, given: Mapping[str, object]) -> Iterable[Argument]:
    for name, parameter in table.items():
        now = given.get(name, parameter.default)
        yield Argument(name=parameter_argument(node, name), doc=f"{parameter.doc}; now {now!r}")


def read_words(words: Iterable[str]) -> dict[str, str]:
    """Read `name:=value` words.

    Raises:
        ValueError: A word of another form, or a name twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise ValueError(f"'{word}' is no argument: arguments have the form name:=value")
        if name in found:
            raise ValueError(f"{name} is given twice: {found[name]!r} and {value!r}")
        found[name] = value
    return found


def complete(robot: Robot, given: Mapping[str, str]) -> dict[str, str]:
    """Give the value of every argument.

    Raises:
        ValueError: An argument that there is not; names what is near it.
    """
    known = {each.name: each.default for each in arguments_of(robot)}
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f": do you mean {' or '.join(near)}?" if near else ": --show-args tells which there are"
            raise ValueError(f"robot {robot.name} has no argument '{name}'{hint}")
    return known | dict(given)
