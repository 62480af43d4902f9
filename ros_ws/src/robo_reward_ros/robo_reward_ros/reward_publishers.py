"""What a reward node publishes; all but the diagnostics are silent while it is not active."""

from typing import Any, final

from diagnostic_msgs.msg import DiagnosticArray
from robo_reward_msgs.msg import KeyPoints, RewardModelInfo, RewardStamped
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64, Header

from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.bound_model import BoundModel
from robo_reward_ros.health import Verdict
from robo_reward_ros.key_points import KeyPointsSeen
from robo_reward_ros.preparation import Prepared
from robo_reward_ros.reward_core import RewardCore
from robo_reward_ros.ros_lifecycle import LATCHED
from robo_reward_ros.ros_messages import (
    diagnostic_message,
    info_message,
    key_points_message,
    reward_message,
    time_message,
)


@final
class RewardPublishers:
    """The publishers of a reward node.

    Args:
        node: A lifecycle node.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        self._rewards = node.create_lifecycle_publisher(RewardStamped, "~/reward", 10)
        self._values = node.create_lifecycle_publisher(Float64, "reward", 10)
        self._info = node.create_lifecycle_publisher(RewardModelInfo, "~/info", LATCHED)
        self._key_points = node.create_lifecycle_publisher(KeyPoints, "~/key_points", 10)
        self._debug = node.create_lifecycle_publisher(CompressedImage, "~/debug/compressed", 1)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)

    def answer(self, answer: Answer, *, base_frame: str) -> None:
        """Publish an answer, and its reward by itself if it is one."""
        self._say(self._rewards, reward_message(answer, frame_id=base_frame))
        if answer.status == Status.OK:
            self._say(self._values, Float64(data=answer.total_reward))

    def info(self, bound: BoundModel, prepared: Prepared) -> None:
        """Say what the rewards come from."""
        message = info_message(bound, prepared)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._info.publish(message)

    def diagnostics(self, core: RewardCore, verdict: Verdict) -> None:
        """Say how the node fares."""
        status = diagnostic_message(self._node.get_fully_qualified_name(), core, verdict=verdict)
        now = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=now), status=[status]))

    def key_points(self, marks: KeyPointsSeen, *, stamp_ns: int, base_frame: str) -> None:
        """Publish where the key points of a set of pictures are."""
        self._say(self._key_points, key_points_message(marks, stamp_ns=stamp_ns, frame_id=base_frame))

    @property
    def debug_wanted(self) -> bool:
        """Whether somebody looks at the debug picture."""
        return self._node.context.ok() and self._debug.get_subscription_count() > 0

    def debug(self, jpeg: bytes, stamp_ns: int) -> None:
        """Publish a picture for people."""
        message = CompressedImage(format="jpeg")
        message.header.stamp = time_message(stamp_ns)
        message.data.frombytes(jpeg)
        self._say(self._debug, message)

    def _say(self, publisher: Any, message: Any) -> None:
        """Publish from the worker's thread, which a signal that ends the node may overtake."""
        try:
            publisher.publish(message)
        except RuntimeError:  # rcl's
            if self._node.context.ok():
                raise
