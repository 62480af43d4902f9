"""The node `robot_ok_relay`: what a robot's driver publishes in, whether the robot is fit to go on out."""

import sys
import time
from importlib import import_module
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from robo_reward_ros.ros_lifecycle import LATCHED, STEADY, declare, spin, values
from std_msgs.msg import Bool

from robo_reward_bringup.known_nodes import RELAY_PARAMETERS
from robo_reward_bringup.relay_conditions import Condition, RobotWatch, condition_of


class Polled(CallbackGroup):
    """What the executor is never woken for: a driver may publish at 1 kHz, and only the newest message counts."""

    def can_execute(self, entity: Any) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing was begun."""


POLLED = Polled()


class RobotOkRelay(Node):
    """Publishes `robot_ok`, latched and periodically: true while every condition holds; else false.

    It never commands the robot. Its own death is noticed by who listens, through `robot_ok_timeout`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("robot_ok_relay", **options)
        self._running = False
        declare(self, RELAY_PARAMETERS, configured=lambda: self._running, changed=lambda: None)
        given = values(self, RELAY_PARAMETERS)
        conditions = [condition_of(each) for each in given["conditions"]]
        if not conditions:
            raise ValueError("conditions is empty: say what must hold for the robot to be fit to go on")
        self._watch, self._said = RobotWatch(conditions, timeout=given["timeout"]), None
        self._ok = self.create_publisher(Bool, "robot_ok", LATCHED)
        self._heard = [self._listen(each) for each in conditions]
        self.create_timer(given["period"], self._judge, clock=STEADY)
        self._running = True

    def _listen(self, condition: Condition) -> Subscription:
        kind = message_class(condition)
        return self.create_subscription(kind, condition.topic, _nothing, _quality(condition), callback_group=POLLED)

    def _judge(self) -> None:
        for number, subscription in enumerate(self._heard):
            with subscription.handle:
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if taken is not None:
                self._watch.heard(number, taken[0], now=time.monotonic())
        problems = "; ".join(self._watch.problems(now=time.monotonic()))
        if problems != self._said:
            _log(self, problems)
        self._said = problems
        self._ok.publish(Bool(data=not problems))


def message_class(condition: Condition) -> Any:
    """Give the class of a condition's messages.

    Raises:
        ValueError: Its package is not installed, or has no such message, or the message no such field.
    """
    package, _, name = condition.type.split("/")
    try:
        found = getattr(import_module(f"{package}.msg"), name)
    except ModuleNotFoundError as error:
        raise ValueError(f"{condition.type}: {package} is not installed; it comes with the robot's driver") from error
    except AttributeError as error:
        raise ValueError(f"{package} has no message '{name}'") from error
    try:
        condition.holds(found())
    except AttributeError as error:
        fields = ", ".join(found.get_fields_and_field_types())
        raise ValueError(f"{condition.type} has no field '{condition.field}'; it has {fields}") from error
    return found


def _nothing(message: Any) -> None:
    """Is never called."""


def _quality(condition: Condition) -> QoSProfile:
    if condition.latched:
        return LATCHED
    return QoSProfile(
        depth=1,
        history=HistoryPolicy.KEEP_LAST,
        durability=DurabilityPolicy.VOLATILE,
        reliability=ReliabilityPolicy.BEST_EFFORT,
    )


def _log(node: Node, problems: str) -> None:
    if problems:
        node.get_logger().warning(f"the robot must not go on: {problems}")
    else:
        node.get_logger().info("the robot may go on")


def main() -> None:
    """Run the node."""
    try:
        spin(RobotOkRelay)
    except ValueError as error:  # of a condition
        sys.exit(f"robot_ok_relay: {error}")


if __name__ == "__main__":
    main()
