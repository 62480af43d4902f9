"""A bag replayed over real DDS through the live node says what relabelling it says, bit for bit, for every model."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

from chat_server import ChatServer
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from recorded_models import ASKING, FRONT, MODELS, TASK, TOPICS, WRIST, RecordedModel, judge
from recorded_roads import CAMERA_OF, Told, in_the_bag, messages, told
from robo_reward_ros.ros_messages import time_message
from ros_bench import Bench
from ros_pictures import until
from rosbags.highlevel import AnyReader
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float64

from robo_reward.episodes.bag_file import BagFile
from robo_reward.stamps import nanoseconds

QUICK = ("keypoint_affordance of the tool",)


class Replay(Bench):
    """Plays a bag's messages in their order, each once the one before is answered: nothing is lost, nothing waits."""

    def __init__(self, number: int, recorded: RecordedModel) -> None:
        height, width = recorded.size
        super().__init__(
            number,
            reward_model=recorded.reward_model,
            overrides=list(recorded.overrides),
            instruction=TASK,
            cameras=[FRONT, WRIST],
            image_topics=[TOPICS["front"], f"{TOPICS['wrist']}/compressed"],
            warm_up_height=height,
            warm_up_width=width,
            **_state_parameters(recorded),
            use_sim_time=True,
            stale_after=30.0,  # of the wall clock: this replay takes its time
        )
        self._recorded = recorded
        reliable = QoSProfile(depth=10)
        self._clock = self.client.create_publisher(Clock, "/clock", reliable)
        self._publishers = {
            TOPICS["front"]: self.client.create_publisher(Image, TOPICS["front"], reliable),
            TOPICS["wrist"]: self.client.create_publisher(CompressedImage, f"{TOPICS['wrist']}/compressed", reliable),
        }
        for state in recorded.state.values():
            kind = PoseStamped if state["topic"] == "/tool" else Float64
            self._publishers[state["topic"]] = self.client.create_publisher(kind, state["topic"], reliable)

    def play(self) -> None:
        publishers = (self._clock, *self._publishers.values())
        until(lambda: all(each.get_subscription_count() for each in publishers), seconds=10)
        with AnyReader([self._recorded.bag]) as reader:
            raw = [bytes(data) for _, _, data in reader.messages()]
        for message, data in zip(messages(self._recorded), raw, strict=True):
            self._at(message.received_ns)
            before = self._arrived
            self._publishers[message.topic].publish(data)
            if message.topic in CAMERA_OF:
                until(lambda before=before: self._arrived > before, seconds=10)
                until(lambda: self.node.core._worker.idle, seconds=30)
            else:
                until(lambda message=message: self._felt(message.topic) == {message.stamp_ns}, seconds=10)

    def _felt(self, topic: str) -> set[int]:
        """Latest stamps of the states of a topic."""
        said = self.node.core._door._states._said
        names = [name for name, state in self._recorded.state.items() if state["topic"] == topic]
        return {said[name][-1][0] if said[name] else 0 for name in names}

    def _at(self, now_ns: int) -> None:
        self._clock.publish(Clock(clock=time_message(now_ns)))
        until(lambda: self.node.get_clock().now().nanoseconds == now_ns, seconds=10)

    @property
    def _arrived(self) -> int:
        return sum(self.node.core._door._sets.arrived.values())

    def heard(self, number: int) -> list[Told]:
        """What a subscriber was told of so many sets."""
        until(lambda: len(self.answered()) >= number, seconds=10)
        stamps = [nanoseconds(each.header.stamp.sec, each.header.stamp.nanosec) for each in self.answered()]
        return [told(each, stamp_ns=stamp) for each, stamp in zip(self.answered(), stamps, strict=True)]


def _state_parameters(recorded: RecordedModel) -> dict[str, list[str] | list[float]]:
    kinds, states = BagFile(recorded.bag).kinds, recorded.state
    if not states:
        return {}
    return {
        "state_names": list(states),
        "state_topics": [state["topic"] for state in states.values()],
        "state_types": [kinds[state["topic"]] for state in states.values()],
        "state_fields": [", ".join(state.get("fields", ["data"])) for state in states.values()],
        "state_scales": [state.get("scale", 1.0) for state in states.values()],
    }


@pytest.fixture
def replay(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    benches = []

    def build(recorded: RecordedModel) -> Replay:
        benches.append(Replay(140 + len(benches), recorded))
        benches[-1].start()
        return benches[-1]

    yield build
    for each in benches:
        each.close()


def check(recorded: RecordedModel, replay: Callable[[RecordedModel], Replay], output: Path) -> None:
    offline = in_the_bag(recorded, output)
    live = replay(recorded)
    live.play()
    assert live.heard(len(offline)) == offline
    assert [each.sets_dropped for each in live.answered()] == [0] * len(offline)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in [*MODELS, *ASKING]]
)
def test_a_replayed_bag_says_live_what_it_says_relabelled_bit_for_bit(name, replay, tmp_path):
    if name in MODELS:
        check(MODELS[name](tmp_path), replay, tmp_path / "rewarded")
        return
    with ChatServer(judge) as server:
        check(ASKING[name](tmp_path, server.url), replay, tmp_path / "rewarded")
