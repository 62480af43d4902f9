import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from robo_reward.models.optimal_transport import frame_distance, trajectory_rewards, transport_plan

TIME = 50


def half_circle(num_frames=TIME):
    angle = torch.linspace(0, math.pi, num_frames, dtype=torch.float64)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def noise(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=st.integers(0, 10_000), time=st.integers(1, 12), expert=st.integers(1, 12))
def test_a_plan_moves_all_mass_and_no_more_whatever_the_lengths(seed, time, expert):
    plan = transport_plan(noise(seed, time, expert).abs(), epsilon=0.2, num_iterations=2000)
    torch.testing.assert_close(plan.sum(1), torch.full((time,), 1 / time, dtype=torch.float64))
    torch.testing.assert_close(plan.sum(0), torch.full((expert,), 1 / expert, dtype=torch.float64), atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_little_entropy_gives_the_cost_of_the_linear_programme(seed):
    cost = noise(seed, 5, 7).abs()
    rows = [[float(i == row) for i in range(5) for _ in range(7)] for row in range(5)]
    columns = [[float(j == column) for _ in range(5) for j in range(7)] for column in range(7)]
    exact = linprog(cost.flatten().numpy(), A_eq=[*rows, *columns], b_eq=[1 / 5] * 5 + [1 / 7] * 7)
    plan = transport_plan(cost, epsilon=0.001, num_iterations=5000)
    assert float((plan * cost).sum()) == pytest.approx(exact.fun, abs=5e-3)


def test_a_tiny_epsilon_does_not_underflow():
    plan = transport_plan(noise(0, 6, 6).abs() * 1000, epsilon=1e-3, num_iterations=50)
    assert bool(torch.isfinite(plan).all())


def test_a_reversed_trajectory_gets_the_same_reward():
    forward = trajectory_rewards(half_circle(), half_circle())
    backward = trajectory_rewards(half_circle().flip(0), half_circle())
    torch.testing.assert_close(backward.flip(0), forward)


def test_the_reward_falls_with_what_the_episode_leaves_out():
    """Half of 1 − cos, as on the unit half circle the mean over it is then one half."""
    stuck = trajectory_rewards(half_circle()[:1].expand(TIME, -1), half_circle(), scale=0.5).sum()
    stalled = trajectory_rewards(half_circle()[torch.arange(TIME).clamp(max=25)], half_circle(), scale=0.5).sum()
    whole = trajectory_rewards(half_circle(), half_circle(), scale=0.5).sum()
    assert float(stuck) == pytest.approx(-0.5, abs=1e-6)
    assert float(stalled) == pytest.approx(-0.09, abs=0.003)
    assert float(whole) == pytest.approx(0.0, abs=0.003)


def test_a_slower_episode_of_the_same_path_gets_as_much():
    slow = trajectory_rewards(half_circle(120), half_circle(), epsilon=0.001, num_iterations=2000)
    assert len(slow) == 120
    assert float(slow.sum()) == pytest.approx(0.0, abs=0.003)


def test_distances_are_what_they_say():
    one, other = noise(0, 3, 4), noise(1, 5, 4)
    cosine = 1 - torch.nn.functional.cosine_similarity(one[:, None], other[None], dim=-1)
    torch.testing.assert_close(frame_distance(one, other, metric="cosine"), cosine)
    torch.testing.assert_close(
        frame_distance(one, other, metric="euclidean"), (one[:, None] - other).square().sum(-1).sqrt()
    )


def test_what_cannot_be_transported_is_refused():
    path = half_circle(4)
    with pytest.raises(ValueError, match=r"metric must be one of \['cosine', 'euclidean'\], got 'l1'"):
        trajectory_rewards(path, path, metric="l1")
    with pytest.raises(ValueError, match="at least one frame each, got 0 and 4"):
        trajectory_rewards(path[:0], path)
    with pytest.raises(ValueError, match="epsilon must be > 0 and num_iterations at least 1, got 0.0 and 500"):
        trajectory_rewards(path, path, epsilon=0.0)
    with pytest.raises(ValueError, match="scale must be > 0, got -1"):
        trajectory_rewards(path, path, scale=-1.0)
    with pytest.raises(ValueError, match="cost must be finite"):
        trajectory_rewards(path * torch.nan, path)
