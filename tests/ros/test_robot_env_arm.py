"""The arm behind its topics, as an environment hears it, over DDS."""

import math
from threading import Condition

import pytest
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from green_arm import GreenArm, Showing, green_robot
from robo_reward_ros.robot_env_arm import ArmPort
from robo_reward_ros.robot_env_settings import StateSource
from robo_reward_ros.ros_messages import time_message
from ros_bench import Talker
from sensor_msgs.msg import JointState


@pytest.fixture
def shown():
    """Somebody who listens, and an arm that shows itself in lockstep."""
    talker = Talker(82)
    green = GreenArm(talker.context)
    talker.add(green)
    yield talker, green
    talker.close()


def test_an_arm_of_which_a_part_was_never_heard_is_not_taken_for_one_of_time_0(shown):
    talker, green = shown
    never = {"wrist": StateSource(topic="wrist_states", fields=("position.slide",))}
    settings = green_robot(states=green_robot().states | never)
    arm = ArmPort(talker.client, settings, changed=Condition())
    with Showing(green):
        until(lambda: arm.missing == ["wrist_states"], seconds=20)
    assert arm.oldest_ns is None
    unheard = r"nothing was heard on wrist_states: is the arm there\?"
    for asked in (lambda: arm.stamp_ns, lambda: arm.age(10**9), arm.observation):
        with pytest.raises(ValueError, match=unheard):
            asked()
    arm.hold()  # the joints were heard
    other = ArmPort(talker.client, green_robot(joint_topic="other_joints"), changed=Condition())
    with pytest.raises(ValueError, match=r"nothing was heard on other_joints: is the arm there\?"):
        other.hold()


def test_a_state_that_nobody_knows_is_not_acted_on_and_said(shown):
    talker, green = shown
    arm = ArmPort(talker.client, green_robot(), changed=Condition())
    with Showing(green):
        until(lambda: not arm.missing, seconds=20)
    known = arm.observation()
    green.place = math.nan
    green.show()
    until(lambda: arm.problem)
    assert arm.problem == "position.slide of joint_states is not known: [nan]"
    assert arm.observation() == known


def test_in_lockstep_a_set_is_whole_once_all_is_of_one_moment(shown):
    """What was on its way when a command went out belongs to the set before it."""
    talker, green = shown
    states = green_robot().states | {"late": StateSource(topic="late_states", fields=("position.slide",))}
    arm = ArmPort(talker.client, green_robot(states=states), changed=Condition())
    late = talker.client.create_publisher(JointState, "late_states", 10)

    def say(stamp_ns: int) -> None:
        message = JointState(name=["slide"], position=[0.5])
        message.header.stamp = time_message(stamp_ns)
        late.publish(message)

    until(lambda: late.get_subscription_count() > 0 and green._joints.get_subscription_count() > 0, seconds=20)
    green.show()
    say(green.last_ns)
    until(lambda: not arm.missing)
    before_ns = green.last_ns
    arm.expect()
    green.show()
    say(before_ns)
    until(lambda: not arm._awaited)
    assert not arm.came
    say(green.last_ns)
    until(lambda: arm.came)
    assert arm.stamp_ns == green.last_ns
