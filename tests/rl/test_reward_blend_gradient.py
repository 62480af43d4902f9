import functools
import itertools

import pytest
import torch

from robo_reward.rl.reward_blend_gradient import implicit_gradient, sampled_return
from robo_reward.rl.reward_blend_policy import GaussianPolicy, SoftmaxPolicy

CENTRE = torch.tensor([[2.0, 0.3], [0.3, 1.0]], dtype=torch.float64)


def inner(theta: torch.Tensor, phi: torch.Tensor) -> torch.Tensor:
    """Concave, not quadratic, with a maximum that moves with φ."""
    return theta @ (phi.sin() + phi) - 0.5 * theta @ CENTRE @ theta - 0.1 * (theta**4).sum()


def outer(theta: torch.Tensor) -> torch.Tensor:
    return -((theta - 0.4) ** 2).sum() + theta.prod()


def best(phi: torch.Tensor) -> torch.Tensor:
    """θ*(φ) by Newton's method."""
    theta = torch.zeros(2, dtype=torch.float64)
    for _ in range(50):
        at = functools.partial(inner, phi=phi)
        slope, hessian = torch.autograd.functional.jacobian(at, theta), torch.autograd.functional.hessian(at, theta)
        theta = theta - torch.linalg.solve(hessian, slope)
    return theta


def test_the_implicit_gradient_is_that_of_training_anew():
    phi, step = torch.tensor([0.7, -0.4], dtype=torch.float64), 1e-5
    ours = implicit_gradient(inner, outer, policy=best(phi), reward=phi, damping=1e-9)
    for index in range(2):
        change = step * torch.eye(2, dtype=torch.float64)[index]
        anew = (outer(best(phi + change)) - outer(best(phi - change))) / (2 * step)
        assert float(ours[index]) == pytest.approx(float(anew), rel=1e-6)


def test_a_direction_that_curves_too_little_counts_as_curved_by_the_damping():
    phi, theta = torch.ones(1, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)

    def flat(theta: torch.Tensor, phi: torch.Tensor) -> torch.Tensor:
        return phi[0] * theta.sum() - theta[0] ** 2 + theta[1] ** 2  # a saddle

    gradient = implicit_gradient(flat, lambda theta: theta.sum(), policy=theta, reward=phi, damping=0.5)
    assert float(gradient[0]) == pytest.approx(1 / 2 + 1 / 0.5)
    with pytest.raises(ValueError, match="damping must be > 0, got 0"):
        implicit_gradient(flat, lambda theta: theta.sum(), policy=theta, reward=phi, damping=0.0)


def enumerated(policy: SoftmaxPolicy, weights: torch.Tensor, reward: torch.Tensor, discount: float) -> torch.Tensor:
    """The expected return over all sequences of three actions; the state is the last action."""
    total = torch.zeros((), dtype=torch.float64)
    for actions in itertools.product(range(2), repeat=3):
        state, chance, returned = 0, torch.ones((), dtype=torch.float64), 0.0
        for time, action in enumerate(actions):
            features = torch.eye(2, dtype=torch.float64)[state]
            chance = chance * policy.log_probability(weights, features, torch.tensor(action)).exp()
            returned, state = returned + discount**time * reward[state, action], action
        total = total + chance * returned
    return total


def test_sampled_derivatives_of_first_and_second_order_are_those_of_the_expected_return():
    policy = SoftmaxPolicy(num_features=2, num_actions=2)
    weights = torch.tensor([0.3, -0.2, 0.1, 0.4], dtype=torch.float64)
    table = torch.tensor([[1.0, -0.5], [0.2, 2.0]], dtype=torch.float64)
    generator, episodes = torch.Generator().manual_seed(0), 60_000
    state = torch.zeros(episodes, dtype=torch.long)
    features, actions, rewards = [], [], []
    for _ in range(3):
        features.append(torch.eye(2, dtype=torch.float64)[state])
        actions.append(policy.sample(weights, features[-1], generator))
        rewards.append(table[state, actions[-1]])
        state = actions[-1]
    seen, done, paid = (torch.stack(each, dim=1) for each in (features, actions, rewards))
    alive = torch.ones(episodes, 3, dtype=torch.bool)

    def estimate(theta: torch.Tensor) -> torch.Tensor:
        return sampled_return(policy.log_probability(theta, seen, done), paid, alive=alive, discount=0.9)

    def exact(theta: torch.Tensor) -> torch.Tensor:
        return enumerated(policy, theta, table, 0.9)

    theta = weights.clone()
    assert float(estimate(theta)) == pytest.approx(float(exact(theta)), abs=0.02)
    for kind in (torch.autograd.functional.jacobian, torch.autograd.functional.hessian):
        assert torch.allclose(kind(estimate, theta), kind(exact, theta), atol=0.03)
    assert kind(exact, theta).abs().max() > 0.2


def test_what_follows_an_episodes_end_counts_nothing():
    log_probability = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    alive = torch.tensor([[True, True, False], [True, True, True]])
    reward = torch.tensor([[1.0, 1.0, 100.0], [0.0, 0.0, 4.0]], dtype=torch.float64)
    returned = sampled_return(log_probability, reward, alive=alive, discount=0.5)
    assert float(returned.detach()) == (1.5 + 1.0) / 2
    (slope,) = torch.autograd.grad(returned, log_probability)
    assert float(slope[0, 2]) == 0.0
    assert float(slope[1, 2]) != 0.0


def test_log_probabilities_are_normalised_and_their_mean_is_minus_the_entropy():
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(1, 3, generator=generator, dtype=torch.float64).expand(200_000, 3)
    for policy in (
        SoftmaxPolicy(num_features=3, num_actions=4),
        GaussianPolicy(num_features=3, num_actions=2, deviation=0.3),
    ):
        weights = torch.randn(policy.num_weights, generator=generator, dtype=torch.float64)
        action = policy.sample(weights, features, generator)
        mean = float(policy.log_probability(weights, features, action).mean())
        assert mean == pytest.approx(-float(policy.entropy(weights, features[:1])[0]), abs=0.01)


def test_policies_without_a_choice_are_refused():
    with pytest.raises(ValueError, match="at least one feature and two actions are needed, got 3 and 1"):
        SoftmaxPolicy(num_features=3, num_actions=1)
    with pytest.raises(ValueError, match="a deviation > 0 are needed, got 3, 1 and 0"):
        GaussianPolicy(num_features=3, num_actions=1, deviation=0.0)
