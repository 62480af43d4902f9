"""A reward node and somebody who talks to it, over real DDS, in one process: each has an executor and a thread."""

import warnings
from contextlib import suppress
from threading import Thread

with warnings.catch_warnings(), suppress(ImportError):
    # what reads ROS's interface files imports a deprecated part of the standard library
    warnings.simplefilter("ignore", DeprecationWarning)
    import lark  # noqa: F401

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from robo_reward_msgs.msg import RewardModelInfo, RewardStamped
from robo_reward_ros.reward_node import RewardNode
from robo_reward_ros.ros_lifecycle import LATCHED
from robo_reward_ros.ros_messages import time_message
from ros_pictures import until
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Bool, Float64


class Bench:
    """Starts a reward node with parameters, and keeps what it publishes."""

    def __init__(self, domain: int, *, namespace: str = "", **parameters) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        given = {"cameras": ["front"], "image_topics": ["camera/image_raw"], "warm_up_height": 12, "warm_up_width": 10}
        overrides = [Parameter(name, value=value) for name, value in (given | parameters).items()]
        self.node = RewardNode(context=self.context, parameter_overrides=overrides, namespace=namespace)
        self.client = rclpy.create_node("client", context=self.context, namespace=namespace)
        self.rewards: list[RewardStamped] = []
        self.values: list[float] = []
        self.info: list[RewardModelInfo] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.client.create_subscription(RewardStamped, "reward_node/reward", self.rewards.append, 100)
        self.client.create_subscription(Float64, "reward", lambda message: self.values.append(message.data), 100)
        self.client.create_subscription(RewardModelInfo, "reward_node/info", self.info.append, LATCHED)
        self.client.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self.robot_ok = self.client.create_publisher(Bool, "reward_node/robot_ok", LATCHED)
        self._cameras, self._clients, self._threads, self._others = {}, {}, [], []
        for node in (self.node, self.client):
            executor = SingleThreadedExecutor(context=self.context)
            executor.add_node(node)
            self._threads.append((executor, Thread(target=executor.spin, daemon=True)))
        for _, thread in self._threads:
            thread.start()

    def add(self, node) -> None:
        """Run another node in an executor of its own."""
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(node)
        self._threads.append((executor, Thread(target=executor.spin, daemon=True)))
        self._threads[-1][1].start()
        self._others.append(node)

    def close(self) -> None:
        for executor, thread in self._threads:
            executor.shutdown(timeout_sec=5)
            thread.join(5)
        self.node.on_shutdown(None)
        for node in (self.node, *self._others):
            node.destroy_node()
        self.client.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def call(self, kind, name: str, request=None):
        if name not in self._clients:
            self._clients[name] = self.client.create_client(kind, name)
        client = self._clients[name]
        assert client.wait_for_service(10)
        future = client.call_async(request or kind.Request())
        until(future.done, seconds=20)
        return future.result()

    def change(self, transition: str) -> bool:
        number = getattr(Transition, f"TRANSITION_{transition.upper()}")
        request = ChangeState.Request(transition=Transition(id=number))
        return self.call(ChangeState, "reward_node/change_state", request).success

    @property
    def state(self) -> str:
        return self.call(GetState, "reward_node/get_state").current_state.label

    def start(self) -> None:
        assert self.change("configure")
        assert self.change("activate")

    def show(
        self, pixels, *, topic: str = "camera/image_raw", encoding: str = "rgb8", stamp_ns: int | None = None
    ) -> int:
        """Publish a picture once its subscriber is there; gives its stamp."""
        now = self.node.get_clock().now().nanoseconds if stamp_ns is None else stamp_ns
        height, width, channels = pixels.shape
        message = Image(height=height, width=width, encoding=encoding, step=width * channels)
        message.header.stamp = time_message(now)
        message.data.frombytes(pixels.tobytes())
        self._publish(Image, topic, message)
        return now

    def show_compressed(self, data: bytes, *, topic: str, kind: str = "png") -> int:
        now = self.node.get_clock().now().nanoseconds
        message = CompressedImage(format=kind)
        message.header.stamp = time_message(now)
        message.data.frombytes(data)
        self._publish(CompressedImage, topic, message)
        return now

    def _publish(self, kind, topic: str, message) -> None:
        if topic not in self._cameras:
            self._cameras[topic] = self.client.create_publisher(kind, topic, 1)
        until(lambda: self._cameras[topic].get_subscription_count() > 0, seconds=10)
        self._cameras[topic].publish(message)

    def answered(self) -> list[RewardStamped]:
        """Messages that answer pictures, without heartbeats."""
        return [message for message in self.rewards if message.views]
