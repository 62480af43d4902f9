import re
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

import robo_reward_sim.table_top  # noqa: F401
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.experts import expert
from robo_reward_sim.table_top.task import TOOL_NAMES
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS

TASKS = tuple(TABLE_TOP_TASKS)


@pytest.fixture(scope="module")
def environments():
    made = {task: TableTopEnvironment(task, height=32, width=40) for task in TASKS}
    yield made
    for each in made.values():
        each.close()


def episode(environment, policy, *, seed: int, steps: int):
    """Observations and infos of an episode, with the first of each."""
    observation, info = environment.reset(seed=seed)
    observations, infos = [observation], [info]
    for _ in range(steps):
        observation, _, _, _, info = environment.step(policy(observation))
        observations.append(observation)
        infos.append(info)
    return np.stack(observations), infos


def wandering(seed: int):
    rng = np.random.default_rng(seed)
    return lambda observation: rng.uniform(-1.0, 1.0, 4).astype(np.float32)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_trajectory_bit_for_bit_whatever_came_before(environments, task):
    first, infos = episode(environments[task], wandering(1), seed=3, steps=25)
    episode(environments[task], expert(task), seed=4, steps=10)
    again, again_infos = episode(environments[task], wandering(1), seed=3, steps=25)
    with TableTopEnvironment(task).scene as scene:
        fresh = TableTopEnvironment(task)
        fresh.scene = scene
        other, _ = episode(fresh, wandering(1), seed=3, steps=25)
    assert first.tobytes() == again.tobytes() == other.tobytes()
    assert str(infos) == str(again_infos)  # there are arrays in them


@pytest.mark.parametrize("task", TASKS)
def test_what_the_arm_feels_is_told_beside_the_observation(environments, task):
    observations, infos = episode(environments[task], expert(task), seed=5, steps=6)
    for observation, info in zip(observations, infos, strict=True):
        assert sorted(info["state"]) == ["gripper_width", "tool_position"]
        assert info["state"]["tool_position"] == pytest.approx(observation[:3], abs=1e-6)
        assert info["state"]["gripper_width"] == pytest.approx(observation[3:4], abs=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_experts_succeed_and_progress_tells_so(environments, task):
    for seed in range(4):
        _, infos = episode(environments[task], expert(task), seed=seed, steps=45)
        progress = np.array([info["progress"] for info in infos])
        success = np.array([info["success"] for info in infos])
        assert progress[0] == 0.0
        assert success.any()
        assert np.array_equal(progress == 1.0, success)
        assert infos[-1]["score"] == 1.0
        until = int(success.argmax()) + 1
        assert np.diff(progress[:until]).min() > -0.08  # rises, but for contact's small set-backs
        assert [info["task_reward"] for info in infos] == [float(each) for each in success]


def test_every_environment_is_registered_and_says_what_it_observes():
    for task in TASKS:
        with gymnasium.make(f"robo_reward/TableTop{task.capitalize()}-v0") as environment:
            observation, info = environment.reset(seed=0)
            names = environment.unwrapped.observation_names
            assert names[:4] == TOOL_NAMES
            assert observation.shape == (len(names),)
            assert set(info) == {"success", "progress", "task_reward", "dense_reward", "score", "state"}


def test_an_episode_is_truncated_by_time_and_terminated_only_if_asked():
    with TableTopEnvironment("reach", horizon=3, reward="dense") as environment:
        environment.reset(seed=0)
        ends = [environment.step(np.zeros(4, np.float32))[2:4] for _ in range(3)]
        assert ends == [(False, False), (False, False), (False, True)]
    with TableTopEnvironment("reach", terminate_on_success=True, horizon=50) as environment:
        observation, _ = environment.reset(seed=0)
        for _ in range(50):
            observation, reward, terminated, truncated, info = environment.step(expert("reach")(observation))
            assert terminated == info["success"]
            assert reward == float(terminated)
            assert not truncated
            if terminated:
                break
        assert terminated


def test_a_success_in_the_last_step_is_terminated_and_not_truncated():
    with TableTopEnvironment("reach", terminate_on_success=True) as environment:
        observation, _ = environment.reset(seed=0)
        needed = 0
        while not environment.step(expert("reach")(observation))[2]:
            observation, needed = environment.scene.observation, needed + 1
    with TableTopEnvironment("reach", terminate_on_success=True, horizon=needed + 1) as environment:
        observation, _ = environment.reset(seed=0)
        for _ in range(needed + 1):
            observation, _, terminated, truncated, _ = environment.step(expert("reach")(observation))
        assert (terminated, truncated) == (True, False)


def test_dense_reward_and_score_are_what_they_say():
    with TableTopEnvironment("push", reward="dense") as environment:
        observation, info = environment.reset(seed=0)
        best = info["progress"]
        for _ in range(20):
            observation, reward, _, _, info = environment.step(wandering(0)(observation))
            best = max(best, info["progress"])
            assert reward == info["dense_reward"] == (info["progress"] + info["task_reward"]) / 2
            assert info["score"] == best


def test_unseeded_resets_go_on_from_the_seed():
    with TableTopEnvironment("reach") as environment:
        first = [environment.reset(seed=5)[0], environment.reset()[0], environment.reset()[0]]
        again = [environment.reset(seed=5)[0], environment.reset()[0], environment.reset()[0]]
    assert np.array_equal(first, again)
    assert len({each.tobytes() for each in first}) == 3


def test_actions_are_clamped_and_scale_with_the_step():
    moved = []
    for duration, action in ((0.1, 1.0), (0.1, 7.0), (0.05, 1.0)):
        with TableTopEnvironment("reach", step_duration=duration) as environment:
            before, _ = environment.reset(seed=0)
            for _ in range(4):
                after, *_ = environment.step(np.array([0.0, action, 0.0, 0.0], np.float32))
            moved.append(float(after[1] - before[1]))
    assert moved[0] == moved[1] == pytest.approx(0.06, abs=5e-3)
    assert moved[2] == pytest.approx(0.03, abs=5e-3)


def test_render_gives_the_picture_of_its_camera_and_nothing_unless_asked():
    with TableTopEnvironment("open", render_mode="rgb_array", render_camera="side", height=20, width=30) as environment:
        environment.reset(seed=0)
        assert np.array_equal(environment.render(), environment.frames(("side",))["side"])
    with TableTopEnvironment("open") as environment:
        assert environment.render() is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "stack"}, "unknown table-top task 'stack'; available: reach, push, pick, open"),
        ({"reward": "shaped"}, "reward must be sparse or dense, got 'shaped'"),
        ({"render_mode": "human"}, "render_mode must be rgb_array or None, got 'human'"),
        ({"render_camera": "top"}, "unknown table-top camera 'top'; available: front, side, wrist"),
        ({"step_duration": 0.012}, "a duration must be a positive multiple of 0.005 s, got 0.012 s"),
        ({"horizon": 0}, "horizon must be >= 1 step, got 0"),
        ({"width": 0}, "height and width must be > 0 px, got 112 and 0"),
    ],
)
def test_wrong_settings_are_named(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        TableTopEnvironment(**({"task": "reach"} | change))


def test_gymnasiums_own_checker_has_nothing_to_object(environments):
    for environment in environments.values():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*A Box observation space m.*imum value is -?infinity")
            check_env(environment, skip_render_check=True)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_experts_succeed_from_nearly_every_start(environments, task):
    successes = 0
    for seed in range(100, 120):
        _, infos = episode(environments[task], expert(task), seed=seed, steps=environments[task].horizon // 2)
        successes += any(info["success"] for info in infos)
    assert successes >= 19
