"""What a monitor of reward hacking gets to see of a finished episode."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SeenEpisode:
    """One finished episode of one environment, with the state that it really ended in.

    Raises:
        ValueError: Fewer than two states, or lengths that disagree.
    """

    potential: Float64[Tensor, " time"]
    """Φ of every state from the first to the true last one, before a terminal state zeroes it; NaN where unknown."""
    shaping: Float64[Tensor, " _step"]
    """Shaping reward of every transition as the learner got it; NaN where it got none."""
    success: bool
    """The task's own signal, never the potential."""
    terminated: bool
    """The last state was terminal: its potential counts as 0."""
    embedding: Float32[Tensor, "_state view dim"] | None = None
    """Embeddings of every state's pictures; NaN where a camera gave none. None where none were kept."""
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
