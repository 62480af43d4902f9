"""Bags that are relabelled, and what is read from them."""

from pathlib import Path

from recorded import INSTRUCTION, greenness
from rosbags.highlevel import AnyReader

from robo_reward.episodes.bag import BagEpisodes
from robo_reward.relabel.reward_messages import RewardTopics
from robo_reward.relabel.run import Relabelling

CAMERAS = {"front": "/front/image_raw", "wrist": "/wrist/compressed"}
TOPICS = RewardTopics()
OK, WARMUP, LOW_CONFIDENCE = 1, 4, 5


def opened(bag, **settings) -> BagEpisodes:
    return BagEpisodes(bag, **({"cameras": CAMERAS, "instruction": INSTRUCTION} | settings))


def relabelling(**changes) -> Relabelling:
    return Relabelling(**({"models": {INSTRUCTION: greenness()}, "discount": 0.95} | changes))


def read(bag: Path, *topics: str) -> list[tuple[str, int, object]]:
    """(topic, received_ns, message) of some topics."""
    with AnyReader([bag]) as reader:
        wanted = [one for one in reader.connections if one.topic in topics]
        return [(one.topic, at, reader.deserialize(raw, one.msgtype)) for one, at, raw in reader.messages(wanted)]


def raw(bag: Path, *, without: tuple[str, ...] = ()) -> list[tuple[str, str, int, bytes]]:
    with AnyReader([bag]) as reader:
        return [
            (one.topic, one.msgtype, at, bytes(data)) for one, at, data in reader.messages() if one.topic not in without
        ]


SPLIT = {"success_topic": "/success", "episode_topic": "/reset_episode"}
