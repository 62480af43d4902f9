"""A few numbers per frame instead of thousands: the directions in which demonstrations vary most."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

MOST_FRAMES = 600
"""Frames that directions are taken from; of more, evenly spaced ones."""
SMALLEST_SHARE = 1e-9
"""Directions of less than this share of the variance are rounding."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FrameBasis:
    """Principal directions of demonstrations' frames.

    Raises:
        ValueError: Shapes that disagree.
    """

    mean: Float32[Tensor, " dim"]
    direction: Float32[Tensor, "direction dim"]
    """Orthonormal."""

    def __post_init__(self) -> None:
        if self.direction.shape[1] != len(self.mean):
            raise ValueError(f"direction must be (direction, {len(self.mean)}), got {tuple(self.direction.shape)}")

    @classmethod
    def fit(cls, frames: Sequence[Float32[Tensor, "_time dim"]], *, num_directions: int) -> "FrameBasis":
        """Take the directions of largest variance over all frames, from the frames' inner products.

        Features are not standardised: those of a network's last maps that move most tell most, and to blow up the
        others to the same size makes two recordings of one scene look far apart.

        Raises:
            ValueError: No direction wanted, or frames that are all alike.
        """
        if num_directions < 1:
            raise ValueError(f"num_directions must be at least 1, got {num_directions}")
        share = max(1, -(-sum(len(each) for each in frames) // MOST_FRAMES))
        some = torch.cat([each[::share] for each in frames])
        mean = some.mean(dim=0)
        centred = some - mean
        power, coordinate = torch.linalg.eigh((centred @ centred.T).to(torch.float64))
        used = (power > SMALLEST_SHARE * power.sum()).nonzero().flatten().flip(0)[:num_directions]
        if len(used) == 0:
            raise ValueError("the frames are all alike: there is no direction in which they vary")
        direction = (coordinate[:, used] / power[used].sqrt()).T.float() @ centred
        return cls(mean=mean, direction=direction)

    def compress(
        self, embedding: Float[Tensor, "time dim"]
    ) -> tuple[Float64[Tensor, "time direction"], Float64[Tensor, " time"]]:
        """Give each frame's coordinates, and its squared distance from all that the directions span; NaN stays NaN."""
        coordinate = torch.full((len(embedding), len(self.direction)), torch.nan, dtype=torch.float64)
        beside = torch.full((len(embedding),), torch.nan, dtype=torch.float64)
        for frame in (~embedding[:, 0].isnan()).nonzero().flatten().tolist():
            offset = embedding[frame] - self.mean
            # one product of the same shape per frame: in a batch of another size its last bits would be others
            coordinate[frame] = torch.mv(self.direction, offset).to(torch.float64)
            beside[frame] = (offset * offset).sum().to(torch.float64) - coordinate[frame].square().sum()
        return coordinate, beside.clamp(min=0)
