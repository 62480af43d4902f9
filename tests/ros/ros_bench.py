"""A reward node and somebody who talks to it, over real DDS: each has an executor and a thread.

Tests take the fixtures by name: `bench = ros_bench.bench`.
"""

import os
import warnings
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from threading import Thread
from time import monotonic, sleep
from typing import TextIO

with warnings.catch_warnings(), suppress(ImportError):
    # what reads ROS's interface files imports a deprecated part of the standard library
    warnings.simplefilter("ignore", DeprecationWarning)
    import lark  # noqa: F401

import pytest
import rclpy
from demonstrations import demonstration, small_process
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from robo_reward_msgs.msg import RewardModelInfo, RewardStamped
from robo_reward_ros.reward_node import RewardNode
from robo_reward_ros.ros_lifecycle import LATCHED
from robo_reward_ros.ros_messages import time_message
from ros_pictures import picture, until
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Bool, Float64

from robo_reward.training.fit import FittedModels, save_models

_opened = count(7 * os.getpid())


def own_domain(number: int) -> TextIO:
    """Lock a domain that no other test on this machine uses; its number ends the name of the file.

    Each call gives another one: what a participant that just left still says on its domain would end a new one.
    """
    for _ in range(200):
        file = (Path(gettempdir()) / f"robo_reward_domain_{1 + (number + next(_opened)) % 200}").open("w")
        with suppress(BlockingIOError):
            flock(file, LOCK_EX | LOCK_NB)
            return file
        file.close()
    raise AssertionError("every domain is taken by another test")


class Talker:
    """Somebody who shows pictures to a reward node, asks it, and keeps what it publishes."""

    def __init__(self, number: int, *, namespace: str = "") -> None:
        self._lock = own_domain(number)
        self.domain = int(self._lock.name.rpartition("_")[2])
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=self.domain)
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
        self._cameras, self._clients, self._threads, self._nodes = {}, {}, [], []
        self.add(self.client)

    def add(self, node) -> None:
        """Run a node in an executor and a thread of its own."""
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(node)
        self._threads.append((executor, Thread(target=executor.spin, daemon=True)))
        self._threads[-1][1].start()
        self._nodes.append(node)

    def close(self) -> None:
        for executor, thread in self._threads:
            executor.shutdown(timeout_sec=5)
            thread.join(5)
        for node in self._nodes:
            node.destroy_node()
        rclpy.try_shutdown(context=self.context)
        self._lock.close()

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

    def bring_up(self, *, seconds: float = 30.0) -> None:
        """Take a node that is only just starting to active; requests that a killed predecessor would get are lost."""
        end = monotonic() + seconds
        while monotonic() < end:
            state = self._asked("get_state", GetState.Request())
            label = "unknown" if state is None else state.current_state.label
            if label == "active":
                return
            transition = {"unconfigured": "configure", "inactive": "activate"}.get(label)
            if transition is not None:
                number = getattr(Transition, f"TRANSITION_{transition.upper()}")
                self._asked("change_state", ChangeState.Request(transition=Transition(id=number)))
        raise AssertionError("the node did not become active")

    def _asked(self, name: str, request, *, seconds: float = 1.0):
        """Ask once; None = no answer in time."""
        kind = {"get_state": GetState, "change_state": ChangeState}[name]
        client = self.client.create_client(kind, f"reward_node/{name}")
        future = client.call_async(request) if client.wait_for_service(seconds) else None
        end = monotonic() + seconds
        while future is not None and not future.done() and monotonic() < end:
            sleep(0.01)
        self.client.destroy_client(client)
        return None if future is None or not future.done() else future.result()

    @property
    def state(self) -> str:
        return self.call(GetState, "reward_node/get_state").current_state.label

    def now_ns(self) -> int:
        return self.client.get_clock().now().nanoseconds

    def show(
        self,
        pixels,
        *,
        topic: str = "camera/image_raw",
        encoding: str = "rgb8",
        stamp_ns: int | None = None,
        wait: bool = True,
    ) -> int:
        """Publish a picture, once its subscriber is there; gives its stamp."""
        now = self.now_ns() if stamp_ns is None else stamp_ns
        height, width, channels = pixels.shape
        message = Image(height=height, width=width, encoding=encoding, step=width * channels)
        message.header.stamp = time_message(now)
        message.data.frombytes(pixels.tobytes())
        self._publish(Image, topic, message, wait=wait)
        return now

    def show_compressed(self, data: bytes, *, topic: str, kind: str = "png") -> int:
        now = self.now_ns()
        message = CompressedImage(format=kind)
        message.header.stamp = time_message(now)
        message.data.frombytes(data)
        self._publish(CompressedImage, topic, message, wait=True)
        return now

    def _publish(self, kind, topic: str, message, *, wait: bool) -> None:
        if topic not in self._cameras:
            self._cameras[topic] = self.client.create_publisher(kind, topic, 1)
        if wait:
            until(lambda: self._cameras[topic].get_subscription_count() > 0, seconds=10)
        self._cameras[topic].publish(message)

    def answered(self) -> list[RewardStamped]:
        """Messages that answer pictures, without heartbeats."""
        return [message for message in self.rewards if message.views]


class Bench(Talker):
    """The same with a reward node in this process, over real DDS all the same."""

    def __init__(self, number: int, *, namespace: str = "", **parameters) -> None:
        super().__init__(number, namespace=namespace)
        given = {"cameras": ["front"], "image_topics": ["camera/image_raw"], "warm_up_height": 12, "warm_up_width": 10}
        overrides = [Parameter(name, value=value) for name, value in (given | parameters).items()]
        self.node = RewardNode(context=self.context, parameter_overrides=overrides, namespace=namespace)
        self.add(self.node)

    def start(self) -> None:
        assert self.change("configure")
        assert self.change("activate")

    def close(self) -> None:
        self.node.on_shutdown(None)
        super().close()


def watch(bench: Bench, *shares: float) -> list[int]:
    """Show pictures one by one, each when the one before is answered; gives their stamps."""
    stamps = []
    for share in shares:
        before = len(bench.answered())
        stamps.append(bench.show(picture(share)))
        until(lambda before=before: len(bench.answered()) > before, seconds=10)
    return stamps


PROMPTS = """
encoder: {_target_: fake_encoder.FakeEncoder}
reward_model:
  _target_: robo_reward.models.prompt_similarity.PromptSimilarity
  goal: [a green square]
  baseline: [a red square]
  alpha: 0.5
  renormalize: true
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder as `robo-reward fit` writes it: two cameras, one task."""
    output = tmp_path_factory.mktemp("fit") / "fitted"
    model = small_process().fitted_to([demonstration(seed=seed) for seed in range(2)])
    save_models(
        FittedModels(
            encoder={"_target_": "fake_encoder.FakeEncoder"},
            models={"make it green": model},
            fitted_on={},
            curves={"make it green": []},
        ),
        output,
    )
    return output


@pytest.fixture
def bench(tmp_path):
    made = []
    (tmp_path / "prompts.yaml").write_text(PROMPTS)

    def start(*, begin: bool = True, **parameters) -> Bench:
        given = {"reward_model": str(tmp_path / "prompts.yaml"), "stale_after": 1.0}
        made.append(Bench(40 + len(made), **(given | parameters)))
        if begin:
            made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.close()
