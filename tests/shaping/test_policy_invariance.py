"""Ng, Harada & Russell's theorem run on random MDPs through the shaping function itself, with both violations."""

import numpy as np
import pytest
import torch
from tabular import TabularMDP, random_mdp

from robo_reward.shaping import potential_difference

NUM_MDPS = 300


def shaping(mdp: TabularMDP, potential: np.ndarray, *, terminated: np.ndarray, discount: float) -> np.ndarray:
    """F of every (state, next state) by `potential_difference`, one transition per batch row."""
    states = len(potential)
    pairs = torch.tensor(np.stack(np.meshgrid(potential, potential, indexing="ij"), axis=-1).reshape(-1, 2))
    ends = torch.tensor(np.tile(terminated, states))[:, None]
    return potential_difference(pairs, ends, discount=discount).numpy().reshape(states, 1, states)


def policy_changes(*, keep_terminal_potential: bool, shaping_discount: float | None) -> tuple[int, float]:
    rng = np.random.default_rng(0)
    changed, gap = 0, 0.0
    for _ in range(NUM_MDPS):
        mdp = random_mdp(rng)
        potential = rng.normal(size=8) * 3
        ends = np.zeros_like(mdp.terminal) if keep_terminal_potential else mdp.terminal
        extra = shaping(mdp, potential, terminated=ends, discount=shaping_discount or mdp.discount)
        plain, shaped = mdp.q_star(mdp.reward), mdp.q_star(mdp.reward + extra)
        alive = ~mdp.terminal
        changed += bool((plain.argmax(axis=1) != shaped.argmax(axis=1))[alive].any())
        gap = max(gap, float(np.abs(shaped - (plain - potential[:, None]))[alive].max()))
    return changed, gap


def test_the_law_changes_no_policy_and_shifts_values_by_the_potential():
    changed, gap = policy_changes(keep_terminal_potential=False, shaping_discount=None)
    assert changed == 0
    assert gap < 1e-11


def test_keeping_the_terminal_potential_changes_many_policies():
    changed, _ = policy_changes(keep_terminal_potential=True, shaping_discount=None)
    assert changed > 100


def test_another_discount_than_the_learners_changes_many_policies():
    changed, _ = policy_changes(keep_terminal_potential=False, shaping_discount=1.0)
    assert changed > 100


def test_grzes_two_goals_are_misordered_by_a_kept_terminal_potential_from_the_derived_discount_on():
    """Grześ 2017, fig. 1: goals r=0, Φ=1000 and r=100, Φ=10; the wrong one wins iff γ > 10/99."""

    def worth(reward: float, goal_potential: float, terminated: bool, discount: float) -> float:
        two = torch.tensor([[0.0, goal_potential]], dtype=torch.float64)
        return reward + float(potential_difference(two, torch.tensor([[terminated]]), discount=discount))

    for discount in (0.05, 10 / 99 - 1e-6, 10 / 99 + 1e-6, 0.9):
        assert worth(0, 1000, True, discount) < worth(100, 10, True, discount)
        wrong_wins = worth(0, 1000, False, discount) > worth(100, 10, False, discount)
        assert wrong_wins == (discount > 10 / 99)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_shaped_q_learning_equals_q_learning_started_at_the_potential(steps):
    """Wiewiora 2003: identical updates, values differ by exactly Φ."""
    rng = np.random.default_rng(steps)
    mdp, potential = random_mdp(rng), rng.normal(size=8)
    potential[mdp.terminal] = 0.0
    extra = shaping(mdp, potential, terminated=mdp.terminal, discount=mdp.discount)
    shaped, started = np.zeros((8, 3)), np.repeat(potential[:, None], 3, axis=1)
    for _ in range(500 * steps):
        state, action = rng.integers(6), rng.integers(3)
        following = rng.choice(8, p=mdp.transition[state, action])
        reward = mdp.reward[state, action, following]
        alive = not mdp.terminal[following]
        for q, bonus in ((shaped, extra[state, 0, following]), (started, 0.0)):
            target = reward + bonus + mdp.discount * alive * q[following].max()
            q[state, action] += 0.3 * (target - q[state, action])
    np.testing.assert_allclose(
        shaped[~mdp.terminal] + potential[~mdp.terminal, None], started[~mdp.terminal], atol=1e-9
    )


def test_loitering_beside_the_goal_is_worth_nothing_and_finishing_more():
    """γ = .98: as a value the progress pays for waiting, as a potential it does not."""
    discount, horizon = 0.98, 200
    loiter = torch.full((1, horizon), 0.9, dtype=torch.float64)
    loiter[0, 0] = 0.0
    stay = torch.zeros(1, horizon - 1, dtype=torch.bool)
    powers = discount ** torch.arange(horizon - 1, dtype=torch.float64)
    shaped_loiter = float((potential_difference(loiter, stay, discount=discount) * powers).sum())
    finish = torch.tensor([[0.0, 0.9, 1.0]], dtype=torch.float64)
    ends = torch.tensor([[False, True]])
    shaped_finish = float(
        ((potential_difference(finish, ends, discount=discount) + torch.tensor([[0.0, 1.0]])) * powers[:2]).sum()
    )
    value_loiter = float((loiter[:, 1:] * powers).sum())
    assert shaped_loiter < 0.02
    assert shaped_finish > 0.9 > shaped_loiter
    assert value_loiter > 30


def test_advantages_are_the_same_when_the_critic_is_shifted_by_the_potential():
    """GAE on shaped rewards with V' = V − Φ equals GAE on task rewards with V."""
    rng = np.random.default_rng(3)
    time, discount, lam = 30, 0.95, 0.9
    reward, value, potential = rng.normal(size=time), rng.normal(size=time + 1), rng.normal(size=time + 1)
    ends = torch.zeros(1, time, dtype=torch.bool)
    extra = potential_difference(torch.tensor(potential)[None], ends, discount=discount)[0].numpy()

    def advantages(reward: np.ndarray, value: np.ndarray) -> np.ndarray:
        out, last = np.zeros(time), 0.0
        for t in reversed(range(time)):
            last = reward[t] + discount * value[t + 1] - value[t] + discount * lam * last
            out[t] = last
        return out

    np.testing.assert_allclose(advantages(reward, value), advantages(reward + extra, value - potential), atol=1e-12)
    assert np.abs(advantages(reward, value) - advantages(reward + extra, value)).max() > 0.1
