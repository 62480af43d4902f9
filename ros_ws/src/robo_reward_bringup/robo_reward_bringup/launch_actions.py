"""Turns descriptions into actions of `ros2 launch`; everything that is computed is computed elsewhere, without it."""

from collections.abc import Mapping
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler, SetEnvironmentVariable, Shutdown
from launch.event_handlers import OnProcessStart
from launch_ros.actions import LifecycleNode, Node

from robo_reward_bringup.launch_arguments import arguments_of
from robo_reward_bringup.node_description import NodeDescription
from robo_reward_bringup.nodes_of_robot import BringUp, activator, bring_up, together
from robo_reward_bringup.robot_file import Robot, read_robot
from robo_reward_bringup.shares import robot_path


def launch_robot(name: str) -> LaunchDescription:
    """Give the launch description of one robot.

    Args:
        name: Of a robot that comes along, or the path of its YAML.
    """
    robot = read_robot(robot_path(name))
    return LaunchDescription([*declared(robot), OpaqueFunction(function=_start, args=[robot])])


def launch_arms(name: str, namespaces: tuple[str, ...]) -> LaunchDescription:
    """Give the launch description of several like arms, each in a namespace of its own.

    Every argument but the namespace is meant for all; what differs stands in `params_file`, by the nodes' full names.
    """
    robot = read_robot(robot_path(name))
    arguments = [each for each in declared(robot) if each.name != "namespace"]
    return LaunchDescription([*arguments, OpaqueFunction(function=_start_arms, args=[robot, namespaces])])


def launch_any() -> LaunchDescription:
    """Give the launch description of the robot that the argument `robot` names; any of its arguments, too."""
    which = DeclareLaunchArgument("robot", description="name of a robot that comes along, or the path of its YAML")
    return LaunchDescription([which, OpaqueFunction(function=_start_named)])


def declared(robot: Robot) -> list[DeclareLaunchArgument]:
    """Give the arguments, as `--show-args` lists them."""
    return [
        DeclareLaunchArgument(each.name, default_value=each.default, description=each.doc)
        for each in arguments_of(robot)
    ]


def actions(described: BringUp) -> list[Any]:
    """Give the actions that start a description."""
    found: list[Any] = [SetEnvironmentVariable(name, value) for name, value in described.environment.items()]
    for node in described.nodes:
        action = node_action(node)
        if node.lifecycle and described.autostart:
            found.append(_activating(action, node, described.activation_timeout))
        found.append(action)
    return found


def node_action(node: NodeDescription) -> Node:
    """Give the action that runs a node."""
    kind = LifecycleNode if node.lifecycle else Node
    return kind(
        package=node.package,
        executable=node.executable,
        name=node.name,
        namespace=node.namespace,
        parameters=[
            {name: list(value) if isinstance(value, tuple) else value for name, value in node.parameters.items()}
        ],
        remappings=list(node.remappings.items()),
        arguments=list(node.arguments),
        ros_arguments=node.ros_arguments,
        output="screen",
        respawn=node.respawn,
        respawn_delay=node.respawn_delay,
        on_exit=None if node.respawn else Shutdown(reason=f"{node.full_name} ended, and respawn is off"),
    )


def _activating(action: Node, node: NodeDescription, timeout: float) -> RegisterEventHandler:
    """Have each start of a node, the first and those after its death, followed by its activation.

    A process that asks again until it is answered, not launch's own `ChangeState` event: a killed node's services stay
    matched until DDS notices, and launch would wait for the answer of the dead.
    """

    def activate(event: Any, context: LaunchContext) -> list[Node]:
        helper = activator(node, timeout=timeout)
        # a new action each time: launch executes an action only once
        return [
            Node(
                package=helper.package,
                executable=helper.executable,
                name=helper.name,
                namespace=helper.namespace,
                parameters=[dict(helper.parameters)],
                ros_arguments=helper.ros_arguments,
                output="screen",
            )
        ]

    return RegisterEventHandler(OnProcessStart(target_action=action, on_start=activate))


def _start(context: LaunchContext, robot: Robot) -> list[Any]:
    return actions(bring_up(robot, _given(context.launch_configurations, robot)))


def _start_arms(context: LaunchContext, robot: Robot, namespaces: tuple[str, ...]) -> list[Any]:
    given = _given(context.launch_configurations, robot)
    return actions(together([bring_up(robot, given | {"namespace": each}) for each in namespaces]))


def _start_named(context: LaunchContext) -> list[Any]:
    return _start(context, read_robot(robot_path(context.launch_configurations["robot"])))


def _given(configurations: Mapping[str, str], robot: Robot) -> dict[str, str]:
    known = {each.name for each in arguments_of(robot)}
    return {name: value for name, value in configurations.items() if name in known}
