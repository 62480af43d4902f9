"""How much of the demonstrations an episode follows in their order: what optimal transport cannot see."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from robo_reward.models.optimal_transport import METRICS, frame_distance


def longest_increasing(matches: Sequence[int]) -> int:
    """Give the length of the longest strictly increasing subsequence.

    Strictly, as an episode that stands still matches the same frame of the demonstration over and over.

    Example:
        >>> longest_increasing([0, 1, 2, 2, 1, 3])
        4
    """
    smallest_end: list[int] = []  # of the increasing subsequences of each length
    for match in matches:
        place = bisect_left(smallest_end, match)
        smallest_end[place : place + 1] = [match]
    return len(smallest_end)


def followed_in_order(
    episode: Float[Tensor, "time dim"], demonstration: Float[Tensor, "expert dim"], *, metric: str
) -> int:
    """Count the frames of the demonstration that the episode passes in their order, as nearest neighbours."""
    nearest = frame_distance(episode, demonstration, metric=metric).argmin(dim=1)
    return longest_increasing(nearest.tolist())


def discount_from_progress(progress: int, *, alpha: float = 0.2) -> float:
    """Give the discount that looks about as far ahead as the policy has come.

        γ = α^{1/k}

    A reward k steps ahead counts α. Shaping must read γ where it is used: a potential difference made with another γ
    changes the task.

    Args:
        progress: Frames that the policy follows (k), from 1.
        alpha: What a reward k steps ahead counts, in (0, 1).

    Raises:
        ValueError: Progress below 1, alpha outside (0, 1).

    Source:
        Adaptive discount scheduling (2310.07433), α = 0.2.

    Example:
        >>> round(discount_from_progress(50), 4)
        0.9683
    """
    if progress < 1:
        raise ValueError(f"progress must be at least 1 frame, got {progress}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
    return alpha ** (1 / progress)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ProgressRecogniser:
    """Up to which frame a policy under training follows the demonstrations.

    An episode raises the progress k by one while its first k frames follow the demonstrations' first k about as far as
    these follow each other:

        P90_d LIS(argmin_j C(episode, d)[:k, :k]) ≥ ⌊share · P50_{d≠e} LIS(argmin_j C(d, e)[:k, :k])⌋

    and at most `most_at_once` times. The recogniser is a value: `after(episode)` gives the next one.

    Raises:
        ValueError: Fewer than two demonstrations, an unknown metric, a progress outside the demonstrations, a share
            outside (0, 1].

    Source:
        Adaptive discount scheduling (2310.07433) and its code.
    """

    demonstrations: Sequence[Float[Tensor, "_expert dim"]]
    """Embeddings; lengths may differ, frames beyond a demonstration's end are left out."""
    progress: int
    """Frames that the policy follows (k), from 1; the published code starts at a fifth of the horizon."""
    metric: str = "cosine"
    share: float = 0.9
    most_at_once: int = 5

    def __post_init__(self) -> None:
        if len(self.demonstrations) < 2:
            raise ValueError(f"at least two demonstrations are compared, got {len(self.demonstrations)}")
        if self.metric not in METRICS:
            raise ValueError(f"metric must be one of {list(METRICS)}, got {self.metric!r}")
        if not 1 <= self.progress <= self.horizon:
            raise ValueError(f"progress must be in [1, {self.horizon}], got {self.progress}")
        if not (0 < self.share <= 1 and self.most_at_once >= 1):
            raise ValueError(f"share must be in (0, 1] and most_at_once >= 1, got {self.share}, {self.most_at_once}")

    @property
    def horizon(self) -> int:
        """Length of the longest demonstration [frames]."""
        return max(len(each) for each in self.demonstrations)

    def discount(self, *, alpha: float = 0.2) -> float:
        """Give the discount of the present progress, as `discount_from_progress`."""
        return discount_from_progress(self.progress, alpha=alpha)

    def after(self, episode: Float[Tensor, "time dim"]) -> "ProgressRecogniser":
        """Give the recogniser that has seen one more episode."""
        progress = self.progress
        for _ in range(self.most_at_once):
            if progress >= min(self.horizon, len(episode)) or not self._follows(episode, progress):
                break
            progress += 1
        return replace(self, progress=progress)

    def _follows(self, episode: Tensor, stop: int) -> bool:
        match = [followed_in_order(episode[:stop], each[:stop], metric=self.metric) for each in self.demonstrations]
        among = [
            followed_in_order(one[:stop], other[:stop], metric=self.metric)
            for number, one in enumerate(self.demonstrations)
            for another, other in enumerate(self.demonstrations)
            if number != another
        ]
        wanted = int(self.share * float(np.percentile(among, 50)))
        return float(np.percentile(match, 90)) >= wanted
