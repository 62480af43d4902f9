"""Learns a policy and the reward that it should be trained on, at two levels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from robo_reward.rl.reward_blend import RewardBlend, blended
from robo_reward.rl.reward_blend_gradient import implicit_gradient, sampled_return
from robo_reward.rl.reward_blend_policy import BlendPolicy


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PlayedEpisodes:
    """Episodes that a policy played, filled up to one length.

    Raises:
        ValueError: Shapes that disagree.
    """

    features: Float64[Tensor, "_episode _time feature"]
    """x(s) of the state in which each action was chosen."""
    action: Tensor
    """(episode, time) of numbers of actions, or (episode, time, size)."""
    task: Float64[Tensor, "_episode _time"]
    """The task's reward of each transition."""
    auxiliary: Float64[Tensor, "_episode _time"]
    alive: Bool[Tensor, "_episode _time"]
    """False after the end."""
    reward_features: Float64[Tensor, "_episode _time number"] | None = None
    """x(s, a) of the reward's residual, where it has one."""

    def __post_init__(self) -> None:
        wanted = tuple(self.features.shape[:2])
        for name in ("action", "task", "auxiliary", "alive"):
            if tuple(getattr(self, name).shape[:2]) != wanted:
                raise ValueError(f"{name} must begin with (episode, time) {wanted}, got {getattr(self, name).shape}")


Play = Callable[[Float64[Tensor, " weight"], int], PlayedEpisodes]
"""Plays so many episodes with the policy of these weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendSettings:
    """How both levels are trained.

    Raises:
        ValueError: A setting outside its range.
    """

    episodes: int = 128
    """Played for each policy gradient, and eight times as many for each reward gradient, which is noisier."""
    inner_updates: int = 30
    """Policy gradients between two steps of the reward."""
    inner_rate: float = 0.05
    """Adam's step of the policy."""
    outer_rate: float = 0.1
    """Adam's step of the reward's parameters."""
    entropy: float = 0.02
    """What a nat of entropy is worth in each step to the policy; it keeps exploring, and the inner level concave."""
    weight_decay: float = 0.005
    """½ λ ‖θ‖² is taken from the inner objective."""
    damping: float = 0.02
    """Least curvature of the inner objective that is believed."""
    discount_penalty: float = 0.0
    """λ_γ: what a discount of 1 costs the outer objective; pays for looking no further ahead than needed."""
    task_discount: float = 1.0
    """γ of the task, that the outer objective counts by."""

    def __post_init__(self) -> None:
        positive = (self.episodes, self.inner_updates, self.inner_rate, self.outer_rate, self.damping)
        if not all(number > 0 for number in positive):
            raise ValueError(f"episodes, updates, rates and damping must be > 0, got {positive}")
        if min(self.entropy, self.weight_decay, self.discount_penalty) < 0 or not 0 < self.task_discount <= 1:
            raise ValueError("entropy, weight_decay and discount_penalty must be >= 0, task_discount in (0, 1]")


@final
class BlendTraining:
    """Trains a small policy on a blend, and the blend for the task that the policy then does.

        φ* = argmax_φ J_task(θ*(φ)) − λ_γ γ_φ,   θ*(φ) = argmax_θ E_π Σ γ_φ^t (r_φ + λ_H H(π(·|s_t))) − ½ λ ‖θ‖²

    The outer gradient goes through the inner optimum (`implicit_gradient`), estimated from episodes of the policy.
    Small policies only; a large learner can be given the blend that was found.

    Args:
        policy: The family.
        play: Plays episodes with given weights.
        blend: The reward to begin with.
        settings: Of both levels.

    Source:
        BARFI (2310.19007).
    """

    def __init__(self, policy: BlendPolicy, play: Play, *, blend: RewardBlend, settings: BlendSettings) -> None:
        self._policy, self._play, self._settings = policy, play, settings
        self.blend = blend
        """The present reward."""
        self.weights: Float64[Tensor, " weight"] = torch.zeros(policy.num_weights, dtype=torch.float64)
        """Of the present policy."""
        self._reward = blend.parameters.requires_grad_()
        self._outer = torch.optim.Adam([self._reward], lr=settings.outer_rate, maximize=True)

    def fit_policy(self) -> float:
        """Train the policy on the present blend; gives the task's mean return of the last episodes played."""
        theta = self.weights.clone().requires_grad_()
        optimizer = torch.optim.Adam([theta], lr=self._settings.inner_rate, maximize=True)
        task = float("nan")
        for _ in range(self._settings.inner_updates):
            played = self._play(theta.detach(), self._settings.episodes)
            optimizer.zero_grad()
            self._inner(played)(theta, self._reward.detach()).backward()
            optimizer.step()
            task = float(self._task(played)(theta.detach()))
        self.weights = theta.detach()
        return task

    def step(self) -> float:
        """Train the policy, then move the blend one step; gives the task's mean return on the way."""
        self.fit_policy()
        played = self._play(self.weights, 8 * self._settings.episodes)
        inner, outer = self._inner(played), self._task(played)
        gradient = implicit_gradient(
            inner, outer, policy=self.weights, reward=self._reward, damping=self._settings.damping
        )
        discount = self.blend.discount
        gradient[2] -= self._settings.discount_penalty * discount * (1 - discount)
        self._outer.zero_grad()
        self._reward.grad = gradient
        self._outer.step()
        self.blend = self.blend.with_parameters(self._reward.detach())
        return float(outer(self.weights))

    def _inner(self, played: PlayedEpisodes) -> Callable[[Tensor, Tensor], Tensor]:
        """The inner objective, as these episodes estimate it."""

        def objective(theta: Tensor, phi: Tensor) -> Tensor:
            log_probability = self._policy.log_probability(theta, played.features, played.action)
            reward = blended(phi, played.task, played.auxiliary, played.reward_features)
            reward = reward + self._settings.entropy * self._policy.entropy(theta, played.features)
            returned = sampled_return(log_probability, reward, alive=played.alive, discount=phi[2].sigmoid())
            return returned - 0.5 * self._settings.weight_decay * (theta * theta).sum()

        return objective

    def _task(self, played: PlayedEpisodes) -> Callable[[Tensor], Tensor]:
        """The task's return, as these episodes estimate it."""

        def objective(theta: Tensor) -> Tensor:
            log_probability = self._policy.log_probability(theta, played.features, played.action)
            discount = self._settings.task_discount
            return sampled_return(log_probability, played.task, alive=played.alive, discount=discount)

        return objective
