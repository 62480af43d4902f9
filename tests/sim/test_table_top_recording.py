import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

pytest.importorskip("robo_reward_sim.meta_world", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward_sim.failures import OUTCOMES
from robo_reward_sim.record import record
from robo_reward_sim.rollout import EpisodePlan, RecordingSettings, play, seed_of
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.recording import TableTopRecording, TableTopSettings
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS
from robo_reward_sim.workers import play_here

SETTINGS = TableTopSettings(cameras=("front", "side"), image_size=32, step_duration=0.1)
PLANS = tuple(
    EpisodePlan(task=TABLE_TOP_TASKS[task], outcome=outcome, seed=number)
    for number, (task, outcome) in enumerate(
        [("reach", "success"), ("push", "wrong_object"), ("pick", "early_stop"), ("open", "noise"), ("pick", "success")]
    )
)
CONFIG = {
    "tasks": ["reach", "open"],
    "demonstrations": 2,
    "successes": 1,
    "failures": 1,
    "cameras": ["front"],
    "image_size": 32,
    "step_duration": 0.1,
    "seed": 0,
    "num_workers": 1,
}


@pytest.fixture(scope="module")
def played():
    return list(play_here(PLANS, SETTINGS))


def test_what_is_recorded_is_read_back_as_demonstrations_are(tmp_path, played):
    folder = record(PLANS, tmp_path / "set", settings=SETTINGS, num_workers=1)
    source = LeRobotEpisodes(folder, cameras=None, select=None, success_column="truth.success")
    assert source.fps == 10.0
    assert [episode.instruction for episode in source.episodes] == [plan.task.instruction for plan in PLANS]
    assert [episode.terminated for episode in source.episodes] == [True, False, False, False, True]
    table = pq.read_table(sorted((folder / "data").rglob("*.parquet")))
    for name in played[0].columns:
        want = np.concatenate([episode.columns[name] for episode in played])
        assert np.array_equal(np.array(table[name].to_pylist(), want.dtype), want), name
    info = json.loads((folder / "meta" / "info.json").read_text())
    assert info["robot_type"] == "table_top_arm"
    assert {name for name, feature in info["features"].items() if feature["dtype"] == "video"} == {
        "observation.images.front",
        "observation.images.side",
    }


def test_the_recorded_actions_lead_to_the_recorded_states_progress_and_pictures(played):
    with TableTopEnvironment("pick", height=32, width=32) as environment:
        columns = played[4].columns
        observation, info = environment.reset(seed=seed_of(4, 0))
        for row, action in enumerate(columns["action"]):
            assert np.array_equal(columns["observation.state"][row], observation[:4])
            assert columns["truth.progress"][row] == pytest.approx(info["progress"], abs=1e-5)
            assert np.array_equal(columns["truth.goal"][row], observation[4:7])
            if row < 3:
                assert np.array_equal(played[4].views["front"][row], environment.frames()["front"].transpose(2, 0, 1))
            observation, _, _, _, info = environment.step(action)
            assert columns["truth.reward"][row] == pytest.approx(info["dense_reward"])
        assert info["success"]


def test_a_success_ends_settled_and_a_failure_never_succeeds(played):
    for plan, episode in zip(PLANS, played, strict=True):
        success, progress = episode.columns["truth.success"], episode.columns["truth.progress"]
        last = np.arange(len(success)) == len(success) - 1
        assert np.array_equal(success, last & (plan.outcome == "success"))
        assert (episode.columns["truth.outcome"] == OUTCOMES.index(plan.outcome)).all()
        assert progress[0] == 0.0
        assert (progress[-2:] == 1.0).all() == (plan.outcome == "success")
        assert progress.max() < 1.0 or plan.outcome == "success"


def test_a_task_of_meta_world_is_no_table_top_task_and_the_other_way_round():
    settings = RecordingSettings(cameras=("left",), image_size=32, action_repeat=2)
    with pytest.raises(ValueError, match="'reach' is no task of Meta-World"):
        settings.open_scene(TABLE_TOP_TASKS["reach"])
    scene = SETTINGS.open_scene(TABLE_TOP_TASKS["reach"])
    with pytest.raises(ValueError, match="the plan is for task 'pick', the scene shows 'reach'"):
        play(scene, PLANS[4], settings=SETTINGS)
    scene.close()


def test_a_configured_recording_plans_what_it_says_and_the_yaml_builds():
    recording = TableTopRecording(**CONFIG)
    assert [plan.outcome for plan in recording.demonstration_plans()] == ["success"] * 4
    assert [plan.outcome for plan in recording.episode_plans()] == list(OUTCOMES) * 2
    assert not set(recording.demonstration_plans()) & set(recording.episode_plans())
    file = Path(__file__).resolve().parents[2] / "configs" / "record" / "table_top.yaml"
    config = yaml.safe_load(file.read_text())
    assert config.pop("_target_") == "robo_reward_sim.table_top.recording.TableTopRecording"
    assert len(TableTopRecording(**config).demonstration_plans()) == 4 * 10


@pytest.mark.slow
def test_processes_play_the_same_episodes(tmp_path):
    one, two = (record(PLANS[:3], tmp_path / str(n), settings=SETTINGS, num_workers=n) for n in (1, 2))
    for file in sorted(path for path in one.rglob("*") if path.is_file()):
        assert file.read_bytes() == (two / file.relative_to(one)).read_bytes(), file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ["stack"]}, "unknown table-top task 'stack'; available: reach, push, pick, open"),
        ({"cameras": ["top"]}, "unknown table-top camera 'top'; available: front, side, wrist, left"),
        ({"cameras": []}, "cameras must be of front, side, wrist, left, one at least and none twice; got ()"),
        ({"cameras": ["front", "front"]}, "none twice; got ('front', 'front')"),
        ({"image_size": 33}, "image_size must be even and > 0 px, got 33"),
        ({"step_duration": 0.001}, "a duration must be a positive multiple of 0.005 s, got 0.001 s"),
        ({"num_workers": 0}, "num_workers must be >= 1, got 0"),
    ],
)
def test_a_wrong_setting_is_named(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        TableTopRecording(**(CONFIG | change))
