"""SROS2 policies say exactly what the nodes do; whether DDS enforces them, only an installation of ROS shows."""

from xml.etree import ElementTree

import pytest
from robo_reward_bringup.known_nodes import PORTS
from robo_reward_bringup.nodes_of_robot import bring_up
from robo_reward_bringup.robot_file import read_robot
from robo_reward_bringup.security_policy import of_robot, rules
from robo_reward_bringup.shares import robot_names, robot_path, share


def described(robot: str, **given: str):
    return bring_up(read_robot(robot_path(robot)), given | {"dds_profile": "none"})


@pytest.mark.parametrize("robot", robot_names())
def test_the_policies_that_come_along_are_those_of_the_code(robot):
    path = share() / "security" / f"{robot}.policy.xml"
    assert path.read_text() == of_robot(robot), "python -m robo_reward_bringup.security_policy --write makes them anew"


def test_every_node_has_an_enclave_and_may_do_nothing_but_what_it_does():
    root = ElementTree.fromstring(of_robot("ur5e", ["namespace:=left"]))
    names = ("robot_ok_relay", "reward_node", "gate_node", "activate_reward_node")
    assert [each.get("path") for each in root.iter("context")] == [f"/robo_reward/left/{name}" for name in names]
    for profile in root.iter("profile"):
        assert profile.get("ns") == "/left"
        for rule in profile:
            assert rule.tag in ("topics", "services", "actions")
            assert set(rule.attrib.values()) == {"ALLOW"}
            assert all(each.text.startswith("/") and "*" not in each.text for each in rule)


def test_the_reward_node_hears_its_cameras_and_its_robot_and_commands_nothing():
    found = rules(described("ur5e", namespace="left").node("/left/reward_node"))
    assert {"/left/cameras/front/color/image_raw", "/left/robot_ok"} <= set(found["topic", "subscribe"])
    assert "/left/reward_node/change_state" in found["service", "reply"]
    assert ("service", "request") not in found
    assert not any("trajectory" in name or "command" in name for name in found["topic", "publish"])


def test_renamed_topics_are_allowed_under_their_new_names():
    nodes = described("ur5e", **{"reward_node/reward": "/stamped", "front_topic": "/cam/image_raw"})
    assert "/stamped" in rules(nodes.node("/reward_node"))["topic", "publish"]
    assert "/stamped" in rules(nodes.node("/gate_node"))["topic", "subscribe"]
    assert "/cam/image_raw" in rules(nodes.node("/reward_node"))["topic", "subscribe"]


def test_the_relay_hears_what_its_conditions_name_and_the_activator_asks_one_node_only():
    found = rules(described("franka").node("/robot_ok_relay"))
    assert "/franka_robot_state_broadcaster/robot_state" in found["topic", "subscribe"]
    assert "/robot_ok" in found["topic", "publish"]
    root = ElementTree.fromstring(of_robot("franka"))
    asked = [each.text for rule in root.iter("services") if rule.get("request") for each in rule]
    assert asked == ["/reward_node/change_state", "/reward_node/get_state"]


@pytest.mark.parametrize("node", sorted(PORTS))
def test_every_topic_of_the_reference_is_in_a_policy(node):
    policy = {"policy_node.policy": "reach.zip", "policy_node.robot": "arm.yaml"}
    nodes = {each.name: each for robot in ("sim_arm", "ur5e") for each in described(robot, **policy).nodes}
    found = {name for names in rules(nodes[node]).values() for name in names}
    own = {port.name.replace("~/", f"/{node}/") for port in PORTS[node] if port.name.startswith("~/")}
    assert own - found <= {f"/{node}/robot_ok"}, "only that one is renamed"
