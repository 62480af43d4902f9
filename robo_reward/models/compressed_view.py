"""One camera's embeddings in the few directions in which its frames differ most."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

MOST_FRAMES = 400
"""Frames that directions are found from, at most; evenly spread over the recordings."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class CompressedView:
    """Principal coordinates of embeddings, scaled to a mean square length of 1 on what they were fitted to.

    z = basis · (x − centre)
    """

    centre: Float[Tensor, " dim"]
    basis: Float[Tensor, "rank dim"]

    def __call__(self, rows: Float[Tensor, "*frame dim"]) -> Float64[Tensor, "*frame rank"]:
        """Give the coordinates of each row, one at a time: the same bits alone and among others; NaN stays NaN."""
        flat = rows.reshape(-1, rows.shape[-1]).float()
        # products and sums over one frame, not a matrix product: those change bits with the number of frames
        found = [(self.basis * (row.clone() - self.centre)).sum(dim=-1).double() for row in flat]
        together = torch.stack(found) if found else torch.zeros(0, len(self.basis), dtype=torch.float64)
        return together.reshape(*rows.shape[:-1], len(self.basis))


def fit_compressed_view(episodes: Sequence[Float[Tensor, "_time dim"]], *, rank: int) -> CompressedView:
    """Find the principal directions of a camera's frames from their Gram matrix; NaN rows are left out.

    Args:
        episodes: Embeddings, one episode each; at least two frames in all.
        rank: Directions at most, ≥ 1; fewer where the frames span fewer.

    Raises:
        ValueError: Fewer than two frames, or a rank below 1.
    """
    rows = torch.cat([episode[~episode[:, 0].isnan()] for episode in episodes])
    if len(rows) < 2 or rank < 1:
        raise ValueError(f"at least two frames and a rank >= 1 are needed, got {len(rows)} frames and rank {rank}")
    if len(rows) > MOST_FRAMES:
        rows = rows[torch.linspace(0, len(rows) - 1, MOST_FRAMES).round().long()]
    rows = rows.float()
    centre = rows.mean(dim=0)
    centred = rows - centre
    values, vectors = torch.linalg.eigh((centred @ centred.T).double())
    most = min(rank, rows.shape[1])
    # the smallest of them are rounding of single precision
    keep = values.flip(0)[:most] > 1e-6 * values[-1].clamp(min=1e-12)
    basis = vectors.flip(1)[:, :most][:, keep].T.float() @ centred
    basis = basis / (basis * basis).sum(dim=-1, keepdim=True).sqrt().clamp(min=1e-12)
    scale = (centred @ basis.T).square().sum(dim=-1).mean().sqrt().clamp(min=1e-12)
    return CompressedView(centre=centre, basis=basis / scale)
