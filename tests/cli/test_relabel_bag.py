"""`robo-reward relabel episodes=mcap` as a user types it."""

import json

import pytest
from bag_data import START, float64, string, two_cameras, write_bag
from rosbags.highlevel import AnyReader

from robo_reward.cli.main import main
from robo_reward.episodes.lerobot import LeRobotEpisodes

NAMED = "episodes.cameras={front: /front/image_raw, wrist: /wrist/compressed}"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    events = [("/task", START, string("make it green")), ("/gripper", START + 5, float64(40.0)), *two_cameras(8)]
    return write_bag(tmp_path_factory.mktemp("cli") / "run", events)


def relabel(bag, output, *overrides) -> int:
    prompts = ["reward_model.goal=[a green cube]", "reward_model.baseline=[a red cube]"]
    return main(["relabel", "episodes=mcap", f"episodes.path={bag}", f"output={output}", *prompts, *overrides])


def test_a_bag_becomes_a_data_set_with_rewards(bag, tmp_path, capsys):
    state = "episodes.state={gripper_width: {topic: /gripper, scale: 0.001}}"
    assert (
        relabel(bag, tmp_path / "out", "episodes.instruction_topic=/task", NAMED, state, "episodes.state_max_age=1")
        == 0
    )
    data_set = LeRobotEpisodes(tmp_path / "out")
    (episode,) = data_set.episodes
    assert (episode.instruction, episode.num_frames, data_set.fps) == ("make it green", 8, 10.0)
    assert episode.cameras == ("observation.images.front", "observation.images.wrist")
    columns = data_set.columns(episode, ["observation.sensed.gripper_width", "reward.shaped"])
    assert columns["observation.sensed.gripper_width"][1] == 0.04
    said = capsys.readouterr().err
    assert f"{bag}: observation.images.front: 8 of 8 frames are in sets" in said
    assert "(episodes.success_topic=TOPIC reads a topic)" in said
    provenance = json.loads((tmp_path / "out" / "meta" / "robo_reward" / "provenance.json").read_text())
    felt = LeRobotEpisodes(tmp_path / "out", state=provenance["episodes"]["state"])
    (clip,) = felt.clips(felt.episodes[0], num_frames=99)
    assert clip.state["gripper_width"][0, 1, 0] == 0.04
    assert provenance["episodes"]["state_topics"] == {"gripper_width": {"topic": "/gripper", "scale": 0.001}}
    assert provenance["episodes"]["cameras"] == {"front": "/front/image_raw", "wrist": "/wrist/compressed"}


def test_a_bag_becomes_a_bag_with_rewards(bag, tmp_path, capsys):
    task = "episodes.instruction=make it green"
    assert relabel(bag, tmp_path / "out", task, "output_format=bag", "bag_namespace=/offline") == 0
    assert f"rewards of 1 episodes are in {tmp_path / 'out'}" in capsys.readouterr().err
    with AnyReader([tmp_path / "out"]) as reader:
        counts = {topic: info.msgcount for topic, info in reader.topics.items()}
    assert counts == {
        "/front/image_raw": 8,
        "/wrist/compressed": 8,
        "/task": 1,
        "/gripper": 1,
        "/offline/reward": 7,
        "/offline/reward_node/reward": 9,
    }


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (
            ["episodes.instruction_topic=/task", "output_format=rosbag"],
            "output_format must be lerobot or bag, got 'rosbag'",
        ),
        ([], "say the task in one way: instruction=TEXT, or instruction_topic=TOPIC of the bag"),
        (
            ["episodes.instruction_topic=/task", "episodes.cameras={rear: /rear}"],
            "has no topic '/rear' for camera 'observation.images.rear'; its image topics are /front/image_raw, /wrist",
        ),
        (
            ["episodes.instruction_topic=/task", "output_format=bag", "bag_namespace=offline"],
            "a namespace begins with a slash and does not end with one, got 'offline'",
        ),
    ],
)
def test_wrong_settings_are_told_in_one_line_and_nothing_is_written(bag, tmp_path, capsys, overrides, text):
    assert relabel(bag, tmp_path / "out", *overrides) == 2
    said = capsys.readouterr().err
    assert text in " ".join(said.split())
    assert "Traceback" not in said
    assert not list(tmp_path.glob("out*"))
