"""From the steps of several environments to the finished episodes that a monitor of reward hacking judges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from jaxtyping import Float64, Int64

from robo_reward.rl.frame_embeddings import FrameEmbeddings
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.rl.learning_reward import RewardMode, perceived_reward
from robo_reward.rl.transitions import ScoredTransitions

Potentials = Callable[[Int64[np.ndarray, "..."]], Float64[np.ndarray, "..."]]
"""Φ of numbered frame sets, as `ScoredVectorEnv.potentials` gives it."""


@dataclass(slots=True, kw_only=True)
class _Running:
    numbers: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    success: float = float("nan")
    terminated: bool = False


@final
class EpisodeGathering:
    """Puts transitions of several environments together to episodes, whose potentials may come later.

    Args:
        num_envs: Environments that are followed.
        mode: How the learner's reward is made of potentials.
        discount: γ of the moment, as the learner reads it.
    """

    def __init__(self, num_envs: int, *, mode: RewardMode, discount: Callable[[], float]) -> None:
        self._mode: RewardMode = mode
        self._discount = discount
        self._running = [_Running() for _ in range(num_envs)]
        self._finished: list[_Running] = []

    def begin(self) -> None:
        """Forget what has not ended: every environment begins an episode."""
        self._running = [_Running() for _ in self._running]

    def after_step(self, latest: ScoredTransitions, *, success: Float64[np.ndarray, " env"]) -> None:
        """Take a step of every environment.

        Args:
            latest: `ScoredVectorEnv.latest`.
            success: 1 where the step reached success, 0 where it did not, NaN where nobody tells.
        """
        for env, running in enumerate(self._running):
            if not latest.real[env]:
                continue
            if not running.numbers:
                running.numbers.append(int(latest.departure[env]))
            running.numbers.append(int(latest.arrival[env]))
            running.steps.append(int(latest.steps[env]))
            running.success = float(np.fmax(running.success, success[env]))
            if latest.terminated[env] or latest.truncated[env]:
                running.terminated = bool(latest.terminated[env])
                self._finished.append(running)
                self._running[env] = _Running()

    def finished(self, potentials: Potentials, *, embeddings: FrameEmbeddings | None = None) -> list[SeenEpisode]:
        """Give the episodes that have ended since this was asked last, in the order of their ends.

        Args:
            potentials: Of their frame sets, which must have been scored: after `settle` where that is deferred.
            embeddings: Of the same; None = nobody kept them, and rules that need them judge nothing.
        """
        episodes = [self._seen(each, potentials, embeddings) for each in self._finished]
        self._finished = []
        return episodes

    @property
    def oldest(self) -> int | None:
        """Number of the first frame set of the episodes that have not been given yet; None where there is none."""
        begun = [each.numbers[0] for each in (*self._running, *self._finished) if each.numbers]
        return min(begun, default=None)

    def _seen(self, episode: _Running, potentials: Potentials, embeddings: FrameEmbeddings | None) -> SeenEpisode:
        numbers = np.array(episode.numbers, np.int64)
        potential = potentials(numbers)
        terminated = np.zeros(len(episode.steps), np.bool_)
        terminated[-1] = episode.terminated
        shaping = perceived_reward(
            self._mode,
            potential=potential[:-1],
            next_potential=potential[1:],
            terminated=terminated,
            discount=self._discount() ** np.array(episode.steps, np.float64),
        )
        return SeenEpisode(
            potential=torch.from_numpy(potential.astype(np.float64)),
            shaping=torch.from_numpy(shaping),
            success=None if np.isnan(episode.success) else episode.success > 0,
            terminated=episode.terminated,
            embedding=None if embeddings is None else embeddings.of(numbers),
            cameras=None if embeddings is None else embeddings.cameras,
        )
