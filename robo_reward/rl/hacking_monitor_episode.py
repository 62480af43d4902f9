"""What a monitor of reward hacking gets to see of a finished episode."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SeenEpisode:
    """One finished episode of one environment, with the state that it really ended in.

    Raises:
        ValueError: Fewer than two states, or lengths or numbers of views that disagree.
    """

    potential: Float64[Tensor, " time"]
    """Φ of every state from the first to the true last one, before a terminal state zeroes it; NaN where unknown."""
    shaping: Float64[Tensor, " _step"]
    """Shaping reward of every transition as the learner got it; NaN where it got none."""
    success: bool | None
    """The task's own signal, never the potential; None where nobody tells."""
    terminated: bool
    """The last state was terminal: its potential counts as 0."""
    embedding: Float32[Tensor, "_state view dim"] | None = None
    """Embeddings of every state's pictures; NaN where a camera gave none. None where none were kept."""
    cameras: tuple[str, ...] | None = None
    """Names of the views of `embedding`; None where nobody knows."""
    moved: Bool[Tensor, " _step"] | None = None
    """True where anything that the cameras could see changed. None where nobody knows."""

    def __post_init__(self) -> None:
        num_states = len(self.potential)
        if num_states < 2:
            raise ValueError(f"an episode needs at least two states, got {num_states}")
        for name, given, wanted in (
            ("shaping", self.shaping, num_states - 1),
            ("embedding", self.embedding, num_states),
            ("moved", self.moved, num_states - 1),
        ):
            if given is not None and len(given) != wanted:
                raise ValueError(f"{name} must have {wanted} rows beside {num_states} potentials, got {len(given)}")
        if self.embedding is not None and self.cameras is not None and self.embedding.shape[1] != len(self.cameras):
            raise ValueError(f"embedding has {self.embedding.shape[1]} views of cameras {list(self.cameras)}")

    def views(self, cameras: Sequence[str] | None) -> Float32[Tensor, "_state view dim"] | None:
        """Give embeddings in the order of these cameras, NaN for those that the episode does not have.

        Args:
            cameras: Names; where they, or the episode's own, are not known the views come as they are.
        """
        if self.embedding is None or self.cameras is None or cameras is None or tuple(cameras) == self.cameras:
            return self.embedding
        absent = torch.full_like(self.embedding[:, 0], torch.nan)
        own = dict(zip(self.cameras, self.embedding.unbind(dim=1), strict=True))
        return torch.stack([own.get(camera, absent) for camera in cameras], dim=1)

    @property
    def surplus(self) -> float:
        """What shaping paid beyond net progress: Σ F − (Φ_end − Φ_0), where Φ_end = 0 if terminated.

        By the law of shaping with Φ ≥ 0 it is −(1 − γ) Σ Φ ≤ 0 whatever the policy does. NaN where no potential is
        known.
        """
        known = self.potential[~self.potential.isnan()]
        if len(known) == 0:
            return float("nan")
        end = 0.0 if self.terminated else float(known[-1])
        return float(torch.nansum(self.shaping)) - (end - float(known[0]))
