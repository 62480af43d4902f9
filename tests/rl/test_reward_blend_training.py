"""The published claim, on two tasks small enough to know the answer: the naive sum fails, the blend does not."""

import pytest
import torch

from robo_reward.rl.reward_blend import RewardBlend
from robo_reward.rl.reward_blend_policy import GaussianPolicy, SoftmaxPolicy
from robo_reward.rl.reward_blend_training import BlendSettings, BlendTraining, PlayedEpisodes

TIME, STATES = 8, 4


def chain(seed: int):
    """A chain of four states; the last one is worth 1. The auxiliary reward pays 0.5 for staying in the first."""
    generator, policy = torch.Generator().manual_seed(seed), SoftmaxPolicy(num_features=STATES, num_actions=2)

    def play(weights: torch.Tensor, episodes: int) -> PlayedEpisodes:
        state, alive = torch.zeros(episodes, dtype=torch.long), torch.ones(episodes, dtype=torch.bool)
        rows = []
        for _ in range(TIME):
            features = torch.eye(STATES, dtype=torch.float64)[state]
            action = policy.sample(weights, features, generator)
            state = (state + 2 * action - 1).clamp(0, STATES - 1)
            arrived = alive & (state == STATES - 1)
            rows.append((features, action, arrived.double(), 0.5 * (state == 0).double() * alive, alive))
            alive = alive & ~arrived
        columns = [torch.stack(column, dim=1) for column in zip(*rows, strict=True)]
        return PlayedEpisodes(**dict(zip(("features", "action", "task", "auxiliary", "alive"), columns, strict=True)))

    return policy, play


def target(seed: int):
    """One continuous action; the task wants 1, the auxiliary reward -1, four times as strongly."""
    generator, policy = (
        torch.Generator().manual_seed(seed),
        GaussianPolicy(num_features=1, num_actions=1, deviation=0.3),
    )

    def play(weights: torch.Tensor, episodes: int) -> PlayedEpisodes:
        features = torch.ones(episodes, 1, 1, dtype=torch.float64)
        action = policy.sample(weights, features, generator)
        return PlayedEpisodes(
            features=features,
            action=action,
            task=-((action[..., 0] - 1) ** 2),
            auxiliary=-4 * (action[..., 0] + 1) ** 2,
            alive=torch.ones(episodes, 1, dtype=torch.bool),
        )

    return policy, play


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_naive_sum_loiters_and_the_blend_finds_the_goal(seed):
    policy, play = chain(seed)
    settings = BlendSettings(inner_updates=20, inner_rate=0.1, outer_rate=0.2)
    naive = BlendTraining(policy, play, blend=RewardBlend.naive(discount=0.95), settings=settings)
    for _ in range(5):
        reached = naive.fit_policy()
    assert reached < 0.1
    learnt = BlendTraining(policy, play, blend=RewardBlend.naive(discount=0.95), settings=settings)
    for _ in range(12):
        reached = learnt.step()
    assert reached > 0.95
    assert learnt.blend.auxiliary < 0.1
    assert learnt.blend.task > 1


@pytest.mark.slow
def test_a_misleading_target_is_turned_down_until_the_action_is_the_right_one():
    policy, play = target(0)
    settings = BlendSettings(
        episodes=64, inner_updates=20, inner_rate=0.1, outer_rate=0.1, entropy=0.0, weight_decay=0.0
    )
    training = BlendTraining(policy, play, blend=RewardBlend.naive(discount=0.95), settings=settings)
    training.fit_policy()
    training.fit_policy()
    assert float(training.weights[0]) == pytest.approx(-0.6, abs=0.1)  # (1 − 4) / (1 + 4), the optimum of the sum
    for _ in range(40):
        training.step()
    assert float(training.weights[0]) == pytest.approx(1.0, abs=0.25)
    assert abs(training.blend.auxiliary) < 0.15


def test_a_helpful_auxiliary_reward_is_not_thrown_away():
    policy, honest = chain(3)

    def play(weights: torch.Tensor, episodes: int) -> PlayedEpisodes:
        played = honest(weights, episodes)
        return PlayedEpisodes(
            features=played.features,
            action=played.action,
            task=played.task,
            auxiliary=0.3 * (2 * played.action.double() - 1),  # pays for going on, and takes it back for turning round
            alive=played.alive,
        )

    settings = BlendSettings(inner_updates=20, inner_rate=0.1, outer_rate=0.2)
    training = BlendTraining(policy, play, blend=RewardBlend.naive(discount=0.95), settings=settings)
    for _ in range(5):
        reached = training.step()
    assert reached > 0.95
    assert training.blend.auxiliary > 0


def test_looking_far_ahead_may_cost_something():
    policy, play = chain(4)
    far, near = (
        BlendTraining(
            policy,
            play,
            blend=RewardBlend.naive(discount=0.95),
            settings=BlendSettings(inner_updates=2, discount_penalty=penalty),
        )
        for penalty in (0.0, 1000.0)
    )
    far.step()
    near.step()
    assert near.blend.discount < 0.95
    assert near.blend.discount < far.blend.discount + 1e-9


def test_settings_and_episodes_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="episodes, updates, rates and damping must be > 0"):
        BlendSettings(episodes=0)
    with pytest.raises(ValueError, match=r"task_discount in \(0, 1\]"):
        BlendSettings(task_discount=0.0)
    zeros = torch.zeros(2, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"task must begin with \(episode, time\) \(2, 3\)"):
        PlayedEpisodes(
            features=zeros[..., None],
            action=zeros,
            task=zeros[:, :2],
            auxiliary=zeros,
            alive=zeros > 0,
        )
