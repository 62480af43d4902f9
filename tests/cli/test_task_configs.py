"""Every task and every experiment of `configs/` composes, builds and steps; one seed gives one trajectory."""

from hashlib import sha256

import gymnasium
import numpy as np
import pytest

pytest.importorskip("robo_reward_sim.rendering", reason="the tasks are simulated: pip install 'robo-reward[sim]'")

from robo_reward.cli.build import build
from robo_reward.cli.configuration import compose_verb, config_folder
from robo_reward.cli.train_task import TrainingTask
from robo_reward.rl.learners import Learner
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS
from robo_reward_sim.tasks import TASKS

CHOICES = {
    kind: sorted(path.stem for path in (config_folder() / kind).glob("*.yaml")) for kind in ("task", "experiment")
}
GIVEN = {"entry_point": ["task.env=test_task_configs:pendulum"], "gymnasium": ["task.env.id=Pendulum-v1"]}
"""What a user gives: the values that the file leaves open, and nothing else."""
STEPS = 6


def pendulum() -> gymnasium.Env:
    return gymnasium.make("Pendulum-v1")


def built(overrides: list[str]) -> TrainingTask:
    return build(compose_verb("train", [*overrides, "output=unused"]).task)


def trajectory(env: gymnasium.Env, *, seed: int) -> list[bytes]:
    """Everything that an episode shows under actions drawn from the seed, each step as a hash."""
    drawn = np.random.default_rng(seed)
    space = env.action_space
    observation, info = env.reset(seed=seed)
    shown = [fingerprint(observation, info)]
    for _ in range(STEPS):
        discrete = isinstance(space, gymnasium.spaces.Discrete)
        action = int(drawn.integers(space.n)) if discrete else drawn.uniform(space.low, space.high).astype(space.dtype)
        observation, reward, terminated, truncated, info = env.step(action)
        assert env.observation_space.contains(observation)
        shown.append(fingerprint(observation, info) + repr((float(reward), terminated, truncated)).encode())
        if terminated or truncated:
            break
    return shown


def fingerprint(observation, info) -> bytes:
    pictures = [np.ascontiguousarray(picture).tobytes() for _, picture in sorted(info.get("frames", {}).items())]
    said = [
        repr((name, float(info[name]))) for name in ("success", "progress", "dense_reward", "stamp") if name in info
    ]
    return sha256(b"".join([observation.tobytes(), *pictures, *(each.encode() for each in said)])).digest()


def repeats(overrides: list[str], *, seen: bool) -> None:
    """One seed gives one trajectory, in a new environment and in one that has played before; another gives another."""
    environments = built(overrides).environments()
    new, used = environments.single(seen=seen), environments.single(seen=seen)
    wanted, other = trajectory(new, seed=3), trajectory(used, seed=4)
    assert len(wanted) > 1
    assert trajectory(used, seed=3) == wanted
    assert other[0] != wanted[0]
    new.close()
    used.close()


def looks(overrides: list[str]) -> bool:
    return bool(built(overrides).cameras)


@pytest.mark.parametrize("name", CHOICES["task"])
def test_every_task_composes_builds_and_steps_and_its_seed_decides_what_happens_and_what_is_seen(name):
    overrides = [f"task={name}", *GIVEN.get(name, [])]
    repeats(overrides, seen=looks(overrides))


@pytest.mark.parametrize("name", CHOICES["experiment"])
def test_every_experiment_composes_builds_and_steps_and_its_seed_decides_what_happens(name):
    config = compose_verb("train", [f"experiment={name}", "output=unused"])
    assert isinstance(build(config.learner), Learner)
    repeats([f"experiment={name}"], seen=False)


@pytest.mark.parametrize("name", TABLE_TOP_TASKS)
def test_every_table_top_task_is_seen_alike_from_one_seed(name):
    repeats([f"task=table_top/{name}"], seen=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TASKS))
def test_each_of_meta_worlds_fifty_tasks_steps_alike_from_one_seed(name):
    repeats([f"task=metaworld/{name}"], seen=False)


def test_meta_world_has_fifty_tasks():
    assert len(TASKS) == 50
