"""A learner's end of the wire: the arm, the reward node behind its gate, whoever says success, and the services."""

import time
from collections.abc import Callable, Sequence
from threading import Condition, Thread
from typing import Any, final

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from robo_reward_msgs.msg import RewardModelInfo, RewardStamped
from robo_reward_msgs.srv import MarkOutcome
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from robo_reward_ros.answer import Answer
from robo_reward_ros.reward_gate import GateLimits, Refusal, RewardGate
from robo_reward_ros.robot_env_arm import ArmPort
from robo_reward_ros.robot_env_settings import EpisodeSettings, RobotSettings
from robo_reward_ros.ros_lifecycle import LATCHED, NodeClocks
from robo_reward_ros.ros_messages import answer_of_message

HEAR = Callable[[Answer, Refusal | None], None]


@final
class RobotLink:
    """Runs a node of its own in a thread of its own: answers are judged when they come, whatever a learner does.

    Everything that is heard is noted under `changed`, on which `wait` waits.

    Args:
        robot: The robot.
        episodes: What a reward must be, and who says success.
        hear: Is told of every answer with what the gate says of it, under `changed`.
        name: Of the node.
        namespace: Of the robot.
        domain: Of ROS; None = ROS_DOMAIN_ID.
        arguments: As on the command line of a node, such as ["--ros-args", "-r", "a:=b"].
        check: Is called while something is waited for; what it raises ends the wait.
    """

    def __init__(
        self,
        robot: RobotSettings,
        episodes: EpisodeSettings,
        *,
        hear: HEAR,
        name: str,
        namespace: str = "",
        domain: int | None = None,
        arguments: Sequence[str] = (),
        check: Callable[[], None] | None = None,
    ) -> None:
        self.changed, self.check = Condition(), check
        self._robot, self._hear = robot, hear
        self._context = rclpy.Context()
        # Ctrl-C belongs to the learner's thread, which has the arm hold before anything is shut down
        rclpy.init(context=self._context, args=list(arguments), domain_id=domain)
        sim_time = Parameter("use_sim_time", value=robot.use_sim_time)
        self.node = Node(name, context=self._context, namespace=namespace, parameter_overrides=[sim_time])
        self.clocks = NodeClocks(self.node)
        self.gate = RewardGate(_limits(robot, episodes))
        self.arm = ArmPort(self.node, robot, changed=self.changed)
        self.info: RewardModelInfo | None = None
        self.said_success = self.said_ready = False
        self._robot_said: tuple[float, bool] | None = None
        self._listen(episodes)
        self._clients = {
            "reset_episode": self.node.create_client(Trigger, f"{episodes.reward_node}/reset_episode"),
            "mark_outcome": self.node.create_client(MarkOutcome, f"{episodes.reward_node}/mark_outcome"),
        }
        if episodes.reset_service:
            self._clients["reset"] = self.node.create_client(Trigger, episodes.reset_service)
        if episodes.seed_node:
            self._clients["seed"] = self.node.create_client(SetParameters, f"{episodes.seed_node}/set_parameters")
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = Thread(target=self._executor.spin, name=name, daemon=True)
        self._thread.start()

    @property
    def robot_well(self) -> bool:
        """Whether the robot says that it runs as it should, or nobody is asked."""
        if not self._robot.robot_ok_topic:
            return True
        said = self._robot_said
        return said is not None and said[1] and self.clocks.steady() - said[0] <= self._robot.robot_ok_timeout

    def wait(self, condition: Callable[[], bool], seconds: float, *, poll: float = 0.1) -> bool:
        """Wait until something is so, for a time of the machine's own clock [s]; False = it is not so.

        Args:
            condition: Depends on what is heard, or on a clock.
            seconds: To wait at most.
            poll: How often a condition that depends on a clock is looked at [s].
        """
        end = time.monotonic() + seconds
        with self.changed:
            while not condition():
                if self.check is not None:
                    self.check()
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self.changed.wait(min(left, poll))
        return True

    def call(self, name: str, request: Any, seconds: float) -> Any | None:
        """Call a service and wait for its response; None = nobody answered in time."""
        client: Client = self._clients[name]
        if not client.wait_for_service(seconds):
            return None
        future = client.call_async(request)
        future.add_done_callback(lambda done: self._notify())
        if not self.wait(future.done, seconds):
            client.remove_pending_request(future)
            return None
        return future.result()

    def close(self) -> None:
        """End the thread and the node."""
        self._executor.shutdown(timeout_sec=5.0)
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _listen(self, episodes: EpisodeSettings) -> None:
        node, reward = self.node, episodes.reward_node
        # deep: a step of a learner may see many answers
        node.create_subscription(RewardStamped, f"{reward}/reward", self._on_reward, 100)
        node.create_subscription(RewardModelInfo, f"{reward}/info", self._on_info, LATCHED)
        if self._robot.robot_ok_topic:
            node.create_subscription(Bool, self._robot.robot_ok_topic, self._on_robot, LATCHED)
        if episodes.success_topic:
            node.create_subscription(Bool, episodes.success_topic, self._on_success, 10)
        node.create_service(Trigger, "~/ready", self._on_ready)

    def _on_reward(self, message: RewardStamped) -> None:
        try:
            answer = answer_of_message(message)
        except ValueError as error:
            self.node.get_logger().warning(f"a message that contradicts itself: {error}", throttle_duration_sec=5.0)
            return
        with self.changed:
            refusal = self.gate.judge(answer, now_ns=self.clocks.now_ns(), now=self.clocks.steady())
            self._hear(answer, refusal)
            self.changed.notify_all()

    def _on_info(self, message: RewardModelInfo) -> None:
        with self.changed:
            self.info = message
            self.changed.notify_all()

    def _on_robot(self, message: Bool) -> None:
        with self.changed:
            self._robot_said = (self.clocks.steady(), message.data)
            self.gate.robot_said(ok=message.data, now=self.clocks.steady())
            self.changed.notify_all()

    def _on_success(self, message: Bool) -> None:
        with self.changed:
            self.said_success = message.data
            self.changed.notify_all()

    def _on_ready(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        with self.changed:
            self.said_ready = True
            self.changed.notify_all()
        response.success, response.message = True, "thank you; the next episode begins"
        return response

    def _notify(self) -> None:
        with self.changed:
            self.changed.notify_all()


def _limits(robot: RobotSettings, episodes: EpisodeSettings) -> GateLimits:
    return GateLimits(
        max_age=episodes.max_reward_age,
        max_future=episodes.max_future,
        max_spread=episodes.max_spread,
        discount=episodes.discount,
        heed_robot=bool(robot.robot_ok_topic),
        robot_timeout=robot.robot_ok_timeout,
    )
