from contextlib import nullcontext

import numpy as np
import pytest
import torch
from gymnasium import make_vec
from gymnasium.vector import AutoresetMode
from stamped_worlds import Greenness, green, worlds

from robo_reward.rl.camera_info import CameraInfo
from robo_reward.rl.learners import Dqn, LearnerInputs, Ppo, Sac
from robo_reward.rl.sb3_vec_env import Sb3VecEnv
from robo_reward.rl.scored_vector_env import ScoredVectorEnv
from robo_reward.rl.standardised_observations import StandardisedObservations, observation_statistics
from robo_reward.rl.task_reward import TaskReward
from robo_reward.rl.unscored_vector_env import UnscoredVectorEnv

STEPS, SAME = 12, AutoresetMode.SAME_STEP


def rollout(mode: str = "shaped", **settings):
    """One rollout of PPO over stamped worlds, with its buffer filled and returns computed."""
    source = ScoredVectorEnv(TaskReward(worlds(2), mode=mode, success_reward=1.0), Greenness(), **settings)
    env = Sb3VecEnv(source)
    learner = Ppo(num_envs=2, steps_per_env=STEPS, batch_size=24, epochs=1, hidden=(4,), discount=0.9)
    algorithm = learner.build(LearnerInputs(env=env, source=source, mode=mode, seed=0))
    env.next_seeds = (0, 0)
    algorithm.learn(2 * STEPS, log_interval=None)
    return algorithm.rollout_buffer


@pytest.mark.parametrize("deferred", [False, True])
def test_a_rollout_has_each_transitions_own_shaping_added_before_returns_are_computed(deferred):
    buffer = rollout(deferred=deferred)
    for env in range(2):
        episode, time = 0, 0
        for step in range(STEPS):
            ended = time + 1 == (3, 5, 4)[(env + episode) % 3]
            terminated = ended and episode % 2 == 0
            after = 0.0 if terminated else green(env, episode, time + 1) / 255
            assert buffer.perceived[step, env] == pytest.approx(0.9 * after - green(env, episode, time) / 255, abs=1e-6)
            if terminated or not ended:  # at a time limit the value of what was cut off is in the reward, too
                task = 1.0 if time + 1 >= 3 else 0.0
                assert buffer.rewards[step, env] == pytest.approx(task + buffer.perceived[step, env], abs=1e-6)
            episode, time = (episode + 1, 0) if ended else (episode, time + 1)
    assert buffer.unknown_share == 0.0


def test_potentials_that_are_not_known_add_nothing_to_a_rollout_and_are_counted():
    class Silent(Greenness):
        def estimate(self, clip):
            told = super().estimate(clip)
            return type(told)(progress=told.progress * torch.nan, spread=told.spread * torch.nan)

    source = ScoredVectorEnv(worlds(2), Silent())
    env = Sb3VecEnv(source)
    learner = Ppo(num_envs=2, steps_per_env=4, batch_size=8, epochs=1, hidden=(4,))
    algorithm = learner.build(LearnerInputs(env=env, source=source, mode="score", seed=0))
    algorithm.learn(8, log_interval=None)
    assert algorithm.rollout_buffer.unknown_share == 1.0
    assert not algorithm.rollout_buffer.perceived.any()


def test_a_tuned_temperature_does_not_fall_below_its_floor():
    learner = Sac(num_envs=2, hidden=(4,), entropy=None, entropy_floor=0.005)
    source = ScoredVectorEnv(worlds(2), Greenness())
    algorithm = learner.build(LearnerInputs(env=Sb3VecEnv(source), source=source, mode="shaped", seed=0))
    with torch.no_grad():
        algorithm.log_ent_coef.fill_(-20.0)
    learner.after_update(algorithm)
    assert float(algorithm.log_ent_coef.detach().exp()) == pytest.approx(0.005, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"discount": 1.5}, r"discount must be in \(0, 1\], got 1.5"),
        ({"num_envs": 0}, "num_envs must be > 0, got 0"),
        (
            {"num_envs": 2, "train_every": 2, "updates_per_step": 0.1},
            r"updates_per_step must be at least 1 / \(num_envs \* train_every\) = 0.25, got 0.1",
        ),
        ({"train_every": 0}, "train_every must be > 0, got 0"),
        ({"entropy_start": 0.0}, r"entropy_start must be > 0, got 0.0"),
    ],
)
def test_settings_out_of_their_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Sac(**settings)


@pytest.mark.parametrize("kind", [Sac, Dqn])
def test_updates_come_all_together_after_so_many_steps_of_every_environment(kind):
    learner = kind(num_envs=3, train_every=4, updates_per_step=0.5, hidden=(4,), batch_size=4, learning_starts=13)
    env = (
        worlds(3)
        if kind is Sac
        else make_vec("CartPole-v1", 3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": SAME})
    )
    source = UnscoredVectorEnv(env)
    algorithm = learner.build(LearnerInputs(env=Sb3VecEnv(source), source=source, mode="environment", seed=0))
    seen = []
    train = algorithm.train
    algorithm.train = lambda gradient_steps, batch_size: (
        seen.append((algorithm.num_timesteps, gradient_steps)),
        train(gradient_steps, batch_size),
    )
    algorithm.learn(36, log_interval=None)
    assert learner.rollout_steps == 12
    assert seen == [(24, 6), (36, 6)]  # before `learning_starts` there are none
    assert algorithm._n_updates == 12


def test_tuning_begins_with_its_temperature():
    source = ScoredVectorEnv(worlds(2), Greenness())
    for learner, wanted in (
        (Sac(num_envs=2, entropy=None), 0.01),
        (Sac(num_envs=2, entropy=None, entropy_start=1.0), 1),
    ):
        algorithm = learner.build(LearnerInputs(env=Sb3VecEnv(source), source=source, mode="shaped", seed=0))
        assert float(algorithm.log_ent_coef.detach().exp()) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", [Sac, Dqn, Ppo])
def test_a_device_that_is_not_there_is_an_error_and_never_another_one(kind, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    env = (
        worlds(2)
        if kind is not Dqn
        else make_vec("CartPole-v1", 2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": SAME})
    )
    source = UnscoredVectorEnv(env)
    inputs = LearnerInputs(env=Sb3VecEnv(source), source=source, mode="environment", seed=0)
    settings = {"num_envs": 2, "hidden": (4,), "batch_size": 8} | ({"steps_per_env": 8} if kind is Ppo else {})
    assert kind(device="auto", **settings).build(inputs).device == torch.device("cpu")
    with pytest.raises(ValueError, match=r"learner.device: device 'cuda' is not to be had: torch .* sees no CUDA"):
        kind(device="cuda", **settings).build(inputs)
    with pytest.raises(ValueError, match=r"learner.device: unknown device 'gpu'; allowed: auto, cpu, cuda"):
        kind(device="gpu", **settings).build(inputs)


def test_a_batch_that_does_not_divide_a_rollout_is_refused():
    with pytest.raises(ValueError, match=r"batch_size must divide a rollout of num_envs \* steps_per_env = 1024 steps"):
        Ppo(batch_size=300)


def test_stable_baselines_needs_worlds_that_are_reset_in_the_same_step():
    with pytest.raises(ValueError, match="needs AutoresetMode.SAME_STEP"):
        Sb3VecEnv(worlds(mode=AutoresetMode.NEXT_STEP))


def test_success_is_that_of_the_true_last_state():
    env = TaskReward(worlds(3), mode="sparse", success_reward=2)
    env.reset(seed=0)
    rewards = [env.step(np.zeros((3, 1)))[1].tolist() for _ in range(4)]
    # environment 0 ends in its third step, a success, and its info tells of the next episode's first state already
    assert rewards == [[0, 0, 0], [0, 0, 0], [2, 2, 2], [0, 2, 2]]


def test_a_task_whose_success_nobody_tells_is_worth_nothing_only_where_it_is_to_be_worth_nothing():
    silent = make_vec("Pendulum-v1", 2, vectorization_mode="sync")
    for worth, refused in ((0.0, False), (1.0, True)):
        env = TaskReward(silent, mode="sparse", success_reward=worth)
        env.reset(seed=0)
        with pytest.raises(ValueError, match="info has no 'success'") if refused else nullcontext():
            assert env.step(np.zeros((2, 1), np.float32))[1].tolist() == [0, 0]


def test_networks_see_observations_in_units_in_which_they_vary():
    statistics = observation_statistics(worlds(1).envs[0], seed=0, steps=60)
    assert statistics.mean[2] > 1
    assert statistics.deviation[0] > 0  # a number that never changes divides by no zero
    layer = StandardisedObservations(
        worlds(1).single_observation_space, mean=statistics.mean.tolist(), deviation=statistics.deviation.tolist()
    )
    mean = torch.from_numpy(statistics.mean)[None]
    assert layer(mean).abs().max() == 0
    assert layer(mean + torch.from_numpy(statistics.deviation)).tolist() == [pytest.approx([1.0, 1.0, 1.0], rel=1e-4)]
    assert layer(mean + 1e6).max() == 10


class Pictured(type(worlds(1).envs[0])):
    step_duration = 0.25

    def _info(self):
        return {}

    def frames(self, cameras):
        return {name: np.full((2, 5, 3), self._time, np.uint8) for name in cameras}


def test_cameras_are_in_info_channels_first_with_stamps_from_the_start_of_each_episode():
    env = CameraInfo(Pictured(0), cameras=("top",), prefix="observation.images.")
    _, first = env.reset(seed=0)
    _, _, _, _, second = env.step(np.zeros(1))
    assert (first["stamp"], second["stamp"]) == (0.0, 0.25)
    assert second["frames"]["observation.images.top"].shape == (3, 2, 5)
    assert second["frames"]["observation.images.top"].max() == 1
    assert env.reset()[1]["stamp"] == 0.0
    with pytest.raises(ValueError, match="cameras must be named, and none twice"):
        CameraInfo(Pictured(0), cameras=())
