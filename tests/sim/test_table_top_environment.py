import gymnasium
import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the sim extra is not installed")

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
    assert infos == again_infos


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
        assert np.diff(progress[:until]).min() > -0.05  # rises, but for contact's small set-backs
        assert [info["task_reward"] for info in infos] == [float(each) for each in success]


def test_every_environment_is_registered_and_says_what_it_observes():
    for task in TASKS:
        with gymnasium.make(f"robo_reward/TableTop{task.capitalize()}-v0") as environment:
            observation, info = environment.reset(seed=0)
            names = environment.unwrapped.observation_names
            assert names[:4] == TOOL_NAMES
            assert observation.shape == (len(names),)
            assert set(info) == {"success", "progress", "task_reward", "dense_reward", "score"}
