"""How what a policy ends up with changes as the reward it was trained on changes: differentiating through learning."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

Objective = Callable[[Tensor, Tensor], Tensor]
"""Of policy and reward parameters, to a number that the policy maximises."""


def implicit_gradient(
    inner: Objective,
    outer: Callable[[Tensor], Tensor],
    *,
    policy: Float64[Tensor, " weight"],
    reward: Float64[Tensor, " parameter"],
    damping: float,
) -> Float64[Tensor, " parameter"]:
    """Give the gradient of outer(θ*(φ)) in φ, where θ*(φ) maximises inner(θ, φ).

        dJ/dφ = −∇_θ J · H⁻¹ A,   H = ∂²inner/∂θ²,  A = ∂²inner/∂φ∂θ

    by the implicit function theorem. H is made dense, for policies of up to some hundred weights; a direction in which
    the inner objective curves down by less than `damping`, or up, counts as curving down by `damping`.

    Args:
        inner: What the policy was trained on.
        outer: What it is trained for.
        policy: θ*, where the inner gradient (nearly) vanishes.
        reward: φ.
        damping: Least curvature, > 0; keeps steps small where the inner objective is flat, or an estimate of it noisy.

    Raises:
        ValueError: A damping that is not positive.

    Source:
        BARFI (2310.19007), which sums a Neumann series in the place of the inverse.
    """
    if not damping > 0:
        raise ValueError(f"damping must be > 0, got {damping:g}")
    theta, phi = policy.detach().requires_grad_(), reward.detach().requires_grad_()
    (slope,) = torch.autograd.grad(inner(theta, phi), theta, create_graph=True)
    (wanted,) = torch.autograd.grad(outer(theta), theta)
    every = torch.eye(len(theta), dtype=torch.float64)
    (hessian,) = torch.autograd.grad(slope, theta, grad_outputs=every, is_grads_batched=True, retain_graph=True)
    curvature, direction = torch.linalg.eigh(-(hessian + hessian.T) / 2)
    solved = direction @ ((direction.T @ wanted) / curvature.clamp(min=damping))
    (gradient,) = torch.autograd.grad(slope, phi, grad_outputs=solved)
    return gradient


def sampled_return(
    log_probability: Float64[Tensor, "episode time"],
    reward: Float64[Tensor, "episode time"],
    *,
    alive: Bool[Tensor, "episode time"],
    discount: Float64[Tensor, ""] | float,
) -> Float64[Tensor, ""]:
    """Give the mean return of sampled episodes, with derivatives of every order in the policy's weights.

        mean_episodes Σ_t γ^t r_t · □_t + b_t · (1 − □'_t),   □_t = exp(ℓ_t − ⊥ℓ_t),  ℓ_t = Σ_{k ≤ t} log π(a_k | s_k)

    where ⊥ stops gradients: its value is the plain return, its first derivative REINFORCE, its second the Hessian. The
    baseline b_t is the mean return from step t on, □'_t is of that step's action alone; it takes variance away.

    Args:
        log_probability: Of each action by the policy that chose it, differentiable.
        reward: Of each transition, differentiable in what it depends on.
        alive: False after the end of an episode.
        discount: γ, in (0, 1].

    Source:
        Foerster et al. 2018 (1802.05098), DiCE; Mao et al. 2019 (1906.03357) for its baseline.
    """
    steps = torch.arange(reward.shape[1], dtype=torch.float64)
    paid = torch.where(alive, reward, torch.zeros_like(reward)) * torch.as_tensor(discount).double() ** steps
    chosen = torch.where(alive, log_probability, torch.zeros_like(log_probability))
    so_far = chosen.cumsum(dim=1)
    to_come = paid.flip(1).cumsum(dim=1).flip(1).mean(dim=0)
    baseline = to_come * (1 - torch.exp(chosen - chosen.detach()))
    return (paid * torch.exp(so_far - so_far.detach()) + baseline).sum(dim=1).mean()
