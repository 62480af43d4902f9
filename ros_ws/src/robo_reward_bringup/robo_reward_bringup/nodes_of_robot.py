"""From a robot and what was said to the launch file to the nodes that are started. No ROS."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from robo_reward_bringup.launch_arguments import complete, port_arguments, topic_argument
from robo_reward_bringup.node_description import NodeDescription
from robo_reward_bringup.node_parameters import parameters_of_node
from robo_reward_bringup.rig_transforms import transforms_of_rig
from robo_reward_bringup.robot_file import Robot
from robo_reward_bringup.shares import transport_profile

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Kilted reads the first, Jazzy the second."""
RELAY_TIMEOUT = 1.0  # a relay says robot_ok every 0.1 s
SIMULATED_TIMEOUT = 2.0  # the simulated arm says it twice a second


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BringUp:
    """Everything that is started, and the environment that it is started in."""

    nodes: tuple[NodeDescription, ...]
    environment: Mapping[str, str]
    """Variables in addition to those that are there."""
    autostart: bool = True
    activation_timeout: float = 120.0
    """How long a lifecycle node may take to become active [s]."""

    def node(self, name: str) -> NodeDescription:
        """Give a node by its full name.

        Raises:
            ValueError: There is none of that name.
        """
        found = {each.full_name: each for each in self.nodes}
        if name not in found:
            raise ValueError(f"no node '{name}': there are {', '.join(found)}")
        return found[name]


def bring_up(robot: Robot, given: Mapping[str, str], *, environment: Mapping[str, str] | None = None) -> BringUp:
    """Describe what is to be started.

    Args:
        robot: Where things are heard.
        given: Arguments of the launch file by name, as text.
        environment: Of the caller; None = this process's.

    Raises:
        ValueError: An argument or a parameter that there is not, or a value that is not allowed.
    """
    said = complete(robot, given)
    common = _common(robot, said)
    nodes = [*_sources(robot, said, common)]
    reward = _node("reward_node", robot, said, common, base=_reward_base(robot, said), lifecycle=True)
    if _yes(said, "publish_rig"):
        nodes += _transforms(reward, common)
    nodes.append(reward)
    if _yes(said, "gate"):
        base = {"discount": reward.parameters.get("discount", 0.99), **_heeding(robot, said)}
        nodes.append(_node("gate_node", robot, said, common, base=base))
    if said["policy_node.policy"]:
        nodes.append(_policy(robot, said, common))
    return BringUp(
        nodes=tuple(nodes),
        environment=transport(said["dds_profile"], os.environ if environment is None else environment),
        autostart=_yes(said, "autostart"),
        activation_timeout=_number(said, "activation_timeout"),
    )


def together(arms: Sequence[BringUp]) -> BringUp:
    """Describe several arms that are started together.

    Raises:
        ValueError: A node's full name twice: give each arm a namespace of its own.
    """
    names = [node.full_name for arm in arms for node in arm.nodes]
    if len(set(names)) != len(names):
        raise ValueError(f"two nodes have one name: {sorted(names)}; give each arm a namespace of its own")
    environment = {name: value for arm in arms for name, value in arm.environment.items()}
    return BringUp(
        nodes=tuple(node for arm in arms for node in arm.nodes),
        environment=environment,
        autostart=all(arm.autostart for arm in arms),
        activation_timeout=max(arm.activation_timeout for arm in arms),
    )


def transport(profile: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that make Fast DDS carry large pictures; none where the user already has a profile.

    Args:
        profile: `large_images`, `none`, or the path of an XML file.
        environment: Variables that are there already.

    Raises:
        ValueError: No such file.
    """
    if profile == "none" or any(environment.get(name) for name in PROFILE_VARIABLES):
        return {}
    path = transport_profile() if profile == "large_images" else Path(profile).expanduser()
    if not path.is_file():
        raise ValueError(f"dds_profile must be large_images, none or the path of an XML file; got '{profile}'")
    return dict.fromkeys(PROFILE_VARIABLES, str(path))


def activator(node: NodeDescription, *, timeout: float) -> NodeDescription:
    """Describe the process that takes a lifecycle node to active, once it was started; it ends when that is done."""
    return NodeDescription(
        package="robo_reward_bringup",
        executable="activate",
        module="robo_reward_bringup.activate",
        name=f"activate_{node.name}",
        namespace=node.namespace,
        parameters={"node": node.full_name, "timeout": timeout},
        respawn=False,
        log_level=node.log_level,
        secured=node.secured,
    )


def _common(robot: Robot, said: Mapping[str, str]) -> dict[str, Any]:
    return {
        "namespace": "/" + said["namespace"].strip("/"),
        "remappings": {"reward_node/robot_ok": "robot_ok", "gate_node/robot_ok": "robot_ok"}
        | {each.name: said[each.name] for each in port_arguments(robot) if said[each.name]},
        "respawn": _yes(said, "respawn"),
        "respawn_delay": _number(said, "respawn_delay"),
        "log_level": said["log_level"],
        "secured": _yes(said, "enclaves"),
    }


def _sources(robot: Robot, said: Mapping[str, str], common: Mapping[str, Any]) -> list[NodeDescription]:
    """Describe what the reward node listens to: the simulated arm, camera drivers, the relay."""
    found = []
    if robot.simulated:
        found.append(_simulated_arm(robot, said, common))
    if _yes(said, "start_cameras"):
        found += _drivers(robot, common)
    if robot.robot_ok and _yes(said, "heed_robot"):
        base = {"conditions": robot.robot_ok}
        found.append(_node("robot_ok_relay", robot, said, common, base=base, package="robo_reward_bringup"))
    return found


def _simulated_arm(robot: Robot, said: Mapping[str, str], common: Mapping[str, Any]) -> NodeDescription:
    # it is the clock where the others follow one
    clock = {"publish_clock": True} if _yes(said, "use_sim_time") else {}
    return _node("sim_arm_node", robot, {**said, "use_sim_time": "false"}, common, base=clock)


def _drivers(robot: Robot, common: Mapping[str, Any]) -> list[NodeDescription]:
    if not any(each.driver for each in robot.cameras.values()):
        raise ValueError(f"start_cameras: the file of robot {robot.name} names no driver; start your own")
    found = []
    for camera in robot.cameras.values():
        if camera.driver:
            *groups, name = camera.topic.split("/color/")[0].split("/")
            placed = {**common, "namespace": "/".join([common["namespace"].rstrip("/"), *groups]) or "/"}
            parameters = {"camera_name": name, **camera.driver}
            found.append(
                NodeDescription(
                    package="realsense2_camera",
                    executable="realsense2_camera_node",
                    name=name,
                    **{**placed, "parameters": parameters, "remappings": {}},
                )
            )
    return found


def _node(
    name: str,
    robot: Robot,
    said: Mapping[str, str],
    common: Mapping[str, Any],
    *,
    base: Mapping[str, Any],
    package: str = "robo_reward_ros",
    lifecycle: bool = False,
) -> NodeDescription:
    full_name = f"{common['namespace'].rstrip('/')}/{name}"
    return NodeDescription(
        package=package,
        executable=name,
        module=f"{package}.{name}",
        name=name,
        parameters=parameters_of_node(full_name, said, base=dict(base) | dict(robot.parameters.get(name, {}))),
        lifecycle=lifecycle,
        **common,
    )


def _policy(robot: Robot, said: Mapping[str, str], common: Mapping[str, Any]) -> NodeDescription:
    node = _node("policy_node", robot, said, common, base={})
    if not node.parameters.get("robot"):
        raise ValueError("policy_node.policy: name what its actions do, too: policy_node.robot:=ROBOT.yaml")
    if not _yes(said, "gate") and node.parameters.get("use_gate", True):
        raise ValueError("policy_node.policy: it waits for the gate: gate:=true, or policy_node.use_gate:=false")
    # one that acts from its start must not do so again after it died: a person looks first
    return replace(node, respawn=node.respawn and not node.parameters.get("enabled", False))


def _transforms(reward: NodeDescription, common: Mapping[str, Any]) -> list[NodeDescription]:
    if not reward.parameters.get("rig"):
        raise ValueError("publish_rig: name the rig, too: rig:=RIG.yaml")
    return transforms_of_rig(Path(reward.parameters["rig"]).expanduser(), common)


def _reward_base(robot: Robot, said: Mapping[str, str]) -> dict[str, Any]:
    topics = [said[topic_argument(name)] or camera.topic for name, camera in robot.cameras.items()]
    optional = tuple(name for name, camera in robot.cameras.items() if camera.optional)
    return {
        "cameras": tuple(robot.cameras),
        "image_topics": tuple(topics),
        "optional_cameras": optional,
        **_infos(robot, said),
        **_heeding(robot, said),
    }


def _infos(robot: Robot, said: Mapping[str, str]) -> dict[str, Any]:
    infos = tuple(camera.info for camera in robot.cameras.values())
    return {"camera_info_topics": infos} if said["rig"] and any(infos) else {}


def _heeding(robot: Robot, said: Mapping[str, str]) -> dict[str, Any]:
    if not _yes(said, "heed_robot") or not (robot.robot_ok or robot.simulated):
        return {}
    return {"use_robot_ok": True, "robot_ok_timeout": SIMULATED_TIMEOUT if robot.simulated else RELAY_TIMEOUT}


def _yes(said: Mapping[str, str], name: str) -> bool:
    value = yaml.safe_load(said[name])
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got '{said[name]}'")
    return value


def _number(said: Mapping[str, str], name: str) -> float:
    try:
        return float(said[name])
    except ValueError as error:
        raise ValueError(f"{name} must be a number of seconds, got '{said[name]}'") from error
