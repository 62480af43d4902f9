import math

import pytest
import torch

from robo_reward.rl.reward_blend import RewardBlend

FIRST, SECOND = torch.tensor([[1.0, 0.0], [0.5, 2.0]]), torch.tensor([[0.25, 4.0], [0.0, -1.0]])


def test_the_naive_blend_is_the_sum_of_both_rewards():
    assert torch.equal(RewardBlend.naive(discount=0.9)(FIRST, SECOND), (FIRST + SECOND).double())


def test_each_weight_counts_what_it_is_named_for():
    residual = torch.tensor([10.0, 1.0], dtype=torch.float64)
    blend = RewardBlend(task=2.0, auxiliary=-0.5, residual=residual, discount=0.9)
    features = torch.stack([FIRST, SECOND], dim=-1)
    assert torch.equal(blend(FIRST, SECOND, features), (2 * FIRST - 0.5 * SECOND + 10 * FIRST + SECOND).double())


def test_parameters_come_back_as_they_went():
    blend = RewardBlend(task=2.0, auxiliary=-0.5, residual=torch.tensor([3.0], dtype=torch.float64), discount=0.97)
    again = blend.with_parameters(blend.parameters)
    assert (again.task, again.auxiliary, again.residual.tolist()) == (2.0, -0.5, [3.0])
    assert again.discount == pytest.approx(0.97, abs=1e-12)


def test_the_discount_stays_below_one_however_far_its_logit_goes():
    blend = RewardBlend.naive(discount=0.9)
    far = blend.with_parameters(torch.tensor([1.0, 1.0, 1000.0], dtype=torch.float64))
    assert 0.99999 < far.discount < 1


def test_what_means_nothing_is_refused():
    with pytest.raises(ValueError, match=r"discount must be in \(0, 1\), got 1"):
        RewardBlend.naive(discount=1.0)
    with pytest.raises(ValueError, match="weights must be finite, got task nan and auxiliary 1.0"):
        RewardBlend(task=math.nan, residual=torch.zeros(0, dtype=torch.float64), discount=0.9)
    with pytest.raises(ValueError, match="the residual has 1 weights, features have 0 numbers"):
        RewardBlend.naive(discount=0.9, num_features=1)(FIRST, SECOND)
