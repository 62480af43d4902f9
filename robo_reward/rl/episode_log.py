"""Counts what the episodes that a learner plays come to: task reward and shaping reward apart from each other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

_NOTHING_YET = (0.0, 0.0, 0.0, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFigures:
    """Means over the episodes that ended since the last time they were asked for; NaN where none did."""

    episodes: int
    success_rate: float
    """NaN where the environments do not tell."""
    mean_length: float
    task_return: float
    """Undiscounted."""
    shaping_return: float
    """Undiscounted; NaN where frames are scored later than they come."""


class EpisodeLog:
    """Sums over each environment's present episode.

    Args:
        num_envs: Environments.
    """

    def __init__(self, num_envs: int) -> None:
        self._sums = np.zeros((num_envs, 4))
        self._ended: list[np.ndarray] = []
        self.begin()

    def begin(self) -> None:
        """Forget the episodes that are under way."""
        self._sums[:] = _NOTHING_YET

    def after_step(
        self,
        *,
        task_reward: Float64[np.ndarray, " env"],
        shaping_reward: Float64[np.ndarray, " env"],
        success: Float64[np.ndarray, " env"],
        ended: Bool[np.ndarray, " env"],
    ) -> None:
        """Add one step of every environment.

        Args:
            task_reward: Of the task.
            shaping_reward: What perception added; NaN where unknown.
            success: 1 where the step reached success, 0 where it did not, NaN where nobody tells.
            ended: Whether the step ended the episode.
        """
        self._sums[:, 0] += 1
        self._sums[:, 1] += task_reward
        self._sums[:, 2] += shaping_reward
        self._sums[:, 3] = np.fmax(self._sums[:, 3], success)
        self._ended += [row.copy() for row in self._sums[ended]]
        self._sums[ended] = _NOTHING_YET

    def figures(self) -> EpisodeFigures:
        """Give the means, and begin anew."""
        ended, self._ended = self._ended, []
        means = np.mean(ended, axis=0) if ended else np.full(4, np.nan)
        return EpisodeFigures(
            episodes=len(ended),
            mean_length=float(means[0]),
            task_return=float(means[1]),
            shaping_return=float(means[2]),
            success_rate=float(means[3]),
        )
