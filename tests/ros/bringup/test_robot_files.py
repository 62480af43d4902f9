"""Robots that come along, and what is wrong with those that do not."""

import pytest
from robo_reward_bringup.known_nodes import PARAMETER_TABLES
from robo_reward_bringup.robot_file import read_robot
from robo_reward_bringup.shares import robot_names, robot_path, transport_profile

ROBOT = """
about: somebody's arm
cameras:
  front: {topic: front/image_raw}
  wrist: {topic: wrist/image_raw/compressed, optional: true}
robot_ok: [arm/ok std_msgs/msg/Bool data true latched]
parameters: {reward_node: {discount: 0.9}}
"""


@pytest.fixture
def robot_of(tmp_path):
    def read(text: str):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return read_robot(path)

    return read


@pytest.mark.parametrize("name", robot_names())
def test_every_robot_that_comes_along_can_be_read_and_says_who_publishes_its_names(name):
    robot = read_robot(robot_path(name))
    assert robot.name == name
    assert robot.about
    assert all(not camera.topic.startswith("/") for camera in robot.cameras.values()), "a namespace must move all of it"
    assert set(robot.parameters) <= set(PARAMETER_TABLES)
    for condition in robot.conditions:
        assert not condition.topic.startswith("/")


def test_the_robots_of_the_launch_files_are_there():
    assert robot_names() == ["franka", "sim_arm", "so101", "ur5e", "xarm7"]


def test_a_file_becomes_a_robot(robot_of):
    robot = robot_of(ROBOT)
    assert (robot.name, robot.about, robot.simulated) == ("mine", "somebody's arm", False)
    assert robot.cameras["wrist"].optional
    assert [each.topic for each in robot.conditions] == ["arm/ok"]
    assert robot.parameters["reward_node"] == {"discount": 0.9}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", r"robot .*mine.yaml: a robot must be a mapping with the keys about, cameras"),
        ("about: x", r"a robot has the keys .*; unknown: \[\], missing: \['cameras'\]"),
        (ROBOT + "speed: 1\n", r"unknown: \['speed'\], missing: \[\]"),
        ("about: x\ncameras: {}", "cameras is empty: a robot needs at least one camera"),
        ("about: x\ncameras: {a: {topic: a, optional: true}}", r"cameras \['a'\] are all optional: at least one"),
        ("about: x\ncameras: {a: {topik: a}}", r"camera a has the keys .* unknown: \['topik'\], missing: \['topic'\]"),
        ("about: x\ncameras: {a: {topic: a}}\nrobot_ok: [no]", "a condition has the form 'TOPIC PACKAGE/msg/TYPE"),
        ("about: [", r"robot .*mine.yaml: "),
    ],
)
def test_what_is_wrong_with_a_robots_file_is_said(robot_of, text, problem):
    with pytest.raises(ValueError, match=problem):
        robot_of(text)


def test_a_robot_is_found_by_name_or_by_path(tmp_path):
    path = tmp_path / "arm.yaml"
    path.write_text(ROBOT)
    assert robot_path(str(path)) == path
    with pytest.raises(
        ValueError, match="no robot 'ur6': there are franka, sim_arm, so101, ur5e, xarm7, or name a YAML"
    ):
        robot_path("ur6")


def test_the_transport_profile_has_room_for_large_pictures():
    text = transport_profile().read_text()
    assert "<segment_size>67108864</segment_size>" in text
    assert "<useBuiltinTransports>false</useBuiltinTransports>" in text
