"""What the demo compares: rewards that came live with those that relabelling gives; no ROS is needed."""

import math

import numpy as np
import pytest
from robo_reward_ros.demo_ros_comparison import LIVE, OFFLINE, compare

pytest.importorskip("rosbags", reason="rosbags is not installed: pip install 'robo-reward[bags]'")

from rosbags.rosbag2 import StoragePlugin, Writer

from robo_reward.episodes.bag_writer import REWARD_STAMPED, store_with_rewards
from robo_reward.episodes.bag_writer import _built as built

SECOND = 1_000_000_000


def fields(number: int, progress: float, **changes) -> dict:
    stamp = {"sec": 10 + number, "nanosec": 0}
    numbers = dict.fromkeys(
        ("spread", "potential", "reward", "task_reward", "success_probability", "input_age", "inference_time"), 0.25
    )
    empty = {"views": ["front"], "view_present": np.array([True])} | {
        name: np.array([math.nan]) for name in ("view_lag", "view_progress")
    }
    return {
        "header": {"stamp": stamp, "frame_id": ""},
        "newest_stamp": stamp,
        "status": 1,
        "reason": "",
        "progress": progress,
        **numbers,
        "discount": 0.95,
        "steps": 1,
        "success": False,
        "terminated": False,
        "truncated": False,
        **empty,
        "model_id": "m",
        "goal_id": "g",
        **dict.fromkeys(("session", "sequence", "episode", "sets_answered", "sets_dropped", "pictures_refused"), 0),
    } | changes


def end(number: int, **changes) -> dict:
    return fields(number, 0.5, views=[], view_present=np.array([], bool)) | changes


@pytest.fixture
def bag(tmp_path):
    def write(live: list[dict], offline: list[dict]):
        store = store_with_rewards()
        with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            for topic, messages in ((LIVE, live), (OFFLINE, offline)):
                connection = writer.add_connection(topic, REWARD_STAMPED, typestore=store)
                for time, message in enumerate(messages):
                    raw = store.serialize_cdr(built(store, REWARD_STAMPED, message), REWARD_STAMPED)
                    writer.write(connection, time * SECOND, raw)
        return tmp_path / "bag"

    return write


EPISODE = [fields(0, math.nan, status=4), fields(1, 0.2), fields(2, 0.4), end(2, terminated=True)]


def test_the_same_numbers_are_the_same_and_episodes_are_found_by_their_ends(bag):
    second = [fields(number, 0.3) for number in (4, 5)] + [end(5, truncated=True)]
    found = compare(bag([*EPISODE, *second], [*EPISODE, *second[:2]]), since_ns=0)
    assert (found.answers, found.different, found.unanswered) == (6, 0, 0)
    assert [len(episode) for episode in found.episodes] == [4, 3]


def test_another_last_bit_is_a_difference(bag):
    other = [*EPISODE[:2], fields(2, math.nextafter(0.4, 1.0)), EPISODE[3]]
    assert compare(bag(EPISODE, other), since_ns=0).different == 1


def test_what_is_missing_on_either_side_is_counted(bag):
    assert compare(bag(EPISODE, EPISODE[:2]), since_ns=0).different == 2


def test_what_was_never_answered_live_is_counted(bag):
    assert compare(bag(EPISODE[:2], EPISODE), since_ns=0).unanswered == 2


def test_heartbeats_and_what_came_before_do_not_count(bag):
    heartbeat = end(1, status=2, reward=math.nan)
    found = compare(bag([heartbeat, *EPISODE], EPISODE), since_ns=10 * SECOND)
    assert (found.answers, found.different, found.unanswered) == (3, 0, 0)
