import pytest
import torch

from robo_reward.models.override_reward import override_reward
from robo_reward.shaping import potential_difference

DISCOUNT = 0.99
NEAR = 0.9


def value(rewards: torch.Tensor) -> float:
    return float((rewards * DISCOUNT ** torch.arange(len(rewards), dtype=torch.float64)).sum())


def test_a_sparse_reward_overrides_the_dense_one_and_only_where_there_is_one():
    sparse = torch.tensor([0.0, 1.0, -1.0, 0.0])
    dense = torch.tensor([0.25, 0.5, 0.75, float("nan")])
    found = override_reward(sparse, dense)
    assert found[:3].tolist() == [0.25, 1.0, -1.0]
    assert bool(found[3].isnan())


def test_loitering_near_the_goal_is_worth_90_where_finishing_is_worth_1():
    long = torch.zeros(4000, dtype=torch.float64)
    loiter = override_reward(long, long + NEAR)
    finish = override_reward(torch.tensor([1.0], dtype=torch.float64), torch.tensor([NEAR], dtype=torch.float64))
    assert value(loiter) == pytest.approx(90, abs=1e-6)
    assert value(finish) == 1


def test_with_potentials_loitering_costs_what_was_reached_and_finishing_wins():
    potential = torch.full((1, 4001), NEAR, dtype=torch.float64)
    never = torch.zeros(1, 4000, dtype=torch.bool)
    assert value(potential_difference(potential, never, discount=DISCOUNT)[0]) == pytest.approx(-0.9, abs=1e-6)
    finish = potential_difference(potential[:, :2], torch.tensor([[True]]), discount=DISCOUNT)[0] + 1
    assert value(finish) == pytest.approx(0.1)
