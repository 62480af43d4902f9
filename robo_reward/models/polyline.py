"""How far a point has come along a polyline of way points, and how its uncertainty becomes that of the way."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

Weighting = Literal["segments", "arc_length"]
"""What a segment is worth: all the same (1/K each), or its share of the polyline's length."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class AlongPolyline:
    """Where points are along a polyline; NaN, and segment −1, where the point is not known or no segment is allowed."""

    potential: Float64[Tensor, "*batch"]
    """Share of the way, in [0, 1]."""
    segment: Int64[Tensor, "*batch"]
    """Index k* of the nearest segment."""
    distance: Float64[Tensor, "*batch"]
    """From the point to the polyline [m]."""
    away: Float64[Tensor, "*batch 3"]
    """From the polyline's nearest point to the point [m]."""
    gradient: Float64[Tensor, "*batch 3"]
    """∂Φ/∂p along segment k* without the clamp at its ends [1/m]."""


def polyline_potential(
    point: Float64[Tensor, "*batch 3"],
    way: Float64[Tensor, "*way vertex 3"],
    *,
    share: Float64[Tensor, " segment"],
    allowed: Bool[Tensor, "*batch segment"] | None = None,
) -> AlongPolyline:
    """Give how far each point has come along the polyline w_0 … w_K.

        t_k = clamp(⟨p − w_k, w_{k+1} − w_k⟩ / ‖w_{k+1} − w_k‖², 0, 1)
        k*  = argmin_k ‖p − (w_k + t_k (w_{k+1} − w_k))‖,   the smallest of equals
        Φ   = Σ_{k<k*} share_k + t_{k*} share_{k*}

    With share_k = 1/K this is (k* + t)/K. Products and sums of single numbers only: a point gets the same bits alone
    and among others. A segment without length has t = 0.

    Args:
        point: p [m]; NaN where unknown.
        way: Vertices [m]; leading axes are broadcast against those of `point`.
        share: What each segment is worth; see `segment_shares`.
        allowed: Segments that may be the nearest one; None = all.

    Raises:
        ValueError: Fewer than two vertices, or another number of shares than segments.

    Source:
        Reconstruction of the dense reward of Lee et al. 2025 (KAGI, 2407.10341), whose formula is not public.

    Example:
        >>> way = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=torch.float64)
        >>> half = torch.full((2,), 0.5, dtype=torch.float64)
        >>> polyline_potential(torch.tensor([[1.2, 0.5, 0]]).double(), way, share=half).potential
        tensor([0.7500], dtype=torch.float64)
    """
    if way.shape[-2] < 2 or share.shape[0] != way.shape[-2] - 1:
        raise ValueError(f"a way needs at least 2 vertices and a share per segment, got {way.shape[-2]}, {len(share)}")
    start, direction = way[..., :-1, :], way[..., 1:, :] - way[..., :-1, :]
    away = point[..., None, :] - start
    length2 = _dot(direction, direction)
    inverse = torch.where(length2 > 0, 1 / length2.clamp(min=1e-300), 0.0)
    part = (_dot(away, direction) * inverse).clamp(0, 1)
    off = away - part[..., None] * direction
    distance2 = _dot(off, off)
    if allowed is not None:
        distance2 = torch.where(allowed, distance2, torch.inf)
    nearest, segment = _first_minimum(distance2)
    known = torch.isfinite(nearest)
    before = torch.cat([share.new_zeros(1), share.cumsum(0)[:-1]])
    potential = before[segment] + _at(part, segment) * share[segment]
    slope = (direction * inverse[..., None]).expand(*part.shape, 3)
    return AlongPolyline(
        potential=torch.where(known, potential, torch.nan).clamp(0, 1),
        segment=torch.where(known, segment, -1),
        distance=torch.where(known, nearest, torch.nan).sqrt(),
        away=torch.where(known[..., None], _row(off, segment), torch.nan),
        gradient=torch.where(known[..., None], _row(slope, segment) * share[segment][..., None], torch.nan),
    )


def segment_shares(
    way: Float64[Tensor, "vertex 3"], *, weighting: Weighting, last_step: bool = False
) -> Float64[Tensor, " segment"]:
    """Give what each segment of a way is worth; together 1, or K/(K+1) where a last step follows that is no motion.

    Raises:
        ValueError: An unknown weighting, or a way without length by arc length.
    """
    if weighting not in get_args(Weighting):
        raise ValueError(f"weighting must be one of {', '.join(get_args(Weighting))}; got {weighting!r}")
    num_segments = way.shape[0] - 1
    whole = num_segments / (num_segments + 1) if last_step else 1.0
    if weighting == "segments":
        return torch.full((num_segments,), whole / num_segments, dtype=torch.float64)
    length = (way[1:] - way[:-1]).square().sum(dim=-1).sqrt()
    if not float(length.sum()) > 0:
        raise ValueError("the way has no length: its vertices are all the same point")
    return whole * length / length.sum()


def spread_along(
    gradient: Float64[Tensor, "*batch 3"], covariance: Float64[Tensor, "*batch 3 3"]
) -> Float64[Tensor, "*batch"]:
    """Give one standard deviation of Φ from the covariance of the point, to first order.

        σ_Φ² = gᵀ Σ g,   g = ∂Φ/∂p along the nearest segment

    The clamp at the ends of a segment can only make it smaller, so beyond an end this is an upper bound.

    Args:
        gradient: g [1/m].
        covariance: Σ [m²].
    """
    total = torch.zeros_like(gradient[..., 0])
    for row in range(3):
        for column in range(3):
            total = total + gradient[..., row] * covariance[..., row, column] * gradient[..., column]
    return total.clamp(min=0).sqrt()


def length_of(vectors: Float64[Tensor, "*batch 3"]) -> Float64[Tensor, "*batch"]:
    """Give the length of each vector, its squares added in a fixed order."""
    return _dot(vectors, vectors).sqrt()


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """⟨one, other⟩ over three coordinates, added in a fixed order."""
    product = one * other
    return product[..., 0] + product[..., 1] + product[..., 2]


def _first_minimum(values: Tensor) -> tuple[Tensor, Tensor]:
    """The least value along the last axis and the first index where it stands; torch's own argmin takes any of them."""
    least = values.amin(dim=-1)
    is_least = values == least[..., None]
    first = (is_least.cumsum(dim=-1) == 0).sum(dim=-1)
    return least, first.clamp(max=values.shape[-1] - 1)


def _at(values: Tensor, index: Tensor) -> Tensor:
    return values.gather(-1, index[..., None])[..., 0]


def _row(vectors: Tensor, index: Tensor) -> Tensor:
    return vectors.gather(-2, index[..., None, None].expand(*index.shape, 1, 3))[..., 0, :]
