"""The one seam: a `RewardModel` says how far along its task each frame is, and how sure it is."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from robo_reward.clip import Clip


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Estimate:
    """Progress of each frame and its uncertainty.

    Raises:
        ValueError: Shapes differ, a progress outside [0, 1], a negative spread, or a spread without progress.
    """

    progress: Float[Tensor, "batch time"]
    """Fraction of the task done, in [0, 1]; NaN where the model abstains."""
    spread: Float[Tensor, "batch time"]
    """One standard deviation of progress; NaN = the model abstains."""

    def __post_init__(self) -> None:
        if self.progress.ndim != 2 or self.progress.shape != self.spread.shape:
            raise ValueError(
                "progress and spread must both be (batch, time), got "
                f"{tuple(self.progress.shape)} and {tuple(self.spread.shape)}"
            )
        known = ~self.abstained
        progress, spread = self.progress[known], self.spread[known]
        if bool(((progress < 0) | (progress > 1) | progress.isnan()).any()):
            raise ValueError(f"progress must be in [0, 1], got [{progress.min():g}, {progress.max():g}]")
        if bool((spread < 0).any()):
            raise ValueError(f"spread must be >= 0, got {spread.min():g}")
        if not bool(self.progress[self.abstained].isnan().all()):
            raise ValueError("progress must be NaN where spread is NaN: an abstention has no progress")

    @property
    def abstained(self) -> Bool[Tensor, "batch time"]:
        """True where the model does not say."""
        return self.spread.isnan()


@runtime_checkable
class RewardModel(Protocol):
    """Says how far along its task each frame is. Bound to one task when built; causal.

    `estimate(clip).progress[:, t]` depends on frames up to t only, and on no more than the last `context` of them.
    """

    @property
    def version(self) -> str:
        """Identifies weights, task and settings: models of equal version give equal estimates."""
        ...

    @property
    def context(self) -> int | None:
        """How many of the latest frames an estimate depends on; None = all since the episode began."""
        ...

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        ...


@runtime_checkable
class RecurrentRewardModel(RewardModel, Protocol):
    """A reward model that carries what it needs of earlier frames along, so that it never looks at them again.

    Estimating an episode piece by piece equals estimating it whole, bit for bit; `context` is None.
    """

    def resume(self, seen: Any, memory: Any | None) -> tuple[Estimate, Any]:
        """Estimate the next frames of an episode.

        Args:
            seen: A `Clip`, or an `EmbeddedClip` for a model that looks through an encoder.
            memory: What the call before this one gave; None at the start of an episode.

        Returns:
            The estimate of these frames, and the memory for the next call.
        """
        ...
