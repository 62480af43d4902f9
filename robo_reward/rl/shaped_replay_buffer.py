"""A replay buffer that keeps potentials, not shaped rewards: the reward is made when a transition is sampled."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Bool, Float64, Int64
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from robo_reward.rl.learning_reward import RewardMode, perceived_reward, transitions_known
from robo_reward.rl.transitions import ScoredTransitions


@runtime_checkable
class TransitionSource(Protocol):
    """Where transitions come from, with the potentials of their ends; `ScoredVectorEnv` is one."""

    latest: ScoredTransitions | None

    @property
    def version(self) -> str:
        """Version of the model that gave all potentials."""
        ...

    def potentials(self, numbers: Int64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
        """Give Φ of numbered frame sets; NaN where unknown."""
        ...

    def settle(self) -> None:
        """Score frames that wait."""
        ...

    def forget_before(self, number: int) -> None:
        """Let go of frame sets that nobody asks about any more."""
        ...


class ShapedReplayBuffer(ReplayBuffer):
    """Keeps Φ at both ends of each transition, the model's version, and the task's reward apart from them.

    `sample` makes the reward with the discount of the moment, so that γ may change without any frame being looked at
    again. When the model's version changes, all potentials are taken anew from the source; transitions whose potentials
    the new version does not know are never sampled, so versions do not mix. The learner's own target uses γ^steps.

    Args:
        buffer_size: Transitions that are kept, over all environments.
        observation_space: Of one environment.
        action_space: Of one environment.
        n_envs: Environments.
        source: Where transitions come from.
        mode: What the learner maximises.
        discount: Gives the learner's γ of the moment.
        device: Where samples go.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        *,
        n_envs: int,
        source: TransitionSource,
        mode: RewardMode,
        discount: Callable[[], float],
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(buffer_size, observation_space, action_space, device, n_envs=n_envs)
        self._source, self._discount = source, discount
        self._mode: RewardMode = mode
        shape = (self.buffer_size, n_envs)
        self.potentials = np.full(shape, np.nan)
        self.next_potentials = np.full(shape, np.nan)
        self.departures = np.full(shape, -1)
        self.arrivals = np.full(shape, -1)
        self.steps = np.ones(shape, np.int64)
        self.versions: list[str] = [source.version]
        self.version_index = np.full(shape, -1)
        self._unscored: list[int] = []

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Keep the transitions of one step; their frame sets are those of the source's latest step.

        Raises:
            ValueError: The source has not stepped.
        """
        latest = self._source.latest
        if latest is None:
            raise ValueError("the source has not stepped: a shaped buffer is filled by its own environments alone")
        place = self.pos
        super().add(*args, **kwargs)
        self.departures[place], self.arrivals[place] = latest.departure, latest.arrival
        self.steps[place] = latest.steps
        self.rewards[place] = latest.task_reward
        self._unscored.append(place)

    def refresh(self) -> None:
        """Take potentials that are not here yet from the source, or all of them anew after a change of version."""
        self._source.settle()
        if self._source.version != self.versions[-1]:
            self.versions.append(self._source.version)
            self._unscored = list(range(self.buffer_size if self.full else self.pos))
        places = np.array(sorted(set(self._unscored)), np.int64)
        self._unscored = []
        if len(places):
            self.potentials[places] = self._told(self.departures[places])
            self.next_potentials[places] = self._told(self.arrivals[places])
            self.version_index[places] = len(self.versions) - 1
        if self.full:
            self._source.forget_before(int(self.departures[self.pos].min()))

    def _told(self, numbers: Int64[np.ndarray, "place env"]) -> Float64[np.ndarray, "place env"]:
        """Give potentials by number; of frame sets of an earlier process (-1) the source knows nothing."""
        known = np.full(numbers.shape, np.nan)
        known[numbers >= 0] = self._source.potentials(numbers[numbers >= 0])
        return known

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Sample transitions whose learning reward is known.

        Raises:
            ValueError: None is known.
        """
        self.refresh()
        rows = self.buffer_size if self.full else self.pos
        known = self._known(rows)
        if known.all():
            return super().sample(batch_size, env)
        places, envs = np.nonzero(known)
        if not len(places):
            raise ValueError("no transition's reward is known: the reward model abstained on all of them")
        chosen = np.random.randint(0, len(places), size=batch_size)  # SB3's own generator, which resuming restores
        return self._samples(places[chosen], envs[chosen])

    def _get_samples(self, batch_inds: np.ndarray, env: Any = None) -> ReplayBufferSamples:
        envs = np.random.randint(
            0, high=self.n_envs, size=(len(batch_inds),)
        )  # SB3's own generator, which resuming restores
        return self._samples(batch_inds, envs)

    def learning_rewards(
        self, places: Int64[np.ndarray, " sample"], envs: Int64[np.ndarray, " sample"]
    ) -> Float64[np.ndarray, " sample"]:
        """Give task reward and what perception adds, with the discount of the moment."""
        perceived = perceived_reward(
            self._mode,
            potential=self.potentials[places, envs],
            next_potential=self.next_potentials[places, envs],
            terminated=self._terminated(places, envs),
            discount=self._discounts(places, envs),
        )
        return self.rewards[places, envs] + perceived

    def _samples(self, places: np.ndarray, envs: np.ndarray) -> ReplayBufferSamples:
        terminated = self._terminated(places, envs)
        columns = (
            self.observations[places, envs],
            self.actions[places, envs],
            self.next_observations[places, envs],
            terminated.astype(np.float32)[:, None],
            self.learning_rewards(places, envs).astype(np.float32)[:, None],
            self._discounts(places, envs).astype(np.float32)[:, None],
        )
        return ReplayBufferSamples(*map(self.to_torch, columns))

    def _terminated(self, places: np.ndarray, envs: np.ndarray) -> Bool[np.ndarray, " sample"]:
        """True where the next state is terminal; a time limit is no terminal state."""
        return (self.dones[places, envs] > 0) & ~(self.timeouts[places, envs] > 0)

    def _discounts(self, places: np.ndarray, envs: np.ndarray) -> Float64[np.ndarray, " sample"]:
        return np.power(self._discount(), self.steps[places, envs].astype(np.float64))

    def _known(self, rows: int) -> Bool[np.ndarray, "place env"]:
        known = transitions_known(
            self._mode,
            potential=self.potentials[:rows],
            next_potential=self.next_potentials[:rows],
            terminated=(self.dones[:rows] > 0) & ~(self.timeouts[:rows] > 0),
        )
        return known & (self.version_index[:rows] == len(self.versions) - 1)
