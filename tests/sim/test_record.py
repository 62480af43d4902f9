import json
import multiprocessing
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

pytest.importorskip("robo_reward_sim.meta_world", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.errors import OutputError
from robo_reward_sim.failures import OUTCOMES
from robo_reward_sim.meta_world import MetaWorldScene
from robo_reward_sim.record import MetaWorldRecording, plan_episodes, record
from robo_reward_sim.rollout import EpisodePlan, RecordingSettings, play
from robo_reward_sim.tasks import TASKS
from robo_reward_sim.workers import play_here, play_in_processes

SETTINGS = RecordingSettings(cameras=("left", "right"), image_size=32, action_repeat=4)
PLANS = (
    EpisodePlan(task=TASKS["reach"], outcome="success", seed=1),
    EpisodePlan(task=TASKS["reach"], outcome="wrong_object", seed=2),
    EpisodePlan(task=TASKS["pick-place"], outcome="success", seed=3),
)
CONFIG = {
    "tasks": ["reach", "door-open"],
    "demonstrations": 2,
    "successes": 3,
    "failures": 1,
    "cameras": ["left"],
    "image_size": 32,
    "action_repeat": 4,
    "seed": 0,
    "num_workers": 1,
}


@pytest.fixture(scope="module")
def played():
    return list(play_here(PLANS, SETTINGS))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record(PLANS, tmp_path_factory.mktemp("recorded") / "set", settings=SETTINGS, num_workers=1)


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_was_played_is_read_back(recorded, played):
    source = LeRobotEpisodes(recorded, cameras=None, select=None, success_column="truth.success")
    assert source.fps == 20.0
    assert [episode.instruction for episode in source.episodes] == [plan.task.instruction for plan in PLANS]
    assert [episode.terminated for episode in source.episodes] == [True, False, True]
    for episode, made in zip(source.episodes, played, strict=True):
        assert episode.num_frames == len(made.columns["action"])
        assert episode.success.tolist() == made.columns["truth.success"].tolist()
        (clip,) = source.clips(episode, num_frames=1000)
        for camera in SETTINGS.cameras:
            seen = clip.views[f"observation.images.{camera}"][0].numpy().astype(int)
            # lossy video: close on the whole, and closer to its own frame than to one half an episode away
            own = np.abs(seen - made.views[camera]).mean(axis=(1, 2, 3))
            assert own.max() < 12
            away = np.abs(seen - np.roll(made.views[camera], len(seen) // 2, axis=0)).mean(axis=(1, 2, 3))
            assert own.mean() < away.mean()


def test_the_table_holds_what_was_played_and_the_truth_is_no_camera(recorded, played):
    table = pq.read_table(sorted((recorded / "data").rglob("*.parquet")))
    for name in played[0].columns:
        want = np.concatenate([episode.columns[name] for episode in played])
        assert np.array_equal(np.array(table[name].to_pylist(), want.dtype), want), name
    features = json.loads((recorded / "meta" / "info.json").read_text())["features"]
    cameras = {name for name, feature in features.items() if feature["dtype"] == "video"}
    assert cameras == {"observation.images.left", "observation.images.right"}
    assert features["truth.outcome"]["names"] == ["outcome [0 success, 1 noise, 2 early_stop, 3 wrong_object]"]
    assert np.array(table["truth.outcome"].to_pylist())[-1] == OUTCOMES.index("success")


def test_the_same_plans_give_the_same_bytes(recorded, tmp_path):
    again = record(PLANS, tmp_path / "set", settings=SETTINGS, num_workers=1)
    assert contents(again) == contents(recorded)


@pytest.mark.slow
def test_processes_give_the_same_bytes(recorded, tmp_path):
    again = record(PLANS, tmp_path / "set", settings=SETTINGS, num_workers=2)
    assert contents(again) == contents(recorded)


def test_an_interrupted_recording_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    def interrupted(plans, settings):
        with MetaWorldScene(plans[0].task, cameras=settings.cameras, image_size=settings.image_size) as scene:
            yield play(scene, plans[0], settings=settings)
            raise KeyboardInterrupt

    monkeypatch.setattr("robo_reward_sim.record.play_here", interrupted)
    with pytest.raises(KeyboardInterrupt):
        record(PLANS, tmp_path / "set", settings=SETTINGS, num_workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["set.partial"]


@pytest.mark.slow
def test_a_killed_process_is_told_and_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    def with_one_killed(plans, settings, *, num_workers):
        episodes = play_in_processes(plans, settings, num_workers=num_workers)
        yield next(episodes)
        multiprocessing.active_children()[0].kill()
        yield from episodes

    monkeypatch.setattr("robo_reward_sim.record.play_in_processes", with_one_killed)
    with pytest.raises(OutputError, match="one of the 2 processes that play was killed from outside"):
        record(PLANS * 3, tmp_path / "set", settings=SETTINGS, num_workers=2)
    assert [path.name for path in tmp_path.iterdir()] == ["set.partial"]


def test_a_folder_that_exists_is_refused_before_anything_is_played(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    monkeypatch.setattr("robo_reward_sim.rollout.MetaWorldScene", None)
    with pytest.raises(OutputError, match="set"):
        record(PLANS, tmp_path / "set", settings=SETTINGS, num_workers=1)


@pytest.mark.slow
def test_leaving_early_ends_the_processes():
    episodes = play_in_processes(PLANS * 2, SETTINGS, num_workers=2)
    next(episodes)
    assert multiprocessing.active_children()
    episodes.close()
    assert not multiprocessing.active_children()


def test_a_larger_plan_holds_the_episodes_of_a_smaller_one():
    small = plan_episodes(["reach"], {"success": 2, "noise": 1}, seed=0, part="episodes")
    large = plan_episodes(["door-open", "reach"], {"success": 5, "noise": 4}, seed=0, part="episodes")
    assert set(small) < set(large)
    assert len(set(large)) == 18
    assert len({plan.seed for plan in large}) == 18


def test_parts_and_seeds_share_no_episode():
    def seeds(seed, part):
        return {plan.seed for plan in plan_episodes(["reach"], {"success": 5}, seed=seed, part=part)}

    assert not seeds(0, "demonstrations") & seeds(0, "episodes")
    assert not seeds(0, "episodes") & seeds(1, "episodes")


def test_a_configured_recording_plans_what_it_says():
    recording = MetaWorldRecording(**CONFIG)
    assert [plan.outcome for plan in recording.demonstration_plans()] == ["success"] * 4
    outcomes = [plan.outcome for plan in recording.episode_plans()]
    assert outcomes == (["success"] * 3 + list(OUTCOMES[1:])) * 2
    assert not set(recording.demonstration_plans()) & set(recording.episode_plans())


def test_the_yaml_builds_a_recording_of_five_tasks():
    file = Path(__file__).resolve().parents[2] / "configs" / "record" / "meta_world.yaml"
    config = yaml.safe_load(file.read_text())
    assert config.pop("_target_") == "robo_reward_sim.record.MetaWorldRecording"
    recording = MetaWorldRecording(**config)
    assert len(recording.demonstration_plans()) == 5 * 3
    assert len(recording.episode_plans()) == 5 * (8 + 3 * 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ["drawer"]}, "unknown task 'drawer'; available: assembly"),
        ({"tasks": []}, "tasks must be named, and none twice; got []"),
        ({"tasks": ["reach", "reach"]}, "none twice; got ['reach', 'reach']"),
        ({"cameras": ["front"]}, "unknown camera 'front'; available: left, right"),
        ({"successes": -1}, "the number of 'success' episodes must be >= 0, got -1"),
        ({"failures": -2}, "the number of 'noise' episodes must be >= 0, got -2"),
        ({"image_size": 31}, "image_size must be even and > 0 px, got 31"),
        ({"action_repeat": 21}, "action_repeat must be in [1, 20] environment steps, got 21"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"num_workers": 0}, "num_workers must be >= 1, got 0"),
    ],
)
def test_a_wrong_setting_is_named(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MetaWorldRecording(**(CONFIG | change))


def test_an_unknown_outcome_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="unknown outcome 'crash'; available: success, noise"):
        plan_episodes(["reach"], {"crash": 1}, seed=0, part="episodes")


def test_an_empty_plan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the plan has no episode"):
        record((), tmp_path / "set", settings=SETTINGS, num_workers=1)
    assert not any(tmp_path.iterdir())
