"""How pictures are asked for, and what is told of who offers them and how."""

from collections.abc import Mapping
from typing import Any

from rclpy.event_handler import QoSSubscriptionMatchedInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy


def wanted_reliability(node: Node, camera: str, topic: str, given: Mapping[str, Any]) -> str:
    """Say how a camera's pictures are asked for now: best_effort or reliable.

    With `image_reliability` auto it is what all that publish on the topic offer; best effort while nobody does, since
    that hears everybody.

    Args:
        node: Knows who publishes.
        camera: Whose pictures.
        topic: Where they are.
        given: The node's parameters.
    """
    if camera in given["reliable_cameras"]:
        return "reliable"
    if given["image_reliability"] != "auto":
        return given["image_reliability"]
    offered = _offered(node, topic)
    return "reliable" if offered and all(each == ReliabilityPolicy.RELIABLE for each in offered) else "best_effort"


def unheard(node: Node, topic: str, asked: str) -> bool:
    """Tell whether somebody publishes pictures that are not heard, since they are asked for as more reliable than that.

    Args:
        node: Knows who publishes.
        topic: Where.
        asked: best_effort or reliable.
    """
    return asked == "reliable" and ReliabilityPolicy.BEST_EFFORT in _offered(node, topic)


def _offered(node: Node, topic: str) -> list[ReliabilityPolicy]:
    return [each.qos_profile.reliability for each in node.get_publishers_info_by_topic(topic)]


def event_logs(node: Node, what: str, topic: str) -> SubscriptionEventCallbacks:
    """Have the log say when somebody begins or ceases to publish on a topic.

    Args:
        node: Whose log.
        what: Such as camera 'front'.
        topic: As it was resolved.
    """

    def matched(info: QoSSubscriptionMatchedInfo) -> None:
        number = info.current_count
        if number == 0:
            node.get_logger().warning(f"{what}: nobody publishes {topic} any more")
        elif number == 1:
            node.get_logger().info(f"{what}: somebody publishes {topic}")
        else:
            node.get_logger().error(f"{what}: {number} publish {topic}; a reward needs one source only")

    # what cannot be heard is told by `unheard`: the middleware's event for it is lost now and then
    return SubscriptionEventCallbacks(matched=matched, use_default_callbacks=False)
