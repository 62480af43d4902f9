"""The few directions in which good pictures of several cameras differ: a small space to measure strangeness in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

RANK = 32
"""Directions that are kept, at most."""
MOST_ROWS = 200
"""Reference rows that are kept of each camera, at most."""
SHRINKAGE = 0.1
"""Part of the mean variance that is added to each direction's before dividing by it."""
FRAMES_AT_ONCE = 64
"""Distances are taken in parts: memory stays small on long recordings."""
CLOSEST = 1e-6
"""Distances below count as this: the logarithm of a reference row's distance to itself must be finite."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class CameraSpace:
    """Whitened principal directions of unit-norm embeddings, and each camera's reference rows in them.

        y = x / ‖x‖ − centre,   z = whitening · basis · y,   residual = √(‖y‖² − ‖basis · y‖²)

    Pictures are compared by direction, not by length: a uniform picture has a short feature map, which would lie
    close to everything. One frame is projected at a time: it gets the same bits alone and in a batch.
    """

    centre: Float[Tensor, " dim"]
    basis: Float[Tensor, "rank dim"]
    """Orthonormal rows."""
    whitening: Float64[Tensor, "rank rank"]
    references: Sequence[Float[Tensor, "_rows rank"]]
    """Of each camera, whitened."""
    blanks: Float[Tensor, "_blank rank"]
    """Of pictures that show nothing, whitened; none where nobody gave any."""

    @property
    def weights(self) -> dict[str, Tensor]:
        """The tensors that `from_weights` rebuilds the space from."""
        banks = {f"references.{number}": bank for number, bank in enumerate(self.references)}
        fixed = {"centre": self.centre, "basis": self.basis, "whitening": self.whitening, "blanks": self.blanks}
        return fixed | banks

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor], *, num_cameras: int) -> "CameraSpace":
        """Rebuild a space exactly.

        Raises:
            KeyError: A tensor is missing.
        """
        return cls(
            centre=weights["centre"],
            basis=weights["basis"],
            whitening=weights["whitening"],
            references=[weights[f"references.{number}"] for number in range(num_cameras)],
            blanks=weights["blanks"],
        )

    def project(
        self, rows: Float[Tensor, "frame dim"]
    ) -> tuple[Float[Tensor, "frame rank"], Float64[Tensor, " frame"]]:
        """Give whitened coordinates and what lies outside the space; NaN stays NaN."""
        flat = [self._project_one(row) for row in rows]
        if not flat:
            return torch.zeros(0, len(self.basis)), torch.zeros(0, dtype=torch.float64)
        return torch.stack([one[0] for one in flat]), torch.stack([one[1] for one in flat])

    def log_distances(self, coordinates: Float[Tensor, "frame rank"]) -> Float64[Tensor, "frame bank"]:
        """Give the logarithm of the distance to the nearest row of each camera, then of the blanks if there are any."""
        banks = [*self.references, *([self.blanks] if len(self.blanks) else [])]
        parts = [
            torch.stack([_nearest(part, bank) for bank in banks], dim=-1) for part in coordinates.split(FRAMES_AT_ONCE)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, len(banks), dtype=torch.float64)

    def _project_one(self, row: Tensor) -> tuple[Tensor, Tensor]:
        unit = _unit(row.float().clone()) - self.centre
        # products and sums over one frame, not a matrix product: those change bits with the number of frames
        inside = (self.basis * unit).sum(dim=-1).double()
        outside = (unit * unit).sum().double() - (inside * inside).sum()
        return (self.whitening * inside).sum(dim=-1).float(), outside.clamp(min=0).sqrt()


def fit_space(
    rows: Sequence[Float[Tensor, "_frame dim"]], *, blanks: Float[Tensor, "_blank dim"] | None = None
) -> CameraSpace:
    """Fit a space to good frames of each camera; memory grows with frames × dim, never with dim².

    Args:
        rows: Of each camera, without NaN, at least one; evenly thinned out to MOST_ROWS.
        blanks: Embeddings of pictures that show nothing.
    """
    units = [_unit(thinned(each, MOST_ROWS).float()) for each in rows]
    shown = [] if blanks is None else [_unit(blanks.float())]
    together = torch.cat([*units, *shown])
    centre = together.mean(dim=0)
    basis = _principal(together - centre)
    inside = [(unit - centre) @ basis.T for unit in units]
    whitening = _whitening([each.double() for each in inside])
    bare = CameraSpace(centre=centre, basis=basis, whitening=whitening, references=[], blanks=whitening[:0].float())
    return CameraSpace(
        centre=centre,
        basis=basis,
        whitening=whitening,
        references=[bare.project(unit)[0] for unit in units],
        blanks=bare.project(shown[0] if shown else together[:0])[0],
    )


def thinned(rows: Float[Tensor, "_frame dim"], most: int) -> Float[Tensor, "_kept dim"]:
    """Keep at most so many rows, evenly spread over all."""
    if len(rows) <= most:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, most).round().long()]


def _unit(rows: Tensor) -> Tensor:
    return rows / (rows * rows).sum(dim=-1, keepdim=True).sqrt().clamp(min=1e-12)


def _principal(centred: Tensor) -> Tensor:
    """Principal directions by way of the frames' Gram matrix: few frames, long rows."""
    values, vectors = torch.linalg.eigh((centred @ centred.T).double())
    rank = min(RANK, centred.shape[1])
    keep = values.flip(0)[:rank] > 1e-6 * values[-1].clamp(min=1e-12)  # the rest is rounding of single precision
    vectors = vectors.flip(1)[:, :rank][:, keep]
    basis = vectors.T.float() @ centred
    return basis / (basis * basis).sum(dim=-1, keepdim=True).sqrt().clamp(min=1e-12)


def _whitening(inside: Sequence[Float64[Tensor, "_frame rank"]]) -> Float64[Tensor, "rank rank"]:
    """Divide by how far one camera's good pictures spread, so that what differs between cameras counts most."""
    centred = torch.cat([each - each.mean(dim=0) for each in inside])
    covariance = centred.T @ centred / len(centred)
    floor = SHRINKAGE * covariance.diagonal().mean().clamp(min=1e-9)
    values, vectors = torch.linalg.eigh(covariance + floor * torch.eye(len(covariance), dtype=torch.float64))
    return (vectors / values.sqrt()).T.contiguous()


def _nearest(coordinates: Tensor, bank: Tensor) -> Tensor:
    difference = coordinates[:, None].double() - bank.double()
    return (difference * difference).sum(dim=-1).sqrt().amin(dim=-1).clamp(min=CLOSEST).log()
