"""The arm behind its topics: what it feels and sees comes in, joint positions go out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from threading import Condition
from typing import Any, final

import numpy as np
from builtin_interfaces.msg import Duration
from jaxtyping import Float, Float64
from rclpy.duration import Duration as RosDuration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robo_reward.episodes.ros_fields import numbers_of_message
from robo_reward.episodes.ros_images import rgb_of_message
from robo_reward.stamps import nanoseconds
from robo_reward_ros.robot_env_settings import RobotSettings, StateSource
from robo_reward_ros.ros_lifecycle import newest_only

JOINTS = ""
"""Key of the commanded joints' own positions among what was heard; no state has an empty name."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Word:
    value: Any
    stamp_ns: int | None  # None = the message has no header
    received_ns: int


@final
class ArmPort:
    """Hears the robot, and commands it. Methods are for any one thread beside the executor's.

    Args:
        node: Whose topics it uses.
        settings: The robot.
        changed: Is notified of everything that is heard.
    """

    def __init__(self, node: Node, settings: RobotSettings, *, changed: Condition) -> None:
        self._node, self._settings, self._changed = node, settings, changed
        self._heard: dict[str, _Word] = {}
        self._awaited: set[str] = set()
        self._commanded: Float64[np.ndarray, " joint"] | None = None
        self._problem = ""
        self._commands = node.create_publisher(JointTrajectory, settings.command_topic, 10)
        # the newest word counts, and a driver that offers best effort only is heard too; but in lockstep nobody says
        # anything twice
        reliability = ReliabilityPolicy.RELIABLE if settings.lockstep else ReliabilityPolicy.BEST_EFFORT
        newest = QoSProfile(depth=1, reliability=reliability)
        node.create_subscription(JointState, settings.joint_topic, self._hearer(JOINTS, self._joints), newest)
        for name, source in settings.states.items():

            def read(message: Any, source: Any = source) -> Float64[np.ndarray, " size"]:
                return _known(numbers_of_message(message, source.fields), source)

            node.create_subscription(message_class(source.type), source.topic, self._hearer(name, read), newest)
        for name, topic in settings.cameras.items():
            kind = CompressedImage if topic.endswith("/compressed") else Image
            node.create_subscription(
                kind, topic, self._hearer(name, lambda message: message), newest_only("best_effort")
            )

    @property
    def missing(self) -> list[str]:
        """What was not heard yet, as topics."""
        settings = self._settings
        topics = {JOINTS: settings.joint_topic, **{name: each.topic for name, each in settings.states.items()}}
        return sorted({topic for name, topic in (topics | dict(settings.cameras)).items() if name not in self._heard})

    @property
    def problem(self) -> str:
        """Why the last message that could not be used could not; empty = all could."""
        return self._problem

    @property
    def stamp_ns(self) -> int:
        """Stamp of the oldest part of what is known now [ns].

        Messages without a header count, as of the time when they were received, only where no other has one.

        Raises:
            ValueError: A part was not heard yet.
        """
        self._check_heard()
        words = list(self._heard.values())
        stamped = [word.stamp_ns for word in words if word.stamp_ns is not None]
        return min(stamped or [word.received_ns for word in words])

    @property
    def oldest_ns(self) -> int | None:
        """The same, with messages without a header as of when they were received [ns]; None: one is missing."""
        return None if self.missing else self._oldest()

    def age(self, now_ns: int) -> float:
        """Give how old the oldest part of what is known is at a time [s].

        Raises:
            ValueError: A part was not heard yet.
        """
        self._check_heard()
        return (now_ns - self._oldest()) * 1e-9

    @property
    def came(self) -> bool:
        """Whether every part was heard anew since `expect`; in lockstep, of one moment, too."""
        if self._awaited:
            return False
        stamps = {word.stamp_ns for word in self._heard.values() if word.stamp_ns is not None}
        return not self._settings.lockstep or len(stamps) <= 1

    def expect(self) -> None:
        """Wait for a new set from here on."""
        self._awaited = set(self._heard)

    def reached(self) -> bool:
        """Tell whether somebody listens to commands."""
        return self._commands.get_subscription_count() > 0

    def observation(self) -> np.ndarray | dict[str, np.ndarray]:
        """Give the states' numbers, one after the other; where there are cameras, as `state` beside their pictures.

        Raises:
            ValueError: A part was not heard yet, or a picture cannot be read.
        """
        self._check_heard()
        with self._changed:
            heard = {name: word.value for name, word in self._heard.items()}
        numbers = [_scaled(source, name, heard) for name, source in self._settings.states.items()]
        state = np.concatenate(numbers or [np.empty(0)]).astype(np.float32)
        if not self._settings.cameras:
            return state
        pictures = {name: rgb_of_message(heard[name]) for name in self._settings.cameras}
        return {"state": state, **pictures} if self._settings.states else pictures

    def act(self, chunk: Float[np.ndarray, "step size"]) -> None:
        """Command the joint positions that a chunk of actions leads to, one point for each step."""
        points, joints = [], self._reference()
        for action in chunk:
            joints = self._settings.actions.targets(action, joints)
            points.append(joints)
        self._command(points)

    def hold(self, steps: int = 1) -> None:
        """Command the arm to stay where it was commanded to be, or is."""
        self._command([self._reference()] * steps)

    def delivered(self, seconds: float) -> bool:
        """Wait until every listener has the last command: one of a program that ended might be lost."""
        return self._commands.wait_for_all_acked(RosDuration(seconds=seconds))

    def forget_command(self) -> None:
        """Begin from where the arm is: somebody else moved it."""
        self._commanded = None

    def _oldest(self) -> int:
        words = list(self._heard.values())
        return min(word.received_ns if word.stamp_ns is None else word.stamp_ns for word in words)

    def _check_heard(self) -> None:
        if self.missing:
            raise ValueError(f"nothing was heard on {', '.join(self.missing)}: is the arm there?")

    def _reference(self) -> Float64[np.ndarray, " joint"]:
        """What displacements add to: the last command, which does not drift, unless the arm did not follow."""
        if JOINTS not in self._heard:
            raise ValueError(f"nothing was heard on {self._settings.joint_topic}: is the arm there?")
        measured = self._heard[JOINTS].value
        if self._commanded is None:
            return measured
        lead = self._settings.max_lead
        return measured + np.clip(self._commanded - measured, -lead, lead)

    def _command(self, points: list[Float64[np.ndarray, " joint"]]) -> None:
        message = JointTrajectory(joint_names=list(self._settings.joints))
        for number, joints in enumerate(points, 1):
            after = round(number * self._settings.step_duration * 1e9)
            time = Duration(sec=after // 1_000_000_000, nanosec=after % 1_000_000_000)
            message.points.append(JointTrajectoryPoint(positions=joints.tolist(), time_from_start=time))
        # no stamp: from now on
        self._commands.publish(message)
        self._commanded = points[-1]

    def _joints(self, message: JointState) -> Float64[np.ndarray, " joint"]:
        return numbers_of_message(message, [f"position.{joint}" for joint in self._settings.joints])

    def _hearer(self, name: str, read: Callable[[Any], Any]) -> Callable[[Any], None]:
        def hear(message: Any) -> None:
            try:
                value = read(message)
            except ValueError as error:
                self._problem = str(error)
                self._node.get_logger().warning(f"not understood: {error}", throttle_duration_sec=5.0)
                return
            stamp = getattr(getattr(message, "header", None), "stamp", None)
            now = self._node.get_clock().now().nanoseconds
            stamp_ns = None if stamp is None else nanoseconds(stamp.sec, stamp.nanosec)
            with self._changed:
                self._heard[name] = _Word(value=value, stamp_ns=stamp_ns, received_ns=now)
                self._awaited.discard(name)
                self._changed.notify_all()

        return hear


def _known(numbers: Float64[np.ndarray, " size"], source: StateSource) -> Float64[np.ndarray, " size"]:
    """Refuse numbers that nobody knows, such as of a thing that no camera sees: no policy can act on them."""
    if not np.isfinite(numbers).all():
        raise ValueError(f"{', '.join(source.fields)} of {source.topic} is not known: {numbers.tolist()}")
    return numbers


def _scaled(source: StateSource, name: str, heard: Mapping[str, Any]) -> Float64[np.ndarray, " size"]:
    numbers = heard[name]
    if source.relative_to:
        origin = heard[source.relative_to]
        if len(origin) != len(numbers):
            raise ValueError(
                f"state '{name}' has {len(numbers)} numbers and cannot be relative to '{source.relative_to}', "
                f"which has {len(origin)}"
            )
        numbers = numbers - origin
    return source.scale * numbers


def message_class(name: str) -> Any:
    """Give the class of a message, such as that of `std_msgs/msg/Float64`.

    Raises:
        ValueError: No such message is installed.
    """
    package, kind, message = name.split("/")
    try:
        return getattr(import_module(f"{package}.{kind}"), message)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"message type {name} is not installed: {error}") from error
