"""The topics of a simulated arm: one set of messages for each moment, all of one stamp."""

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64, Float64MultiArray

from robo_reward_ros.ros_messages import time_message
from robo_reward_ros.sim_arm_core import ArmSnapshot
from robo_reward_ros.sim_arm_messages import (
    camera_info_message,
    image_message,
    joint_state_message,
    observation_message,
    point_message,
    pose_message,
    transform_messages,
)

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # not among the wheels
    TFMessage = None

# reliable: best-effort readers understand it, too, and in lockstep a lost picture would be waited for for ever
_SET = QoSProfile(depth=5)


class ArmPublishers:
    """Publishes snapshots on behalf of a node."""

    def __init__(
        self, node: Node, *, cameras: tuple[str, ...], compressed: bool, clock: bool, names: tuple[str, ...]
    ) -> None:
        """Create the publishers.

        Args:
            node: Whose they are.
            cameras: Which publish.
            compressed: JPEG instead of raw pictures.
            clock: Publish `/clock`.
            names: Of the numbers of the observation.
        """
        self._compressed, self._names = compressed, names
        kind, ending = (CompressedImage, "image_raw/compressed") if compressed else (Image, "image_raw")
        self._images = {name: node.create_publisher(kind, f"cameras/{name}/{ending}", _SET) for name in cameras}
        self._infos = {name: node.create_publisher(CameraInfo, f"cameras/{name}/camera_info", _SET) for name in cameras}
        self._joints = node.create_publisher(JointState, "joint_states", _SET)
        self._tool = node.create_publisher(PoseStamped, "tool_pose", _SET)
        self._goal = node.create_publisher(PoseStamped, "goal_pose", _SET)
        self._width = node.create_publisher(Float64, "gripper_width", _SET)
        self._success = node.create_publisher(Bool, "~/task_success", _SET)
        self._progress = node.create_publisher(Float64, "~/progress", _SET)
        self._observation = node.create_publisher(Float64MultiArray, "~/observation", _SET)
        self._clock = node.create_publisher(Clock, "/clock", _SET) if clock else None
        self._transforms = None if TFMessage is None else node.create_publisher(TFMessage, "/tf", 100)

    def publish_clock(self, stamp_ns: int) -> None:
        """Tell the time [ns], where it is told at all."""
        if self._clock is not None:
            self._clock.publish(Clock(clock=time_message(stamp_ns)))

    def publish(self, snapshot: ArmSnapshot, *, stamp_ns: int) -> None:
        """Publish a moment: the clock first, pictures last.

        Args:
            snapshot: What is to be told.
            stamp_ns: Of every message [ns].
        """
        stamp = time_message(stamp_ns)
        self.publish_clock(stamp_ns)
        self._success.publish(Bool(data=snapshot.success))
        self._progress.publish(Float64(data=snapshot.progress))
        self._observation.publish(observation_message(snapshot, names=self._names))
        self._joints.publish(joint_state_message(snapshot, stamp=stamp))
        self._tool.publish(pose_message(snapshot.T_base_tool, stamp=stamp))
        self._goal.publish(point_message(snapshot.goal, stamp=stamp))
        self._width.publish(Float64(data=snapshot.width))
        if self._transforms is not None:
            self._transforms.publish(TFMessage(transforms=transform_messages(snapshot, stamp=stamp)))
        for name, camera in snapshot.cameras.items():
            self._infos[name].publish(camera_info_message(camera.intrinsics, stamp=stamp, camera=name))
        for name, pixels in snapshot.pictures.items():
            self._images[name].publish(image_message(pixels, stamp=stamp, camera=name, compressed=self._compressed))
