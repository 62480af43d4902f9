"""Policies that learners saved, whatever algorithm learnt them."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed: pip install 'robo-reward[rl]'")

from gymnasium.spaces import Box, Discrete
from stable_baselines3 import DQN, PPO, SAC

from robo_reward.rl.saved_policy import load_saved_policy


class Line:
    """A gymnasium environment as far as a learner that never learns needs it."""

    metadata = {"render_modes": []}  # noqa: RUF012
    render_mode, spec = None, None

    def __init__(self, action_space) -> None:
        self.observation_space, self.action_space = Box(-1.0, 1.0, (3,), np.float32), action_space


@pytest.mark.parametrize("algorithm", [SAC, PPO, DQN])
def test_the_loaded_policy_acts_as_the_learner_that_saved_it(algorithm, tmp_path):
    import gymnasium

    env = type("Env", (Line, gymnasium.Env), {})(Discrete(4) if algorithm is DQN else Box(-1.0, 1.0, (2,), np.float32))
    learner = algorithm("MlpPolicy", env, policy_kwargs={"net_arch": [8, 8]}, device="cpu", seed=3)
    learner.save(tmp_path / "policy.zip")
    loaded = load_saved_policy(tmp_path / "policy.zip")
    for observation in np.random.default_rng(0).uniform(-1, 1, (5, 3)).astype(np.float32):
        expected, _ = learner.predict(observation, deterministic=True)
        found, _ = loaded.predict(observation, deterministic=True)
        assert np.array_equal(found, expected)


def test_a_file_that_no_learner_saved_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"policy.zip: there is no such policy"):
        load_saved_policy(tmp_path / "policy.zip")
    (tmp_path / "policy.zip").write_bytes(b"no zip at all")
    with pytest.raises(ValueError, match=r"policy.zip is no policy that a learner saved"):
        load_saved_policy(tmp_path / "policy.zip")
