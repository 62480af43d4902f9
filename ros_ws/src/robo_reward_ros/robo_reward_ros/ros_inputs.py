"""What a reward node listens to: its cameras and its robot."""

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Bool

from robo_reward.stamps import nanoseconds
from robo_reward_ros.node_settings import topics_of
from robo_reward_ros.reward_core import RewardCore
from robo_reward_ros.ros_lifecycle import LATCHED, newest_only


def listen(node: Node, core: RewardCore, given: Mapping[str, Any]) -> list[Subscription]:
    """Subscribe to every camera, raw or compressed as its topic says, and to the robot if it is heeded.

    Args:
        node: Who listens.
        core: Takes what is heard.
        given: The node's parameters.
    """
    quality = newest_only(given["image_reliability"])
    heard = [
        node.create_subscription(
            CompressedImage if topic.endswith("/compressed") else Image, topic, _taker(core, camera), quality
        )
        for camera, topic in topics_of(given).items()
    ]
    if given["use_robot_ok"]:
        heard.append(node.create_subscription(Bool, "~/robot_ok", lambda ok: core.robot_said(ok=ok.data), LATCHED))
    return heard


def resolved_topics(node: Node, given: Mapping[str, Any]) -> dict[str, str]:
    """Give camera to the topic that it is heard on, namespaces and remappings considered."""
    return {camera: node.resolve_topic_name(topic) for camera, topic in topics_of(given).items()}


def _taker(core: RewardCore, camera: str) -> Callable[[Any], None]:
    def take(message: Any) -> None:
        stamp = message.header.stamp
        core.picture(camera, message, stamp_ns=nanoseconds(stamp.sec, stamp.nanosec))

    return take
