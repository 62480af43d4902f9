"""What reward models are fitted to, and how they tell of it while they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32
from torch import Tensor

from robo_reward.perception.encoder import EmbeddedClip, EmbeddingRewardModel


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LabelledClip:
    """A recorded episode as a model learns from it: what the encoder saw, and what is known of how far it got.

    Raises:
        ValueError: More than one episode in the clip, a progress of another length or outside [0, 1].
    """

    clip: EmbeddedClip
    """One episode: a batch axis of 1."""
    success: bool | None
    """Whether the task was done at the end; True for a demonstration, None where nobody said."""
    progress: Float32[Tensor, " time"] | None = None
    """Fraction of the task done at each frame, in [0, 1], from key frames or a person; NaN where unknown."""

    def __post_init__(self) -> None:
        if self.clip.stamp.shape[0] != 1:
            raise ValueError(f"a labelled clip holds one episode, got a batch of {self.clip.stamp.shape[0]}")
        if self.progress is None:
            return
        if tuple(self.progress.shape) != (self.num_frames,):
            raise ValueError(f"progress must be (time={self.num_frames},), got {tuple(self.progress.shape)}")
        known = self.progress[~self.progress.isnan()]
        if bool(((known < 0) | (known > 1)).any()):
            raise ValueError(f"progress must be in [0, 1], got [{known.min():g}, {known.max():g}]")

    @property
    def num_frames(self) -> int:
        """Number of frames of the episode."""
        return int(self.clip.stamp.shape[1])

    @property
    def target(self) -> Float32[Tensor, " time"]:
        """Progress as far as it is known: the labels; without them the fraction of time passed, if it succeeded."""
        if self.progress is not None:
            return self.progress
        if self.success:
            return torch.linspace(0, 1, self.num_frames)
        return torch.full((self.num_frames,), float("nan"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FitProgress:
    """How far a fit is."""

    epoch: int
    """Epochs done, from 1."""
    epochs: int
    """Epochs at most; early stopping may end before."""
    training_error: float
    """What the fit lowers, on what it learns from."""
    held_out_error: float
    """The same on what it does not learn from; NaN where there is nothing to hold out."""


OnEpoch = Callable[[FitProgress], None]


def silently(progress: FitProgress) -> None:
    """Tell nobody."""


@runtime_checkable
class FittableRewardModel(EmbeddingRewardModel, Protocol):
    """A reward model that recorded episodes of its task make better, and that plain data and tensors rebuild.

    `type(model)(encoder, **model.settings)`, with `weights=model.weights` where there are any, is the same model:
    equal version, equal estimates.
    """

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        ...

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """What the fit learned beside the settings; empty before it, or where settings say all."""
        ...

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "FittableRewardModel":
        """Give the model fitted to episodes of its task; the same clips give the same model, bit for bit.

        Raises:
            ValueError: Clips that the model cannot learn from: none that succeeded, too short, of other cameras.
        """
        ...
