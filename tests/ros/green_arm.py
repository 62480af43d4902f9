"""An arm of one joint in front of a camera: the farther it is, the greener its picture; and its environment."""

from threading import Event, Thread
from time import sleep

import numpy as np
from rclpy.node import Node
from robo_reward_ros.robot_env import RobotEnv
from robo_reward_ros.robot_env_actions import JointDeltas
from robo_reward_ros.robot_env_settings import EpisodeSettings, RobotSettings, StateSource
from robo_reward_ros.ros_lifecycle import LATCHED
from robo_reward_ros.ros_messages import time_message
from ros_pictures import picture
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

MODEL = """
encoder: {_target_: fake_encoder.FakeEncoder}
reward_model:
  _target_: robo_reward.models.prompt_similarity.PromptSimilarity
  goal: [a green square]
  baseline: [a red square]
  alpha: 0.5
  renormalize: true
"""
"""Progress is how green the picture is."""


class GreenArm(Node):
    """In lockstep one picture for each command; in real time 20 a second, moving as commanded at once."""

    def __init__(self, context, *, lockstep: bool = True) -> None:
        super().__init__("green_arm", context=context)
        self.place, self.commands, self.resets, self.shown = 0.1, [], 0, True
        self.sets = self.last_ns = 0
        self.silent = False
        self._lockstep = lockstep
        self._joints = self.create_publisher(JointState, "joint_states", 10)
        self._camera = self.create_publisher(Image, "camera/image_raw", 1)
        self.robot_ok = self.create_publisher(Bool, "robot_ok", LATCHED)
        self.success = self.create_publisher(Bool, "success", 10)
        self.create_subscription(JointTrajectory, "joint_trajectory", self._on_command, 10)
        self.create_service(Trigger, "reset_arm", self._on_reset)
        self.robot_ok.publish(Bool(data=True))
        if not lockstep:
            self.create_timer(0.05, self.show)

    def show(self) -> None:
        if self.silent:
            return
        stamp_ns = max(self.get_clock().now().nanoseconds, self.last_ns + 1)
        self.last_ns = stamp_ns
        state = JointState(name=["other", "slide"], position=[9.0, self.place])
        state.header.stamp = time_message(stamp_ns)
        self._joints.publish(state)
        if self.shown:
            pixels = picture(min(1.0, max(0.0, self.place)), seed=self.sets)
            image = Image(height=12, width=10, encoding="rgb8", step=30)
            image.header.stamp = time_message(stamp_ns)
            image.data.frombytes(pixels.tobytes())
            self._camera.publish(image)
            self.sets += 1

    def _on_command(self, message: JointTrajectory) -> None:
        self.commands.append(message)
        self.place = message.points[-1].positions[message.joint_names.index("slide")]
        if self._lockstep:
            self.show()

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.place, response.success = 0.1, True
        self.resets += 1
        if self._lockstep:
            self.show()
        return response


class Showing:
    """Has the arm show itself until somebody has seen it, as a camera that runs all the time does."""

    def __init__(self, arm: GreenArm) -> None:
        self._arm, self._over = arm, Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *error) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self._arm.show()
            sleep(0.05)


def green_robot(*, lockstep: bool = True, **changes) -> RobotSettings:
    given = {
        "joints": ["slide"],
        "states": {"slide": StateSource(topic="joint_states", fields=("position.slide",))},
        "actions": JointDeltas([0.2], lower=[0.0], upper=[1.0]),
        "step_duration": 0.1,
        "lockstep": lockstep,
    }
    return RobotSettings(**(given | changes))


def green_episodes(**changes) -> EpisodeSettings:
    given = {
        "horizon": 5,
        "reset_service": "reset_arm",
        "success_topic": "success",
        "reward_wait": 5.0,
        "max_reward_age": 5.0,
        "reset_timeout": 10.0,
        "success_reward": 1.0,
    }
    return EpisodeSettings(**(given | changes))


def green_env(talker, robot: RobotSettings, episodes: EpisodeSettings) -> RobotEnv:
    return RobotEnv(robot, episodes, domain=talker.domain)


def forward(share: float = 1.0) -> np.ndarray:
    return np.array([share], np.float32)
