"""How an episode went, told by its answers. No ROS."""

import math
from typing import final

from robo_reward_ros.answer import Answer, Status


@final
class EpisodeTally:
    """Adds up one episode: the one of the first set of pictures that is answered after it was built.

    G = Σ_t (Π_{i<t} γ_i) (F_t + r_t)   over transitions with status OK, with the discount γ_i of each
    """

    def __init__(self) -> None:
        self.episode: int | None = None
        """Its number; None = it has not begun."""
        self.terminated = self.truncated = self.success = False
        self.discounted_return = 0.0
        self.final_progress = self.max_progress = math.nan
        self.transitions = self.refused = 0
        self._weight, self._first_ns, self._last_ns = 1.0, 0, 0

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.terminated or self.truncated

    @property
    def duration(self) -> float:
        """Time between the first and the last capture time [s]."""
        return (self._last_ns - self._first_ns) * 1e-9

    def hear(self, answer: Answer) -> None:
        """Take an answer, in the order in which they went out; those of other episodes are left out."""
        if self.over or (self.episode is None and not answer.views):
            return
        if self.episode is None:
            self.episode, self._first_ns = answer.episode, answer.stamp_ns
        if answer.episode != self.episode:
            # heartbeats between two episodes have the next one's number already
            self.truncated = self.truncated or bool(answer.views)
            return
        self._last_ns = max(self._last_ns, answer.stamp_ns)
        self.terminated, self.truncated = answer.terminated, answer.truncated
        self.success = answer.success
        if math.isfinite(answer.progress):
            self.final_progress = answer.progress
            self.max_progress = max(answer.progress, 0.0 if math.isnan(self.max_progress) else self.max_progress)
        if answer.status != Status.OK:
            self.refused += 1
            return
        self.transitions += 1
        self.discounted_return += self._weight * answer.total_reward
        self._weight *= answer.discount
