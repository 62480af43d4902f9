import numpy as np
import pytest

pytest.importorskip("robo_reward_sim.meta_world", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_sim import rollout
from robo_reward_sim.failures import FAILURES, OUTCOMES, Reference
from robo_reward_sim.meta_world import MetaWorldScene
from robo_reward_sim.rollout import SETTLE_STEPS, EpisodePlan, RecordingSettings, play, seed_of
from robo_reward_sim.tasks import TASKS

SETTINGS = RecordingSettings(cameras=("left",), image_size=32, action_repeat=2)


@pytest.fixture(scope="module")
def scenes():
    made = {
        name: MetaWorldScene(TASKS[name], cameras=SETTINGS.cameras, image_size=SETTINGS.image_size)
        for name in ("reach", "drawer-open")
    }
    yield made
    for scene in made.values():
        scene.close()


def episode(scenes, task, outcome, seed=5):
    return play(scenes[task], EpisodePlan(task=TASKS[task], outcome=outcome, seed=seed), settings=SETTINGS)


@pytest.fixture(scope="module")
def episodes(scenes):
    """One episode of each outcome, played once."""
    return {(task, outcome): episode(scenes, task, outcome) for task in scenes for outcome in OUTCOMES}


def replayed(scene, recorded, seed):
    """Meta-World's own verdict at every step of the recorded actions."""
    scene.reset(seed)
    return [
        [scene.step(action).success for _ in range(SETTINGS.action_repeat)] for action in recorded.columns["action"]
    ]


@pytest.mark.parametrize("task", ["reach", "drawer-open"])
def test_a_success_ends_in_settled_success_and_terminates_only_there(scenes, episodes, task):
    recorded = episodes[task, "success"]
    last = np.arange(len(recorded.columns["action"])) == len(recorded.columns["action"]) - 1
    assert np.array_equal(recorded.columns["truth.success"], last)
    assert np.array_equal(recorded.columns["next.terminated"], last)
    assert not recorded.columns["next.truncated"].any()
    assert (recorded.columns["truth.outcome"] == 0).all()
    steps = np.ravel(replayed(scenes[task], recorded, seed_of(5, 0)))
    assert steps[-SETTLE_STEPS:].all()
    assert not all(steps[-SETTLE_STEPS - SETTINGS.action_repeat :])  # and it ends as soon as it has settled


@pytest.mark.parametrize("task", ["reach", "drawer-open"])
@pytest.mark.parametrize("kind", list(FAILURES))
def test_a_failure_has_no_moment_of_success_and_is_cut(scenes, episodes, task, kind):
    recorded = episodes[task, kind]
    last = np.arange(len(recorded.columns["action"])) == len(recorded.columns["action"]) - 1
    assert not recorded.columns["truth.success"].any()
    assert not recorded.columns["next.terminated"].any()
    assert np.array_equal(recorded.columns["next.truncated"], last)
    assert (recorded.columns["truth.outcome"] == OUTCOMES.index(kind)).all()
    assert recorded.instruction == TASKS[task].instruction
    assert not np.any(replayed(scenes[task], recorded, seed_of(5, 0)))


def test_a_failure_lasts_as_long_as_the_expert_takes_from_the_same_layout(episodes):
    for task in ("reach", "drawer-open"):
        lengths = {outcome: len(episodes[task, outcome].columns["action"]) for outcome in OUTCOMES}
        assert len(set(lengths.values())) == 1, lengths


def test_a_layout_in_which_the_failing_one_succeeds_is_dropped(scenes, monkeypatch):
    layouts = []

    def lucky_at_first(reference, rng):
        layouts.append(reference)
        return reference.expert if len(layouts) == 1 else FAILURES["early_stop"](reference, rng)

    monkeypatch.setattr(rollout, "FAILURES", {**FAILURES, "noise": lucky_at_first})
    recorded = episode(scenes, "reach", "noise")
    assert len(layouts) == 2
    assert not np.any(replayed(scenes["reach"], recorded, seed_of(5, 1)))


def test_an_expert_that_never_fails_is_an_error_after_bounded_attempts(scenes, monkeypatch):
    monkeypatch.setattr(rollout, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(rollout, "FAILURES", {**FAILURES, "noise": lambda reference, _: reference.expert})
    with pytest.raises(ValueError, match="task 'reach': no 'noise' in 2 layouts from seed 5"):
        episode(scenes, "reach", "noise")


def test_an_expert_that_does_not_succeed_gives_no_episode(scenes, monkeypatch):
    monkeypatch.setattr(rollout, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(scenes["reach"], "expert", lambda: lambda _: np.zeros(4))
    for outcome in ("success", "wrong_object"):
        with pytest.raises(ValueError, match=f"task 'reach': no '{outcome}' in 2 layouts"):
            episode(scenes, "reach", outcome)


def test_a_success_of_less_than_the_settling_time_is_no_success(scenes, monkeypatch):
    monkeypatch.setattr(rollout, "SETTLE_STEPS", 2)
    quick = episode(scenes, "reach", "success")
    monkeypatch.setattr(rollout, "SETTLE_STEPS", 10)
    settled = episode(scenes, "reach", "success")
    assert len(settled.columns["action"]) == len(quick.columns["action"]) + 4


@pytest.mark.parametrize("outcome", ["success", "noise"])
def test_the_same_plan_gives_the_same_episode_and_another_seed_another(scenes, episodes, outcome):
    first, again, other = (
        episodes["reach", outcome],
        episode(scenes, "reach", outcome),
        episode(scenes, "reach", outcome, seed=6),
    )
    for name, column in first.columns.items():
        assert np.array_equal(column, again.columns[name]), name
    for camera, frames in first.views.items():
        assert np.array_equal(frames, again.views[camera]), camera
    assert not np.array_equal(first.columns["observation.state"][0:5], other.columns["observation.state"][0:5])


def test_frames_change_over_time_and_show_the_state_before_the_action(scenes, episodes):
    recorded = episodes["reach", "success"]
    scene = scenes["reach"]
    observation = scene.reset(seed_of(5, 0))
    for row in (0, 1):
        assert np.allclose(recorded.columns["observation.state"][row], observation[:4], atol=1e-6)
        assert np.array_equal(recorded.views["left"][row], scene.frames()["left"])
        for _ in range(SETTINGS.action_repeat):
            step = scene.step(recorded.columns["action"][row])
        observation = step.observation
        assert recorded.columns["truth.reward"][row] == np.float32(step.reward)
    for frames in recorded.views.values():
        assert (frames[1:] != frames[:-1]).any(axis=(1, 2, 3)).sum() > 0.7 * len(frames)


def test_the_action_played_is_to_the_bit_the_one_recorded(scenes, monkeypatch):
    played, step = [], MetaWorldScene.step

    def logged(scene, action):
        played.append(action)
        return step(scene, action)

    monkeypatch.setattr(MetaWorldScene, "step", logged)
    recorded = episode(scenes, "reach", "noise").columns["action"]
    assert {float(value) for value in recorded.ravel()} <= {float(value) for value in np.ravel(played)}


def test_the_truth_is_no_camera_and_no_part_of_the_observation(episodes):
    recorded = episodes["reach", "success"]
    assert set(recorded.views) == set(SETTINGS.cameras)
    assert {name: (column.dtype, column.shape[1:]) for name, column in recorded.columns.items()} == {
        "observation.state": (np.float32, (4,)),
        "action": (np.float32, (4,)),
        "truth.success": (np.bool_, ()),
        "truth.reward": (np.float32, ()),
        "truth.outcome": (np.int64, ()),
        "next.terminated": (np.bool_, ()),
        "next.truncated": (np.bool_, ()),
    }


def test_the_mistaken_hand_keeps_away_from_the_goal(scenes, episodes):
    scene = scenes["reach"]
    recorded = episodes["reach", "wrong_object"]
    goal = scene.reset(seed_of(5, 0))[36:39]
    distance = np.linalg.norm(recorded.columns["observation.state"][-1, :3] - goal)
    assert 0.08 < distance < 0.3


def test_who_stops_early_follows_the_expert_and_then_stays_or_goes_back():
    start, goal = np.zeros(39), np.ones(4)
    reference = Reference(task=TASKS["reach"], expert=lambda _: 0.5 * goal, start=start, num_rows_to_success=20)
    away = np.full(39, 0.1)
    kinds = set()
    for seed in range(20):
        policy = FAILURES["early_stop"](reference, np.random.default_rng(seed))
        actions = np.stack([policy(away) for _ in range(20)])
        num_expert = int((actions == 0.5).all(axis=1).sum())
        assert 4 <= num_expert < 14
        assert (actions[:num_expert] == 0.5).all()
        assert (actions[num_expert:, 3] == 0.5).all()  # what it holds it goes on holding
        kinds |= {float(action) for action in actions[num_expert:, :3].ravel()}
    assert kinds == {0.0, -0.5}


def test_who_is_mistaken_sees_only_its_target_elsewhere():
    believed = []
    for task, moved in (("reach", {36, 37}), ("drawer-open", {4, 5, 22, 23})):
        reference = Reference(task=TASKS[task], expert=believed.append, start=np.zeros(39), num_rows_to_success=20)
        for seed in range(20):
            FAILURES["wrong_object"](reference, np.random.default_rng(seed))(np.zeros(39))
            assert set(np.flatnonzero(believed[-1])) == moved
            offset = believed[-1][sorted(moved)[:2]]
            assert 0.13 <= np.linalg.norm(offset) <= 0.22
            assert abs(offset[0]) >= abs(offset[1])


def test_seeds_differ_by_any_word():
    seeds = {seed_of(*words) for words in [(0, "a", 1), (0, "a", 2), (1, "a", 1), (0, "b", 1), (0, "a1"), ("0a", 1)]}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_scene_of_another_task_is_refused(scenes):
    plan = EpisodePlan(task=TASKS["door-open"], outcome="success", seed=0)
    with pytest.raises(ValueError, match="the plan is for task 'door-open', the scene shows 'reach'"):
        play(scenes["reach"], plan, settings=SETTINGS)


def test_plans_and_settings_are_checked():
    with pytest.raises(
        ValueError, match="unknown outcome 'crash'; available: success, noise, early_stop, wrong_object"
    ):
        EpisodePlan(task=TASKS["reach"], outcome="crash", seed=0)
    with pytest.raises(ValueError, match="seed must be >= 0, got -1"):
        EpisodePlan(task=TASKS["reach"], outcome="success", seed=-1)
    with pytest.raises(ValueError, match="image_size must be even and > 0 px, got 33"):
        RecordingSettings(cameras=("left",), image_size=33, action_repeat=2)
    with pytest.raises(ValueError, match=r"action_repeat must be in \[1, 20\] environment steps, got 0"):
        RecordingSettings(cameras=("left",), image_size=32, action_repeat=0)
    with pytest.raises(ValueError, match="unknown camera 'front'"):
        RecordingSettings(cameras=("front",), image_size=32, action_repeat=2)
