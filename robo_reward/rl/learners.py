"""The learners of Stable-Baselines3 with settings for robots: built on shaped buffers, warm traps avoided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from robo_reward.rl.learner_checks import check_common, check_positive, check_updates, learning_device
from robo_reward.rl.learning_reward import PERCEIVED, RewardMode
from robo_reward.rl.normalised_sac_policy import NormalisedSacPolicy
from robo_reward.rl.shaped_replay_buffer import ShapedReplayBuffer, TransitionSource
from robo_reward.rl.shaped_rollout_buffer import ShapedRolloutBuffer
from robo_reward.rl.standardised_observations import ObservationStatistics, StandardisedObservations


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LearnerInputs:
    """What a learner is built on."""

    env: VecEnv
    source: TransitionSource
    """Where transitions come from, with their potentials where a reward model is asked."""
    mode: RewardMode
    seed: int
    statistics: ObservationStatistics | None = None
    """Units that the networks see observations in; None = as they are."""
    discount: Callable[[], float] | None = None
    """γ of the moment where it changes; None = the learner's own constant one."""


@runtime_checkable
class Learner(Protocol):
    """Settings of an algorithm."""

    num_envs: int
    discount: float

    @property
    def rollout_steps(self) -> int:
        """Environment steps, over all environments, that it collects at a time."""
        ...

    def build(self, inputs: LearnerInputs) -> BaseAlgorithm:
        """Make the algorithm, ready to learn."""
        ...

    def after_update(self, algorithm: BaseAlgorithm) -> None:
        """Called after every rollout and its updates."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sac:
    """Soft actor-critic for continuous actions (1801.01290, 1812.05905).

    Raises:
        ValueError: A setting outside its range.
    """

    num_envs: int = 4
    discount: float = 0.98
    learning_rate: float = 1e-3
    hidden: Sequence[int] = (128, 128)
    """Units of each layer of actor and critics."""
    batch_size: int = 256
    buffer_size: int = 200_000
    learning_starts: int = 1000
    """Environment steps with random actions before the first update."""
    updates_per_step: float = 1.0
    """Gradient steps per environment step."""
    train_every: int = 1
    """Steps of every environment between updates, which then come all together."""
    tau: float = 0.01
    """Share of the critics that goes into their targets at each update."""
    entropy: float | None = 0.01
    """Temperature: what a nat of randomness is worth in a step, for returns of 2 to 10. It is paid for every step that
    an episode goes on: 0.03 outweighs a success worth 1. None = tuned to a target entropy, but for the floor."""
    entropy_start: float = 0.01
    """Temperature that tuning begins with."""
    entropy_floor: float = 0.001
    """Smallest temperature when it is tuned: it may collapse, after which success swings."""
    normalised_critics: bool = True
    """Layer normalisation in the critics; without it what was learnt is lost again more often."""
    device: str = "cpu"
    """Where networks learn: cpu, cuda, cuda:1 …; auto = CUDA where there is a CUDA device."""

    def __post_init__(self) -> None:
        check_common(self.num_envs, self.discount, self.learning_rate)
        check_positive(batch_size=self.batch_size, buffer_size=self.buffer_size, train_every=self.train_every)
        check_positive(entropy_start=self.entropy_start, entropy_floor=self.entropy_floor)
        check_updates(self.updates_per_step, self.rollout_steps)

    @property
    def rollout_steps(self) -> int:
        """`train_every` steps of every environment."""
        return self.num_envs * self.train_every

    def build(self, inputs: LearnerInputs) -> SAC:
        """Make the algorithm, ready to learn."""
        algorithm = SAC(
            NormalisedSacPolicy if self.normalised_critics else "MlpPolicy",
            inputs.env,
            learning_rate=self.learning_rate,
            buffer_size=self.num_envs,  # SB3's own, replaced below
            learning_starts=self.learning_starts,
            batch_size=self.batch_size,
            tau=self.tau,
            gamma=self.discount,
            train_freq=self.train_every,
            gradient_steps=round(self.updates_per_step * self.rollout_steps),
            ent_coef=f"auto_{self.entropy_start!r}" if self.entropy is None else self.entropy,
            policy_kwargs=_networks(self.hidden, inputs.statistics),
            seed=inputs.seed,
            device=learning_device(self.device),
        )
        return _with_buffer(algorithm, inputs, self.buffer_size)

    def after_update(self, algorithm: BaseAlgorithm) -> None:
        """Keep a tuned temperature from collapsing, after which success swings."""
        logarithm = getattr(algorithm, "log_ent_coef", None)
        if logarithm is not None:
            with torch.no_grad():
                logarithm.clamp_(min=torch.tensor(self.entropy_floor).log().item())


@dataclass(frozen=True, slots=True, kw_only=True)
class Dqn:
    """Deep Q-learning for discrete actions.

    Raises:
        ValueError: A setting outside its range.
    """

    num_envs: int = 4
    discount: float = 0.99
    learning_rate: float = 1e-3
    hidden: Sequence[int] = (128, 128)
    batch_size: int = 128
    buffer_size: int = 200_000
    learning_starts: int = 1000
    updates_per_step: float = 0.5
    train_every: int = 1
    """Steps of every environment between updates, which then come all together."""
    target_interval: int = 1000
    """Environment steps between copies of the network into its target."""
    exploration_steps: int = 10_000
    """Environment steps over which the share of random actions falls to `exploration_end`."""
    exploration_end: float = 0.05
    device: str = "cpu"
    """Where networks learn: cpu, cuda, cuda:1 …; auto = CUDA where there is a CUDA device."""

    def __post_init__(self) -> None:
        check_common(self.num_envs, self.discount, self.learning_rate)
        check_positive(batch_size=self.batch_size, buffer_size=self.buffer_size, train_every=self.train_every)
        check_positive(target_interval=self.target_interval)
        check_updates(self.updates_per_step, self.rollout_steps)

    @property
    def rollout_steps(self) -> int:
        """`train_every` steps of every environment."""
        return self.num_envs * self.train_every

    def build(self, inputs: LearnerInputs) -> DQN:
        """Make the algorithm, ready to learn."""
        algorithm = DQN(
            "MlpPolicy",
            inputs.env,
            learning_rate=self.learning_rate,
            buffer_size=self.num_envs,  # SB3's own, replaced below
            learning_starts=self.learning_starts,
            batch_size=self.batch_size,
            gamma=self.discount,
            train_freq=self.train_every,
            gradient_steps=round(self.updates_per_step * self.rollout_steps),
            target_update_interval=self.target_interval,
            policy_kwargs=_networks(self.hidden, inputs.statistics),
            seed=inputs.seed,
            device=learning_device(self.device),
        )
        # SB3 counts exploration as a share of one call of learn(); training here is many calls
        algorithm.exploration_schedule = lambda _: self._exploration(algorithm.num_timesteps)
        return _with_buffer(algorithm, inputs, self.buffer_size)

    def after_update(self, algorithm: BaseAlgorithm) -> None:
        """Nothing to do."""

    def _exploration(self, steps: int) -> float:
        return max(self.exploration_end, 1.0 - (1.0 - self.exploration_end) * steps / max(1, self.exploration_steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ppo:
    """Proximal policy optimisation (1707.06347).

    Raises:
        ValueError: A setting outside its range.
    """

    num_envs: int = 8
    discount: float = 0.98
    learning_rate: float = 3e-4
    hidden: Sequence[int] = (64, 64)
    steps_per_env: int = 128
    """Steps of each environment in a rollout."""
    batch_size: int = 256
    epochs: int = 10
    trace: float = 0.95
    """λ of generalised advantage estimation."""
    entropy: float = 0.0
    clip: float = 0.2
    device: str = "cpu"
    """Where networks learn: cpu, cuda, cuda:1 …; auto = CUDA where there is a CUDA device."""

    def __post_init__(self) -> None:
        check_common(self.num_envs, self.discount, self.learning_rate)
        check_positive(batch_size=self.batch_size, steps_per_env=self.steps_per_env, epochs=self.epochs)
        if self.rollout_steps % self.batch_size:
            raise ValueError(
                f"batch_size must divide a rollout of num_envs * steps_per_env = {self.rollout_steps} steps, got "
                f"{self.batch_size}"
            )

    @property
    def rollout_steps(self) -> int:
        """Environment steps of one rollout."""
        return self.num_envs * self.steps_per_env

    def build(self, inputs: LearnerInputs) -> PPO:
        """Make the algorithm, ready to learn.

        Raises:
            ValueError: A discount that changes.
        """
        if inputs.discount is not None:
            raise ValueError("PPO's critic follows one discount: learn with SAC or DQN where it changes")
        algorithm = PPO(
            "MlpPolicy",
            inputs.env,
            learning_rate=self.learning_rate,
            n_steps=self.steps_per_env,
            batch_size=self.batch_size,
            n_epochs=self.epochs,
            gamma=self.discount,
            gae_lambda=self.trace,
            clip_range=self.clip,
            ent_coef=self.entropy,
            rollout_buffer_class=ShapedRolloutBuffer,
            policy_kwargs=_networks(self.hidden, inputs.statistics),
            seed=inputs.seed,
            device=learning_device(self.device),
        )
        buffer: Any = algorithm.rollout_buffer
        if inputs.mode in PERCEIVED:
            buffer.follow(inputs.source, mode=inputs.mode)
        return algorithm

    def after_update(self, algorithm: BaseAlgorithm) -> None:
        """Nothing to do."""


def _with_buffer(algorithm: Any, inputs: LearnerInputs, buffer_size: int) -> Any:
    """Give an off-policy algorithm a buffer that makes rewards when it is sampled."""
    assert isinstance(algorithm, OffPolicyAlgorithm)  # noqa: S101
    algorithm.replay_buffer = ShapedReplayBuffer(
        buffer_size,
        inputs.env.observation_space,
        inputs.env.action_space,
        n_envs=inputs.env.num_envs,
        source=inputs.source,
        mode=inputs.mode,
        discount=inputs.discount or (lambda: algorithm.gamma),
        device=algorithm.device,
    )
    return algorithm


def _networks(hidden: Sequence[int], statistics: ObservationStatistics | None) -> dict[str, Any]:
    """Give what Stable-Baselines3 builds networks from."""
    if statistics is None:
        return {"net_arch": list(hidden)}
    units = {"mean": statistics.mean.tolist(), "deviation": statistics.deviation.tolist()}
    extractor = {"features_extractor_class": StandardisedObservations, "features_extractor_kwargs": units}
    return {"net_arch": list(hidden), **extractor}
