"""Settings of a robot, and what its actions do; no ROS is needed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robo_reward_ros.robot_env_actions import JointDeltas, ToolDeltas
from robo_reward_ros.robot_env_settings import EpisodeSettings, RobotSettings, StateSource, read_robot, robot_of

ROBOT = """
robot:
  joints: [pan, lift]
  states:
    arm: {topic: joint_states, fields: [position.pan, position.lift]}
    width: {topic: gripper, type: std_msgs/msg/Float64, scale: 0.001}
  actions:
    _target_: robo_reward_ros.robot_env_actions.JointDeltas
    scale: [0.1, 0.2]
    lower: [-1.0, -1.0]
    upper: [1.0, 1.0]
  step_duration: 0.05
  steps_per_action: 4
episodes:
  horizon: 40
  discount: 0.9
"""
PLAIN = {
    "joints": ["slide"],
    "states": {"slide": {"topic": "joint_states", "fields": ["position.slide"]}},
    "actions": {
        "_target_": "robo_reward_ros.robot_env_actions.JointDeltas",
        "scale": [0.1],
        "lower": [0.0],
        "upper": [1.0],
    },
}


class Straight:
    """Joints that are the tool's coordinates."""

    def joint_targets(self, joint_position, tool_delta):
        return joint_position + tool_delta


def test_a_robot_is_read_from_yaml(tmp_path):
    (tmp_path / "robot.yaml").write_text(ROBOT)
    robot, episodes = read_robot(tmp_path / "robot.yaml")
    assert robot.action_duration == pytest.approx(0.2)
    assert list(robot.states) == ["arm", "width"]
    assert robot.states["width"].scale == 0.001
    assert robot.actions.size == 2
    assert (episodes.horizon, episodes.discount, episodes.reset_timeout) == (40, 0.9, 60.0)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"robot=.*robot.yaml: there is no such file"):
        read_robot(tmp_path / "robot.yaml")


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ([], "robot: must be a mapping with `robot`, and `episodes` where it is wanted"),
        ({"robot": {"joints": ["a"]}}, "robot: robot: states, actions must be given"),
        ({"robot": PLAIN | {"cmaera": 1}}, "robot: robot: unknown cmaera; there are joints, states, actions, cameras"),
        ({"robot": PLAIN | {"states": {"a": {"tpic": "b"}}}}, "robot: robot.states.a: unknown tpic; there are topic"),
        ({"robot": PLAIN, "episodes": {"horizn": 3}}, "robot: episodes: unknown horizn; there are horizon, discount"),
        (
            {"robot": PLAIN | {"joints": ["a", "a"]}},
            r"joints must be at least one, none of them twice, got \['a', 'a'\]",
        ),
        ({"robot": PLAIN | {"states": {}}}, "states and cameras are empty: name what a policy observes"),
        ({"robot": PLAIN | {"step_duration": 0.0}}, "step_duration must be > 0, got 0.0"),
        ({"robot": PLAIN, "episodes": {"reward_wait": -1.0}}, "reward_wait must be >= 0 s, got -1.0"),
        ({"robot": PLAIN, "episodes": {"max_hold": math.nan}}, "max_hold must be > 0, got nan"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(given_, text):
    with pytest.raises(ValueError, match=text):
        robot_of(given_)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"fields": []}, r"the fields of 'a' must be a list of at least one, got \[\]"),
        ({"fields": "data"}, "the fields of 'a' must be a list of at least one, got 'data'"),
        ({"type": "Float64"}, "the type of 'a' must be such as std_msgs/msg/Float64, got 'Float64'"),
    ],
)
def test_a_source_of_a_state_is_checked(source, text):
    with pytest.raises(ValueError, match=text):
        StateSource(topic="a", **source)


UNIT = st.floats(-3, 3)


@given(st.lists(UNIT, min_size=2, max_size=2), st.lists(st.floats(-2, 2), min_size=2, max_size=2))
def test_joint_displacements_are_bounded_and_stay_within_the_limits(action, joints):
    deltas = JointDeltas([0.1, 0.2], lower=[-1.0, 0.0], upper=[1.0, 0.5])
    found = deltas.targets(np.array(action), np.array(joints))
    assert ((found >= [-1.0, 0.0]) & (found <= [1.0, 0.5])).all()
    inside = np.clip(joints, [-0.9, 0.2], [0.9, 0.3])
    moved = deltas.targets(np.array(action), inside) - inside
    assert moved == pytest.approx(np.array([0.1, 0.2]) * np.clip(action, -1, 1), abs=1e-12)


def test_tool_displacements_go_through_the_kinematics_and_the_gripper_is_absolute():
    deltas = ToolDeltas(Straight(), scale=0.01, gripper=[0.04, 0.0])
    assert deltas.size == 4
    joints = np.array([0.1, 0.2, 0.3, 0.02])
    assert deltas.targets(np.array([1.0, -1.0, 9.0, -1.0]), joints) == pytest.approx([0.11, 0.19, 0.31, 0.04])
    assert deltas.targets(np.array([0.0, 0.0, 0.0, 1.0]), joints)[3] == 0.0
    assert ToolDeltas(Straight(), scale=0.01).targets(np.ones(3), joints[:3]) == pytest.approx([0.11, 0.21, 0.31])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: JointDeltas([0.1], lower=[0.0, 1.0], upper=[1.0]), "a number for each joint, got 1, 2 and 1 numbers"),
        (lambda: JointDeltas([0.0], lower=[0.0], upper=[1.0]), r"scale must be > 0, got \[0.0\]"),
        (lambda: JointDeltas([0.1], lower=[1.0], upper=[1.0]), "lower limits must be below upper ones"),
        (lambda: ToolDeltas(Straight(), scale=0.0), "scale must be > 0 m, got 0.0"),
        (lambda: ToolDeltas(Straight(), scale=0.1, gripper=[1.0]), "gripper must be its joint's position when open"),
    ],
)
def test_actions_that_make_no_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_settings_have_defaults_that_they_accept():
    assert EpisodeSettings().horizon == 100
    assert isinstance(robot_of({"robot": PLAIN})[0], RobotSettings)
