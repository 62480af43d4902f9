"""Copies of bags keep the form of what they copy, and real pictures their numbers."""

import numpy as np
import pytest
from bag_data import MS, START, red_to_green, two_cameras, write_bag
from recorded import INSTRUCTION
from rewarded_bags import TOPICS, opened, raw, read, relabelling
from rosbags.rosbag2 import CompressionMode

from robo_reward.episodes.bag import BagEpisodes
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.relabel.run import read_provenance, relabel


def test_a_copy_of_sqlite3_is_sqlite3(tmp_path):
    bag = write_bag(tmp_path / "run", two_cameras(3), sqlite=True)
    output = relabel(opened(bag), tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)
    assert (output / "out.db3").is_file()
    assert raw(output, without=("/reward", "/reward_node/reward")) == raw(bag)


@pytest.mark.parametrize(("sqlite", "zstd"), [(False, "STORAGE"), (False, "FILE"), (True, "MESSAGE"), (True, "FILE")])
def test_compressed_bags_are_read_and_their_copies_hold_the_same_messages(tmp_path, sqlite, zstd):
    plain = write_bag(tmp_path / "plain", two_cameras(3))
    bag = write_bag(tmp_path / "run", two_cameras(3), sqlite=sqlite, zstd=CompressionMode[zstd])
    assert raw(bag) == raw(plain)
    output = relabel(opened(bag), tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)
    assert raw(output, without=("/reward", "/reward_node/reward")) == raw(plain)
    assert (output / ("out.db3" if sqlite else "out.mcap")).is_file()


def test_a_single_file_becomes_a_bag_in_a_folder(tmp_path):
    (file,) = write_bag(tmp_path / "run", two_cameras(3)).glob("*.mcap")
    output = relabel(opened(file), tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)
    assert len(read(output, TOPICS.stamped)) == 4


def test_several_bags_become_several_in_one_folder(tmp_path):
    for name, length in (("a", 3), ("b", 4)):
        write_bag(tmp_path / "runs" / name, two_cameras(length))
    source = opened([tmp_path / "runs" / "a", tmp_path / "runs" / "b", tmp_path / "runs" / "a"])
    output = relabel(source, tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)
    assert {name: len(read(output / name, TOPICS.stamped)) for name in ("a", "b", "a_2")} == {"a": 4, "b": 5, "a_2": 4}
    assert read_provenance(output)["topics"] == {"stamped": "/reward_node/reward", "value": "/reward"}


@pytest.mark.slow
def test_real_pictures_in_a_bag_give_the_same_numbers_as_in_a_data_set(shared_data, tmp_path):
    from bag_data import compressed_image

    from robo_reward.episodes.robo_dopamine import RoboDopamineEpisodes

    recorded = RoboDopamineEpisodes(shared_data / "episodes" / "robo_dopamine" / "dataset" / "example_raw_data")
    events = []
    for clip in recorded.clips(recorded.episodes[0], num_frames=20):
        for view, (camera, frames) in enumerate(clip.views.items()):
            topic = f"/{camera.removeprefix('observation.images.')}/compressed"
            for t in range(0, 20, 2):
                stamp = START + round(float(clip.stamp[0, t]) * 1e9)
                picture = frames[0, t].permute(1, 2, 0).numpy()
                kind = "JPEG" if view else "PNG"
                events.append(
                    (topic, stamp + view * MS, compressed_image(np.ascontiguousarray(picture), stamp, kind=kind))
                )
        if len(events) >= 120:
            break
    bag = write_bag(tmp_path / "run", sorted(events, key=lambda event: event[1]))
    source = BagEpisodes(bag, instruction=INSTRUCTION)
    assert len(source.episodes[0].cameras) == 3
    assert source.episodes[0].num_frames == 40
    assert source.fps == 15.0
    first = LeRobotEpisodes(relabel(source, tmp_path / "first", relabelling(), store=None))
    again = LeRobotEpisodes(relabel(first, tmp_path / "again", relabelling(), store=None))
    output = relabel(source, tmp_path / "bag", relabelling(), store=None, into_bags=TOPICS)
    rewards = [
        episodes.columns(episodes.episodes[0], ["reward.shaped"])["reward.shaped"] for episodes in (first, again)
    ]
    np.testing.assert_array_equal(rewards[0], rewards[1])
    assert [m.reward for _, _, m in read(output, TOPICS.stamped)][1:-1] == rewards[0][:-1].tolist()
    assert np.isfinite(rewards[0][:-1]).all()
    assert np.ptp(rewards[0][:-1]) > 0


def test_the_pictures_of_the_tests_turn_green():
    film = red_to_green(5)
    assert film[0, ..., 0].mean() > 200
    assert film[-1, ..., 1].mean() > 200
