"""The settings of the fit of a process head."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How a process head is fitted.

    Raises:
        ValueError: A setting outside its range.
    """

    members: int = 12
    """Heads in the ensemble."""
    width: int = 128
    """Length of a token, a multiple of 16: other products change bits with the place in a batch."""
    components: int = 64
    """Numbers that are kept of each picture."""
    steps: int = 400
    """Optimiser steps at most."""
    patience: int = 6
    """Checks without improvement on the recording that is held out, in the second half, before stopping; one every 25
    steps. Of a single recording nothing is held out that would tell: it is learnt for all steps."""
    num_steps: int | None = 3
    """Unsupervised steps of the task that label demonstrations without key frames; None = the fraction of time. A step
    that one person waited in then counts the same as where nobody did."""
    disturbance: float = 1.0
    """How much pictures are moved at random while they are learnt, so that a layout or a light that one demonstration
    showed is not taken for the task. Hundreds of demonstrations show that themselves: 0.2 or less."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("members", "width", "components", "steps", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 0 <= self.disturbance < math.inf:
            raise ValueError(f"disturbance must be finite and >= 0, got {self.disturbance:g}")
        if self.width % 16:
            raise ValueError(f"width must be a multiple of 16, got {self.width}")
        if self.num_steps is not None and self.num_steps < 1:
            raise ValueError(f"num_steps must be >= 1 or null, got {self.num_steps}")
