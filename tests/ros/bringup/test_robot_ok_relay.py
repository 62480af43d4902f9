"""The relay over real DDS; needs rclpy."""

from time import monotonic, sleep

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from rclpy.parameter import Parameter
from robo_reward_bringup.relay_conditions import condition_of
from robo_reward_bringup.robot_ok_relay import RobotOkRelay, message_class
from robo_reward_ros.ros_lifecycle import LATCHED, newest_only
from ros_bench import Talker
from std_msgs.msg import Bool, Int32


@pytest.fixture
def relay_bench():
    talker = Talker(170)
    conditions = ["arm/running std_msgs/msg/Bool data true latched", "arm/mode std_msgs/msg/Int32 data 1,2"]
    overrides = [
        Parameter("conditions", value=conditions),
        Parameter("timeout", value=0.3),
        Parameter("period", value=0.02),
    ]
    relay = RobotOkRelay(context=talker.context, parameter_overrides=overrides)
    heard = []
    talker.client.create_subscription(Bool, "robot_ok", lambda message: heard.append(message.data), LATCHED)
    talker.add(relay)
    yield talker, heard
    talker.close()


def wait_for(heard, wanted: bool, *, repeat=lambda: None) -> None:
    end = monotonic() + 10
    while not (heard and heard[-1] is wanted):
        repeat()
        assert monotonic() < end, f"waited in vain for {wanted}"
        sleep(0.02)


def test_the_relay_says_true_only_while_every_condition_holds_and_nobody_is_silent(relay_bench):
    talker, heard = relay_bench
    wait_for(heard, False)  # nothing is known
    running = talker.client.create_publisher(Bool, "arm/running", LATCHED)
    mode = talker.client.create_publisher(Int32, "arm/mode", newest_only("best_effort"))
    running.publish(Bool(data=True))  # once, as a driver that publishes on change
    wait_for(heard, True, repeat=lambda: mode.publish(Int32(data=2)))
    wait_for(heard, False, repeat=lambda: mode.publish(Int32(data=4)))
    wait_for(heard, True, repeat=lambda: mode.publish(Int32(data=1)))
    wait_for(heard, False)  # the mode is silent
    wait_for(heard, True, repeat=lambda: mode.publish(Int32(data=1)))
    running.publish(Bool(data=False))
    wait_for(heard, False, repeat=lambda: mode.publish(Int32(data=1)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a no_such_msgs/msg/Mode mode 1", "no_such_msgs is not installed; it comes with the robot's driver"),
        ("a std_msgs/msg/Mode mode 1", "std_msgs has no message 'Mode'"),
        ("a std_msgs/msg/Bool mode 1", "std_msgs/msg/Bool has no field 'mode'; it has data"),
    ],
)
def test_messages_that_are_not_there_are_named_at_the_start(text, problem):
    with pytest.raises(ValueError, match=problem):
        message_class(condition_of(text))


def test_a_relay_without_a_condition_would_let_everything_pass(relay_bench):
    talker, _ = relay_bench
    with pytest.raises(ValueError, match="conditions is empty"):
        RobotOkRelay(context=talker.context)
