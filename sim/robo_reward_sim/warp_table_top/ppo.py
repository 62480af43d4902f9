"""Proximal policy optimisation in many worlds on their device: rollouts here, advantages and loss from TorchRL."""

# torchrl is not in the environment that types are checked in
# pyright: reportMissingImports=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from jaxtyping import Bool, Float, Float32
from tensordict import TensorDict
from torch import Tensor
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value.functional import generalized_advantage_estimate

from robo_reward_sim.warp_table_top.policy import ACTION, LOG_PROB, OBSERVATION, VALUE, actor, critic
from robo_reward_sim.warp_table_top.rewarded import RewardedStep


class LearnableWorlds(Protocol):
    """Worlds whose steps carry rewards; such as `RewardedWorlds`."""

    discount: float
    """γ that shaping was made with, and that is therefore the learner's."""

    @property
    def num_worlds(self) -> int:
        """How many worlds there are."""
        ...

    @property
    def device(self) -> torch.device:
        """Where tensors are."""
        ...

    @property
    def observation_names(self) -> Sequence[str]:
        """Name and unit of each number of an observation."""
        ...

    def reset(self) -> Float32[Tensor, "world number"]:
        """Begin an episode in every world."""
        ...

    def step(self, action: Float[Tensor, "world 4"]) -> RewardedStep:
        """Act in every world; begin an episode where one has ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PpoSettings:
    """Settings of the learner (1707.06347); γ is the worlds'.

    Raises:
        ValueError: A setting outside its range.
    """

    steps_per_world: int = 32
    """Steps of every world in a rollout."""
    learning_rate: float = 3e-4
    hidden: Sequence[int] = (128, 128)
    """Units of each layer of policy and critic."""
    epochs: int = 5
    """Passes over a rollout."""
    minibatches: int = 4
    """Parts of a pass."""
    trace: float = 0.95
    """λ of generalised advantage estimation."""
    clip: float = 0.2
    """Of the probability ratio."""
    entropy: float = 0.0
    """Bonus for a nat of randomness."""
    success_reward: float = 1.0
    """Of a transition into success; keep the potential's scale near it."""
    largest_gradient: float = 0.5
    """Norm that gradients are cut to."""

    def __post_init__(self) -> None:
        counts = {"steps_per_world": self.steps_per_world, "epochs": self.epochs, "minibatches": self.minibatches}
        wrong = [f"{name} must be >= 1, got {number}" for name, number in counts.items() if number < 1]
        for name in ("learning_rate", "clip", "largest_gradient"):
            if not getattr(self, name) > 0:
                wrong.append(f"{name} must be > 0, got {getattr(self, name):g}")
        if not 0 <= self.trace <= 1 or self.entropy < 0:
            wrong.append(f"trace must be in [0, 1] and entropy >= 0, got {self.trace:g} and {self.entropy:g}")
        if wrong:
            raise ValueError(wrong[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutMetrics:
    """What a rollout and its updates came to; NaN where there was nothing to count."""

    transitions: int
    """Steps that were transitions of the task."""
    episodes: int
    """Episodes that ended."""
    success_rate: float
    """Of these episodes, in their last state, with exploration."""
    task_reward: float
    """Mean per transition."""
    shaping: float
    """Mean per transition."""
    loss: float
    """Mean over updates."""


@final
class Ppo:
    """Learns in all worlds at once; nothing of a rollout leaves their device.

    A state in which an episode was truncated is bootstrapped by its own value, which is why it must be the true final
    one; a terminal one is not. Steps that only began an episode, and transitions whose potential is unknown, are not
    learnt from, and no advantage reaches over them.

    Args:
        worlds: To learn in; they are reset here.
        settings: Of the learner.
        seed: Of networks and exploration; it seeds torch's global generator, which TorchRL draws from.
    """

    def __init__(self, worlds: LearnableWorlds, *, settings: PpoSettings, seed: int) -> None:
        torch.manual_seed(seed)
        self._worlds, self._settings = worlds, settings
        self.policy = actor(worlds.observation_names, hidden=settings.hidden).to(worlds.device)
        self.critic = critic(worlds.observation_names, hidden=settings.hidden).to(worlds.device)
        self._loss = ClipPPOLoss(
            self.policy,
            self.critic,
            clip_epsilon=settings.clip,
            entropy_bonus=settings.entropy > 0,
            entropy_coeff=settings.entropy,
            critic_coeff=1.0,
            normalize_advantage=True,
        )
        parameters = [*self.policy.parameters(), *self.critic.parameters()]
        self._optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate)
        self._parameters = parameters
        self._observation = worlds.reset()

    def learn(self) -> RolloutMetrics:
        """Collect one rollout, and learn from it."""
        actions, steps = self.collect()
        batch, known = self._transitions(actions, steps)
        losses = [self._update(part) for part in self._minibatches(batch[known])]
        return _metrics(steps, known, losses)

    def collect(self) -> tuple[TensorDict, list[RewardedStep]]:
        """Act for one rollout; gives what was seen and done, (time, world), and what each step came to."""
        seen, steps = [], []
        for _ in range(self._settings.steps_per_world):
            now = TensorDict({OBSERVATION: self._observation}, batch_size=[self._worlds.num_worlds])
            with torch.no_grad():
                now = self.policy(now)
            step = self._worlds.step(now[ACTION])
            seen.append(now.select(OBSERVATION, ACTION, LOG_PROB))
            steps.append(step)
            self._observation = step.observation
        return torch.stack(seen), steps

    def _transitions(
        self, actions: TensorDict, steps: Sequence[RewardedStep]
    ) -> tuple[TensorDict, Bool[Tensor, "time world"]]:
        """Add advantages; say which of the steps are to be learnt from."""
        reward = torch.stack([self._settings.success_reward * each.task_reward + each.shaping for each in steps])
        known = torch.stack([each.real for each in steps]) & reward.isfinite()
        ended = torch.stack([each.ended for each in steps])
        with torch.no_grad():
            value = self.critic(actions.select(OBSERVATION))[VALUE]
            arrived = torch.stack([each.observation for each in steps])
            next_value = self.critic(TensorDict({OBSERVATION: arrived}, batch_size=arrived.shape[:2]))[VALUE]
        advantage, target = generalized_advantage_estimate(
            self._worlds.discount,
            self._settings.trace,
            value,
            next_value,
            torch.where(known, reward, 0.0).to(value.dtype)[..., None],
            (ended | _before_unknown(known))[..., None],
            torch.stack([each.terminated for each in steps])[..., None],
            time_dim=0,
        )
        return actions.set("advantage", advantage).set("value_target", target), known

    def _minibatches(self, batch: TensorDict) -> list[TensorDict]:
        parts = []
        for _ in range(self._settings.epochs):
            order = torch.randperm(len(batch), device=self._worlds.device)
            parts.extend(batch[rows] for rows in order.chunk(self._settings.minibatches) if len(rows) > 1)
        return parts

    def _update(self, part: TensorDict) -> Tensor:
        losses: Any = self._loss(part)
        loss = sum(value for name, value in losses.items() if name.startswith("loss_"))
        assert isinstance(loss, Tensor)  # noqa: S101  (there are always two)
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.largest_gradient)
        self._optimiser.step()
        return loss.detach()


def _before_unknown(known: Bool[Tensor, "time world"]) -> Bool[Tensor, "time world"]:
    """Say where the next step is not to be learnt from: advantages end there, and the critic goes on."""
    return torch.cat([~known[1:], torch.zeros_like(known[:1])])


def _metrics(steps: Sequence[RewardedStep], known: Tensor, losses: Sequence[Tensor]) -> RolloutMetrics:
    ended = torch.stack([each.ended for each in steps])
    success = torch.stack([each.success for each in steps])
    task_reward, shaping = (
        torch.stack([getattr(each, name) for each in steps])[known].mean() for name in ("task_reward", "shaping")
    )
    return RolloutMetrics(
        transitions=int(known.sum()),
        episodes=int(ended.sum()),
        success_rate=float(success[ended].double().mean()),
        task_reward=float(task_reward),
        shaping=float(shaping),
        loss=float(torch.stack(list(losses)).mean()) if losses else float("nan"),
    )
