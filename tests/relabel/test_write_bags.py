"""Rewards in copies of bags: the recorded messages as they were, and among them what the robot would have said."""

import re

import numpy as np
import pytest
from bag_data import MS, PERIOD, START, float64, two_cameras, write_bag
from fake_encoder import FakeEncoder
from recorded import INSTRUCTION, Stops, greenness
from rewarded_bags import LOW_CONFIDENCE, OK, SPLIT, TOPICS, WARMUP, opened, raw, read, relabelling
from rosbags.highlevel import AnyReader

from robo_reward import RewardStream
from robo_reward.episodes.bag import BagEpisodes
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.errors import DataSetError, OutputError
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.relabel.reward_messages import RewardTopics
from robo_reward.relabel.run import relabel


def online(source: BagEpisodes, number: int, model: PromptSimilarity):
    """What a stream says of each set, and the stream."""
    stream, said = RewardStream(model, discount=0.95), []
    for clip in source.clips(source.episodes[number], num_frames=4):
        for t in range(clip.stamp.shape[1]):
            views = {
                name: frames[0, t] if bool(clip.present[0, t, view]) else None
                for view, (name, frames) in enumerate(clip.views.items())
            }
            said.append(stream.step(views, stamp=float(clip.stamp[0, t])))
    return said, stream


def test_every_recorded_message_is_in_the_copy_bit_for_bit(two_episodes, relabelled):
    assert raw(relabelled, without=("/reward", "/reward_node/reward")) == raw(two_episodes)
    with AnyReader([relabelled]) as copy, AnyReader([two_episodes]) as original:
        for topic, info in original.topics.items():
            assert copy.topics[topic].msgdef == info.msgdef
            assert [one.digest for one in copy.topics[topic].connections] == [one.digest for one in info.connections]
    assert sorted(file.name for file in relabelled.iterdir()) == ["meta", "metadata.yaml", "run_rewarded.mcap"]


def test_the_messages_are_the_online_rewards_bit_for_bit(two_episodes, relabelled):
    source = opened(two_episodes, **SPLIT)
    told = [message for _, _, message in read(relabelled, TOPICS.stamped)]
    for number, episode in enumerate(source.episodes):
        own = [message for message in told if message.episode == number]
        *sets, end = own
        said, stream = online(source, number, greenness())
        assert said[0] is None
        assert [message.status for message in sets] == [WARMUP] + [OK] * (episode.num_frames - 1)
        assert [message.reward for message in sets[1:]] == [reward.reward for reward in said[1:]]
        assert [message.potential for message in sets[1:]] == [reward.potential for reward in said[1:]]
        assert [message.progress for message in sets[1:]] == [reward.progress for reward in said[1:]]
        assert [message.spread for message in sets[1:]] == [reward.spread for reward in said[1:]]
        assert np.isnan([sets[0].reward, sets[0].potential, sets[0].task_reward, sets[0].discount]).all()
        if episode.terminated:
            assert (end.status, end.reward, end.potential) == (OK, stream.terminate(), sets[-1].potential)
    assert [message.sequence for message in told] == list(range(len(told)))


def test_the_value_is_shaped_plus_task_reward_and_only_where_the_status_is_ok(two_episodes, tmp_path):
    source = opened(two_episodes, **SPLIT)
    output = relabel(source, tmp_path / "out", relabelling(success_reward=2.0), store=None, into_bags=TOPICS)
    paid = [
        (at, message.reward + message.task_reward)
        for _, at, message in read(output, TOPICS.stamped)
        if message.status == OK
    ]
    assert [(at, message.data) for _, at, message in read(output, TOPICS.value)] == paid
    assert [m.task_reward for _, _, m in read(output, TOPICS.stamped) if m.terminated] == [2.0]
    assert sum(m.task_reward for _, _, m in read(output, TOPICS.stamped) if m.status == OK) == 2.0


def test_a_message_has_the_stamp_of_the_oldest_picture_and_comes_when_the_set_is_complete(relabelled):
    told = read(relabelled, TOPICS.stamped)
    stamps = [message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for _, _, message in told]
    assert stamps[:9] == [START + t * PERIOD for t in range(9)]
    assert [at for _, at, _ in told[:9]] == [START + t * PERIOD + 11 * MS for t in range(9)]
    assert told[0][2].newest_stamp.nanosec - told[0][2].header.stamp.nanosec == 4 * MS
    np.testing.assert_allclose(told[0][2].view_lag, [0, 0.004])
    assert told[0][2].views == ["observation.images.front", "observation.images.wrist"]
    with AnyReader([relabelled]) as reader:
        order = [connection.topic for connection, _, _ in reader.messages()]
    assert order[:6] == [
        "/front/image_raw",
        "/wrist/compressed",
        "/reward_node/reward",
        "/front/image_raw",
        "/wrist/compressed",
        "/reward_node/reward",
    ]


def test_the_end_of_an_episode_has_a_message_that_says_how_it_ended(relabelled):
    told = [message for _, _, message in read(relabelled, TOPICS.stamped)]
    ends = [(message.terminated, message.truncated, message.success, message.status) for message in told]
    assert ends[9] == (True, False, True, OK)
    assert ends[-1] == (False, True, False, WARMUP)
    assert sum(end[0] or end[1] for end in ends) == 2
    assert told[9].reward == -told[9].potential
    received = [at for _, at, _ in read(relabelled, TOPICS.stamped)]
    assert received[9] == START + 900 * MS  # when the episode was ended
    assert received[-1] == received[-2]
    assert told[-1].reason == "the recording ends here"
    assert [len(message.views) for message in (told[8], told[9])] == [2, 0]


class Blind(FakeEncoder):
    """Abstains wherever the green is strong."""

    def embed(self, pixels):
        embedding = super().embed(pixels)
        green = pixels.flatten(2).double().mean(-1)[:, 1] > 100
        embedding[green] = float("nan")
        return embedding


def test_where_the_model_abstains_there_is_no_number(tmp_path):
    bag = write_bag(tmp_path / "run", two_cameras(8))
    model = PromptSimilarity(Blind(), goal=["a green square"], baseline=["a red square"], alpha=0.5)
    output = relabel(
        opened(bag), tmp_path / "out", relabelling(models={INSTRUCTION: model}), store=None, into_bags=TOPICS
    )
    told = [message for _, _, message in read(output, TOPICS.stamped)]
    unsure = [message for message in told if message.status == LOW_CONFIDENCE]
    assert len(unsure) >= 3
    assert {message.reason for message in unsure} == {"the model abstained"}
    assert all(np.isnan([m.reward, m.potential, m.task_reward, m.discount]).all() for m in unsure)
    assert len(read(output, TOPICS.value)) == sum(message.status == OK for message in told)


def test_a_data_set_made_of_a_bag_gives_the_same_numbers_bit_for_bit_when_relabelled_itself(two_episodes, tmp_path):
    first = relabel(opened(two_episodes, **SPLIT), tmp_path / "first", relabelling(), store=None)
    again = relabel(LeRobotEpisodes(first), tmp_path / "again", relabelling(), store=None)
    one, other = LeRobotEpisodes(first), LeRobotEpisodes(again)
    names = [name for name in one.column_names if name.startswith(("reward.", "next.")) or name == "timestamp"]
    assert len(names) == 7
    for episode, same in zip(one.episodes, other.episodes, strict=True):
        before, after = one.columns(episode, names), other.columns(same, names)
        for name in names:
            np.testing.assert_array_equal(before[name], after[name])
        (clip,) = one.clips(episode, num_frames=99)
        source = opened(two_episodes, **SPLIT)
        (recorded,) = source.clips(source.episodes[episode.index], num_frames=99)
        assert all(bool((clip.views[name] == recorded.views[name]).all()) for name in recorded.cameras)
        assert bool((clip.stamp == recorded.stamp).all())


def test_what_the_robot_felt_is_the_same_in_a_bag_and_in_a_data_set_made_of_it(tmp_path):
    widths = [("/gripper", START + t * 70 * MS, float64(0.01 * t)) for t in (1, 2, 3, 9)]
    bag = write_bag(tmp_path / "run", sorted([*widths, *two_cameras(8)], key=lambda event: event[1]))
    source = opened(bag, state={"gripper_width": {"topic": "/gripper"}})
    (clip,) = source.clips(source.episodes[0], num_frames=99)
    folder = relabel(source, tmp_path / "out", relabelling(), store=None)
    copy = LeRobotEpisodes(folder, state={"gripper_width": {"column": "observation.sensed.gripper_width"}})
    (again,) = copy.clips(copy.episodes[0], num_frames=99)
    felt = clip.state["gripper_width"].numpy()
    np.testing.assert_array_equal(again.state["gripper_width"].numpy(), felt)
    assert 0 < np.isnan(felt).sum() < 8


def test_bags_and_data_sets_carry_the_same_rewards(two_episodes, relabelled, tmp_path):
    data_set = LeRobotEpisodes(relabel(opened(two_episodes, **SPLIT), tmp_path / "out", relabelling(), store=None))
    told = [message for _, _, message in read(relabelled, TOPICS.stamped)]
    for episode in data_set.episodes:
        columns = data_set.columns(episode, ["reward.shaped", "reward.progress", "stamp_ns"])
        own = [message for message in told if message.episode == episode.index]
        assert [m.reward for m in own[1:-1]] == columns["reward.shaped"][:-1].tolist()
        assert [m.progress for m in own[:-1]] == columns["reward.progress"].tolist()
        stamps = [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in own[:-1]]
        assert stamps == columns["stamp_ns"].tolist()


def test_rewards_of_episodes_that_were_not_selected_are_not_there(two_episodes, tmp_path):
    source = opened(two_episodes, select=[1], **SPLIT)
    output = relabel(source, tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)
    told = [message for _, _, message in read(output, TOPICS.stamped)]
    assert len(told) == 6
    assert raw(output, without=("/reward", "/reward_node/reward")) == raw(two_episodes)


def test_a_killed_run_continues_and_ends_in_the_same_bytes(two_episodes, relabelled, tmp_path):
    output = tmp_path / "run_rewarded"
    stops = PromptSimilarity(Stops(20), goal=["a green square"], baseline=["a red square"], alpha=0.5)
    source = opened(two_episodes, **SPLIT)
    with pytest.raises(KeyboardInterrupt):
        relabel(source, output, relabelling(models={INSTRUCTION: stops}), store=None, batch_size=4, into_bags=TOPICS)
    assert not output.exists()
    half = tmp_path / "run_rewarded.partial" / "bag" / "run_rewarded"
    half.mkdir(parents=True)
    (half / "run_rewarded.mcap").write_bytes(b"half")
    relabel(source, output, relabelling(), store=None, into_bags=TOPICS)
    for name in ("run_rewarded.mcap", "metadata.yaml", "meta/robo_reward/provenance.json"):
        assert (output / name).read_bytes() == (relabelled / name).read_bytes()
    assert not (tmp_path / "run_rewarded.partial").exists()


def test_a_damaged_picture_leaves_nothing_that_looks_whole(tmp_path):
    events = two_cameras(4)
    content = events[5][2]
    content.data = content.data[:-60]
    for topics in (None, TOPICS):
        bag, output = tmp_path / f"run{topics is None}", tmp_path / f"out{topics is None}"
        with pytest.raises(DataSetError, match="topic '/wrist/compressed', message received at"):
            relabel(opened(write_bag(bag, events)), output, relabelling(), store=None, into_bags=topics)
        assert not output.exists()


def test_a_bag_that_has_rewards_is_not_given_more_under_the_same_name(relabelled, tmp_path):
    text = f"{relabelled} has messages on /reward, /reward_node/reward already; name a namespace for the new topics"
    with pytest.raises(DataSetError, match=re.escape(text)):
        relabel(opened(relabelled), tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)
    assert not (tmp_path / "out.partial").exists()
    again = RewardTopics().under("/offline")
    output = relabel(opened(relabelled, **SPLIT), tmp_path / "out", relabelling(), store=None, into_bags=again)
    live, offline = ([message for _, _, message in read(output, topic)] for topic in ("/reward", "/offline/reward"))
    assert [message.data for message in live] == [message.data for message in offline]


def test_an_existing_output_is_not_touched(two_episodes, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="exists; name a folder that does not"):
        relabel(opened(two_episodes), tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)
    assert list((tmp_path / "out").iterdir()) == []


def test_bags_are_not_made_of_data_sets(two_episodes, tmp_path):
    data_set = LeRobotEpisodes(relabel(opened(two_episodes), tmp_path / "set", relabelling(), store=None))
    text = "rewards go into bags where bags are read (episodes=mcap); this is LeRobot v3.0 data set"
    with pytest.raises(ValueError, match=re.escape(text)):
        relabel(data_set, tmp_path / "out", relabelling(), store=None, into_bags=TOPICS)


@pytest.mark.parametrize("namespace", ["offline", "/offline/"])
def test_a_namespace_that_is_none_is_refused(namespace):
    with pytest.raises(
        ValueError, match=f"a namespace begins with a slash and does not end with one, got '{namespace}'"
    ):
        RewardTopics().under(namespace)
