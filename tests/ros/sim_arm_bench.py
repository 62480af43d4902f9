"""A simulated arm and somebody who commands it, over real DDS."""

from time import sleep

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseStamped
from rclpy.parameter import Parameter
from robo_reward_ros.ros_lifecycle import LATCHED
from robo_reward_ros.sim_arm_core import JOINTS
from robo_reward_ros.sim_arm_node import SimArmNode
from ros_bench import Talker
from ros_pictures import until
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64, Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robo_reward.stamps import nanoseconds

TOPICS = {
    "sim_arm_node/task_success": Bool,
    "sim_arm_node/progress": Float64,
    "sim_arm_node/observation": Float64MultiArray,
    "joint_states": JointState,
    "tool_pose": PoseStamped,
    "goal_pose": PoseStamped,
    "gripper_width": Float64,
    "cameras/front/camera_info": CameraInfo,
    "/clock": Clock,
}


class ArmTalker(Talker):
    """Somebody who commands a simulated arm and keeps what it publishes, by topic."""

    def __init__(self, number: int, *, namespace: str = "", compressed: bool = False, **parameters) -> None:
        super().__init__(number, namespace=namespace)
        picture = "cameras/front/image_raw" + ("/compressed" if compressed else "")
        self.heard = {name: [] for name in (*TOPICS, "robot_ok", "picture")}
        for name, kind in TOPICS.items():
            self.client.create_subscription(kind, name, self.heard[name].append, 50)
        self.client.create_subscription(Bool, "robot_ok", self.heard["robot_ok"].append, LATCHED)
        kind = CompressedImage if compressed else Image
        self.client.create_subscription(kind, picture, self.heard["picture"].append, 50)
        self.commands = self.client.create_publisher(JointTrajectory, "joint_trajectory", 10)
        given = {"cameras": ["front"], "height": 24, "width": 32, "compressed": compressed, "lockstep": True}
        overrides = [Parameter(name, value=value) for name, value in (given | parameters).items()]
        self.arm = SimArmNode(context=self.context, parameter_overrides=overrides, namespace=namespace)
        self.add(self.arm)
        until(lambda: self.commands.get_subscription_count() > 0, seconds=10)
        names = [name for name in (picture, *TOPICS) if name != "/clock"]
        until(lambda: all(self.client.count_publishers(self.client.resolve_topic_name(name)) for name in names))
        sleep(0.3)  # the other side has to know of us, too

    def sets(self, number: int) -> None:
        """Wait until so many sets have come whole."""
        topics = [name for name in self.heard if name not in ("robot_ok", "/clock")]
        until(lambda: all(len(self.heard[name]) >= number for name in topics), seconds=20)

    def command(self, positions, *, seconds: float = 0.1, names=JOINTS) -> None:
        point = JointTrajectoryPoint(positions=[float(each) for each in positions])
        point.time_from_start = Duration(sec=int(seconds), nanosec=round(seconds % 1 * 1e9))
        self.commands.publish(JointTrajectory(joint_names=list(names), points=[point]))

    def reset(self) -> Trigger.Response:
        return self.call(Trigger, "sim_arm_node/reset")

    def stamps(self, name: str) -> list[int]:
        return [nanoseconds(each.header.stamp.sec, each.header.stamp.nanosec) for each in self.heard[name]]
