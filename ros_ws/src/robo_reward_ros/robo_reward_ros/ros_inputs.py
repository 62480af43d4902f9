"""What a reward node listens to while it is active: its cameras, what they say of themselves, and its robot."""

from collections.abc import Callable
from typing import Any, final

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Bool

from robo_reward.stamps import nanoseconds
from robo_reward_ros.answer import Status
from robo_reward_ros.camera_geometry import Geometry
from robo_reward_ros.image_qos import event_logs, unheard, wanted_reliability
from robo_reward_ros.node_settings import info_topics
from robo_reward_ros.preparation import Prepared, message_type
from robo_reward_ros.reward_core import RewardCore
from robo_reward_ros.ros_lifecycle import LATCHED, newest_only
from robo_reward_ros.state_topics import StateInput

STATES_KEPT = 50
"""Messages of a state that may wait: robots tell theirs at up to a kilohertz."""
COMPLAINTS = 5.0
"""Least time between two warnings of one kind [s]."""


@final
class Inputs:
    """The subscriptions of a node while it is active.

    Args:
        node: Who listens.
        core: Takes what is heard.
        prepared: What there is to listen to.
    """

    def __init__(self, node: Node, core: RewardCore, prepared: Prepared) -> None:
        self._node, self._core, self._prepared = node, core, prepared
        self._reliability: dict[str, str] = {}
        self._unheard: set[str] = set()
        self._cameras: dict[str, Subscription] = {}
        self._others = [self._feel(each) for each in prepared.states]
        self._others += [self._check(camera, topic) for camera, topic in info_topics(prepared.given).items()]
        if prepared.given["use_robot_ok"]:
            self._others.append(node.create_subscription(Bool, "~/robot_ok", _robot_taker(core), LATCHED))
        self.refresh()

    def refresh(self) -> None:
        """Ask anew for pictures whose drivers offer another reliability, and tell of those that cannot be heard."""
        for camera, topic in self._prepared.topics.items():
            wanted = wanted_reliability(self._node, camera, topic, self._prepared.given)
            if self._reliability.get(camera) != wanted:
                self._look(camera, topic, wanted)
            self._tell_unheard(camera, topic, wanted)

    def _look(self, camera: str, topic: str, wanted: str) -> None:
        if camera in self._cameras:
            self._node.destroy_subscription(self._cameras.pop(camera))
            self._node.get_logger().info(f"camera '{camera}': {topic} is asked for as {wanted} now")
        self._cameras[camera] = self._node.create_subscription(
            CompressedImage if topic.endswith("/compressed") else Image,
            topic,
            _picture_taker(self._core, camera),
            newest_only(wanted),
            event_callbacks=event_logs(self._node, f"camera '{camera}'", topic),
        )
        self._reliability[camera] = wanted

    def _tell_unheard(self, camera: str, topic: str, asked: str) -> None:
        """Say it once, and again where somebody came anew."""
        if not unheard(self._node, topic, asked):
            self._unheard.discard(camera)
        elif camera not in self._unheard:
            self._unheard.add(camera)
            self._node.get_logger().warning(
                f"camera '{camera}': nothing is heard from a publisher of {topic} that offers another reliability; "
                "image_reliability=best_effort, or auto, hears every camera"
            )

    def close(self) -> None:
        """Listen no more."""
        for each in (*self._cameras.values(), *self._others):
            self._node.destroy_subscription(each)
        self._cameras, self._others = {}, []

    def _feel(self, state: StateInput) -> Subscription:
        topic = self._node.resolve_topic_name(state.choice.topic)
        return self._node.create_subscription(
            message_type(state.kind),
            topic,
            _state_taker(self._node, self._core, state),
            newest_only("best_effort", depth=STATES_KEPT),
            event_callbacks=event_logs(self._node, f"state '{state.name}'", topic),
        )

    def _check(self, camera: str, topic: str) -> Subscription:
        geometry, image = self._prepared.geometry, self._prepared.topics[camera]
        assert geometry is not None  # noqa: S101 - `prepare` saw to it
        self._core.health.object(_info_of(camera), Status.WARMUP, f"nothing has come on {topic}")
        taker = _info_taker(self._node, self._core, geometry, camera=camera, rectified="/image_rect" in image)
        return self._node.create_subscription(CameraInfo, topic, taker, newest_only("best_effort"))


def _info_of(camera: str) -> str:
    return f"camera_info of '{camera}'"


def _picture_taker(core: RewardCore, camera: str) -> Callable[[Any], None]:
    def take(message: Any) -> None:
        stamp = message.header.stamp
        core.picture(camera, message, stamp_ns=nanoseconds(stamp.sec, stamp.nanosec))

    return take


def _state_taker(node: Node, core: RewardCore, state: StateInput) -> Callable[[Any], None]:
    def take(message: Any) -> None:
        header = getattr(message, "header", None)
        heard = node.get_clock().now().nanoseconds
        stamp_ns = heard if header is None else nanoseconds(header.stamp.sec, header.stamp.nanosec)
        try:
            core.feel(state.name, state.numbers(message), stamp_ns=stamp_ns)
        except ValueError as error:
            # unknown from now on: what was felt before grows too old
            node.get_logger().warning(f"state '{state.name}': {error}", throttle_duration_sec=COMPLAINTS)

    return take


def _info_taker(
    node: Node, core: RewardCore, geometry: Geometry, *, camera: str, rectified: bool
) -> Callable[[Any], None]:
    said: list[str] = []

    def take(message: Any) -> None:
        problem = geometry.problem(camera, message, rectified=rectified)
        if said[-1:] == [problem]:
            return
        said[:] = [problem]
        core.health.object(_info_of(camera), Status.FAULT if problem else Status.OK, problem)
        if problem:
            node.get_logger().error(f"{_info_of(camera)}: {problem}")
        else:
            node.get_logger().info(f"{_info_of(camera)} agrees with the rig")

    return take


def _robot_taker(core: RewardCore) -> Callable[[Any], None]:
    def take(message: Any) -> None:
        core.robot_said(ok=message.data)

    return take
