"""Conditions on what a driver publishes, without ROS."""

from types import SimpleNamespace

import pytest
from robo_reward_bringup.relay_conditions import RobotWatch, condition_of

SAFETY = condition_of("io/safety_mode ur_dashboard_msgs/msg/SafetyMode mode 1,2 latched")
MODE = condition_of("arm/state franka_msgs/msg/FrankaRobotState robot_mode 1,2,3")


def test_a_condition_is_one_line():
    assert (SAFETY.topic, SAFETY.type, SAFETY.field) == ("io/safety_mode", "ur_dashboard_msgs/msg/SafetyMode", "mode")
    assert (SAFETY.values, SAFETY.latched) == ((1, 2), True)
    assert not MODE.latched
    assert condition_of("a b/msg/C d true").values == (True,)
    assert condition_of("a b/msg/C d idle,moving").values == ("idle", "moving")


@pytest.mark.parametrize(
    "text", ["", "a b/msg/C d", "a b/C d 1", "a b/msg/C d 1 kept", "a b/msg/C d 1 latched x", None]
)
def test_another_form_is_refused(text):
    with pytest.raises(ValueError, match=r"a condition has the form 'TOPIC PACKAGE/msg/TYPE FIELD VALUES \[latched\]'"):
        condition_of(text)


def test_fields_may_lie_deep():
    condition = condition_of("a b/msg/C status.mode 3")
    assert condition.holds(SimpleNamespace(status=SimpleNamespace(mode=3)))
    assert not condition.holds(SimpleNamespace(status=SimpleNamespace(mode=4)))
    with pytest.raises(AttributeError):
        condition.holds(SimpleNamespace(mode=3))


def test_a_robot_of_which_nothing_is_known_must_not_go_on():
    watch = RobotWatch([SAFETY, MODE], timeout=1.0)
    assert watch.problems(now=0.0) == ["io/safety_mode said nothing yet", "arm/state said nothing yet"]


def test_every_condition_must_hold():
    watch = RobotWatch([SAFETY, MODE], timeout=1.0)
    watch.heard(0, SimpleNamespace(mode=1), now=0.0)
    watch.heard(1, SimpleNamespace(robot_mode=2), now=0.0)
    assert watch.problems(now=0.5) == []
    watch.heard(0, SimpleNamespace(mode=3), now=0.6)
    assert watch.problems(now=0.6) == ["io/safety_mode: mode is none of 1, 2"]


def test_silence_is_a_problem_unless_the_topic_is_latched():
    watch = RobotWatch([SAFETY, MODE], timeout=1.0)
    watch.heard(0, SimpleNamespace(mode=1), now=0.0)
    watch.heard(1, SimpleNamespace(robot_mode=2), now=0.0)
    assert watch.problems(now=1.0) == []
    assert watch.problems(now=2.5) == ["arm/state is silent for 2.5 s"]
    watch.heard(1, SimpleNamespace(robot_mode=2), now=2.6)
    assert watch.problems(now=2.6) == []
