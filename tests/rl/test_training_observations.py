import gymnasium
import numpy as np
import pytest
import torch

from robo_reward.rl.environments import Environments
from robo_reward.rl.learners import Dqn, Ppo, Sac
from robo_reward.rl.saved_policy import load_saved_policy
from robo_reward.rl.training import Training
from robo_reward.rl.training_settings import TrainingSettings

LEARNERS = [
    Sac(num_envs=1, hidden=(8,), batch_size=8, learning_starts=5),
    Ppo(num_envs=1, hidden=(8,), batch_size=10, steps_per_env=10, epochs=1),
    Dqn(num_envs=1, hidden=(8,), batch_size=8, learning_starts=5, updates_per_step=1.0),
]


class Millimetres(gymnasium.Env):
    """A position that varies by millimetres about half a metre, beside one that varies by metres."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def __init__(self, *, discrete: bool) -> None:
        self.action_space = gymnasium.spaces.Discrete(2) if discrete else gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observation(), {"success": False}

    def step(self, action):
        self.steps += 1
        return self.observation(), 0.0, False, self.steps == 5, {"success": False}

    def observation(self):
        return np.array([0.5 + 0.3 * self.np_random.normal(), self.np_random.normal()], np.float32)


def trained(learner, output, **changes):
    settings = TrainingSettings(reward="sparse", total_steps=20, every=20, evaluation_episodes=1, videos=0)
    discrete = isinstance(learner, Dqn)
    environments = Environments(make=lambda: Millimetres(discrete=discrete), **changes)
    training = Training(environments, learner, settings=settings, output=output)
    training.run()
    return training


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: type(learner).__name__)
def test_networks_see_observations_in_units_of_their_spread_under_random_actions(learner, tmp_path):
    policy = trained(learner, tmp_path).algorithm.policy
    seen = [module for module in policy.modules() if hasattr(module, "deviation")]
    assert seen
    for each in seen:
        assert each.mean.tolist() == pytest.approx([0.5, 0.0], abs=0.1)
        assert each.deviation.tolist() == pytest.approx([0.3, 1.0], rel=0.1)
        ends = torch.tensor([[0.8, 0.0], [0.2, 1.0]])
        assert each(ends)[:, 0].tolist() == pytest.approx([1.0, -1.0], abs=0.2)


def test_a_saved_policy_keeps_the_units(tmp_path):
    training = trained(LEARNERS[0], tmp_path)
    saved = load_saved_policy(tmp_path / "policy.zip")
    observation = np.array([0.6, -0.4], np.float32)
    told, _ = training.algorithm.predict(observation, deterministic=True)
    assert saved.predict(observation, deterministic=True)[0].tobytes() == told.tobytes()


def test_a_robot_is_not_moved_at_random_for_it(tmp_path):
    policy = trained(LEARNERS[0], tmp_path, only_one=True).algorithm.policy
    assert not [module for module in policy.modules() if hasattr(module, "deviation")]
