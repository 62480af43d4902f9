import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robo_reward.evaluation.epic import goal_epic_distance


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 60), st.floats(-5, 5))
def test_the_lemma_equals_pearson(seed, states, effect):
    rng = np.random.default_rng(seed)
    goal = rng.random(states) < 0.4
    goal[:2] = True, False
    reward = rng.normal(size=states) + effect * goal
    rho = np.corrcoef(reward, goal)[0, 1]
    given_ = goal_epic_distance(torch.from_numpy(reward), torch.from_numpy(goal))
    assert 2 * given_**2 == pytest.approx(1 - rho, abs=1e-12)


def test_offset_and_positive_scale_change_nothing_and_a_negative_scale_mirrors():
    generator = torch.Generator().manual_seed(0)
    goal = torch.rand(50, generator=generator) < 0.3
    reward = torch.randn(50, generator=generator, dtype=torch.float64) + goal
    distance = goal_epic_distance(reward, goal)
    assert goal_epic_distance(7 * reward - 3, goal) == pytest.approx(distance, abs=1e-12)
    assert goal_epic_distance(-reward, goal) ** 2 == pytest.approx(1 - distance**2, abs=1e-12)


def test_the_label_itself_is_at_zero_and_its_opposite_at_one():
    goal = torch.tensor([True, False, False, True, False])
    assert goal_epic_distance(goal.double(), goal) == pytest.approx(0.0, abs=1e-7)
    assert goal_epic_distance(1 - goal.double(), goal) == pytest.approx(1.0, abs=1e-12)


def test_what_is_unrelated_is_at_the_root_of_one_half():
    reward = torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert goal_epic_distance(reward, torch.tensor([True, True, False, False])) == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize(
    ("reward", "goal"),
    [([0.3, 0.3], [True, False]), ([0.1, 0.2], [True, True]), ([0.1, 0.2], [False, False]), ([], []),
     ([float("nan"), 0.2], [True, False])],
)  # fmt: skip
def test_where_it_is_not_defined_it_is_nan(reward, goal):
    assert math.isnan(goal_epic_distance(torch.tensor(reward), torch.tensor(goal, dtype=torch.bool)))


def test_states_that_were_not_judged_are_left_out():
    goal = torch.tensor([True, False, False, True])
    reward = torch.tensor([1.0, 0.2, 0.1, float("nan")])
    assert goal_epic_distance(reward, goal) == goal_epic_distance(reward[:3], goal[:3])
