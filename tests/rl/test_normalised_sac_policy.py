import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.sac.policies import SACPolicy
from torch import nn

from robo_reward.rl.normalised_sac_policy import NormalisedSacPolicy
from robo_reward.rl.saved_policy import load_saved_policy

OBSERVATIONS = gymnasium.spaces.Box(-1, 1, (5,), np.float32)
ACTIONS = gymnasium.spaces.Box(-1, 1, (2,), np.float32)


def policy(kind: type[SACPolicy]) -> SACPolicy:
    torch.manual_seed(0)
    return kind(OBSERVATIONS, ACTIONS, lambda _: 1e-3, net_arch=[32, 32])


def values(kind: type[SACPolicy], factor: float) -> torch.Tensor:
    """Q of an action far outside what was ever taken."""
    with torch.no_grad():
        return torch.cat(policy(kind).critic(torch.ones(1, 5), factor * torch.tensor([[0.7, -0.4]])))


def test_what_a_critic_promises_is_bounded_however_far_the_action():
    assert torch.allclose(values(NormalisedSacPolicy, 1e3), values(NormalisedSacPolicy, 1e6), atol=0.05)
    assert (values(SACPolicy, 1e6) / values(SACPolicy, 1e3)).abs().min() > 500  # without: as far as one likes


def test_each_hidden_layer_of_each_critic_and_target_is_normalised_and_the_actor_is_not():
    built = policy(NormalisedSacPolicy)
    for critic in (built.critic, built.critic_target):
        assert [type(layer) for layer in critic.qf0] == [
            *(nn.Linear, nn.LayerNorm, nn.ReLU),
            *(nn.Linear, nn.LayerNorm, nn.ReLU),
            nn.Linear,
        ]
        assert critic.q_networks == [critic.qf0, critic.qf1]  # what is asked is what is learnt and saved
    assert not any(isinstance(layer, nn.LayerNorm) for layer in built.actor.modules())


def test_targets_begin_as_the_critics_and_every_parameter_is_learnt():
    built = policy(NormalisedSacPolicy)
    pairs = zip(built.critic.parameters(), built.critic_target.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    learnt = {id(each) for group in built.critic.optimizer.param_groups for each in group["params"]}
    assert learnt == {id(each) for each in built.critic.parameters()}


@pytest.mark.parametrize("kind", [NormalisedSacPolicy, "MlpPolicy"])
def test_a_saved_policy_acts_as_before(kind, tmp_path):
    env = gymnasium.make("Pendulum-v1")
    algorithm = SAC(kind, env, seed=0, buffer_size=10, device="cpu")
    algorithm.save(tmp_path / "policy.zip")
    seen = env.reset(seed=0)[0]
    wanted = algorithm.predict(seen, deterministic=True)[0]
    assert np.array_equal(load_saved_policy(tmp_path / "policy.zip").predict(seen, deterministic=True)[0], wanted)
    assert np.array_equal(SAC.load(tmp_path / "policy.zip").predict(seen, deterministic=True)[0], wanted)
