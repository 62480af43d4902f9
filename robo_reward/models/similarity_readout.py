"""From raw similarities to progress: a linear read-out per camera, fitted to a few demonstrations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths of regularisation that are tried; the first is nearly plain least squares."""
SINGLE_RIDGE = 1e-2
"""Taken where there is one demonstration only, and none to try on."""
SMALLEST_RESIDUAL = 0.01
"""A camera is never trusted further than this, however well it fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityReadout:
    """A camera's progress as a linear function of its raw similarities.

        progress = limited to [0, 1]: offset + Σ_k weight_k · similarity_k

    Raises:
        ValueError: No weight, one that is not finite, or a residual that is not positive.
    """

    weight: Sequence[float]
    """Of the goal-baseline similarity, then of the cosine to each goal prompt, then to each baseline prompt."""
    offset: float
    residual: float
    """Root mean square error of progress on demonstrations that were left out of the fit, > 0."""

    def __post_init__(self) -> None:
        if not self.weight or not all(math.isfinite(number) for number in (*self.weight, self.offset)):
            raise ValueError(f"weight and offset must be finite numbers, got {list(self.weight)} and {self.offset}")
        if not (math.isfinite(self.residual) and self.residual > 0):
            raise ValueError(f"residual must be > 0 and finite, got {self.residual}")

    def __call__(self, similarity: Float64[Tensor, "*batch prompt"]) -> Float64[Tensor, "*batch"]:
        """Give the progress of each row of similarities; NaN stays NaN."""
        progress = torch.full_like(similarity[..., 0], self.offset)
        for column, weight in zip(similarity.unbind(dim=-1), self.weight, strict=True):
            progress = progress + weight * column  # in this order for one frame and for many: the same bits
        return progress.clamp(0, 1)


def fit_readout(camera: str, demonstrations: Sequence[Float64[Tensor, "_time prompt"]]) -> SimilarityReadout:
    """Fit a camera's read-out to successful demonstrations by ridge regression on the fraction of time passed.

    Similarities are standardised; the strength of the ridge is the one that errs least on demonstrations left out one
    at a time, and that error is the residual. With one demonstration the strength is fixed and the residual is the
    error on each half of it, fitted on the other.

    Args:
        camera: For messages.
        demonstrations: Raw similarities, oldest frame first; frames of NaN (no picture) are left out.

    Raises:
        ValueError: A demonstration with fewer than two frames.
    """
    rows, target = [], []
    for demonstration in demonstrations:
        seen = ~demonstration.isnan().any(dim=-1)
        if int(seen.sum()) < 2:
            raise ValueError(f"camera '{camera}': a demonstration needs at least two frames")
        rows.append(demonstration[seen])
        target.append(torch.linspace(0, 1, len(demonstration), dtype=torch.float64)[seen])
    ridges = RIDGES if len(rows) > 1 else (SINGLE_RIDGE,)
    parts = list(zip(rows, target, strict=True)) if len(rows) > 1 else _halves(rows[0], target[0])
    errors = {ridge: _left_out_error(parts, ridge) for ridge in ridges}
    best = min(errors, key=errors.__getitem__)
    weight, offset = _ridge(torch.cat(rows), torch.cat(target), best)
    return SimilarityReadout(
        weight=tuple(weight.tolist()), offset=offset, residual=max(errors[best], SMALLEST_RESIDUAL)
    )


def _left_out_error(parts: Sequence[tuple[Tensor, Tensor]], ridge: float) -> float:
    squares = []
    for left_out, (rows, target) in enumerate(parts):
        others = [part for number, part in enumerate(parts) if number != left_out]
        weight, offset = _ridge(torch.cat([part[0] for part in others]), torch.cat([part[1] for part in others]), ridge)
        squares.append(((rows @ weight + offset).clamp(0, 1) - target).square())
    return float(torch.cat(squares).mean().sqrt())


def _halves(rows: Tensor, target: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Every second frame: both halves span the whole task."""
    return [(rows[0::2], target[0::2]), (rows[1::2], target[1::2])]


def _ridge(rows: Tensor, target: Tensor, ridge: float) -> tuple[Tensor, float]:
    """Weights and offset for similarities as they come, fitted to standardised ones."""
    mean, scale = rows.mean(dim=0), rows.std(dim=0, correction=0).clamp(min=1e-9)
    standard = (rows - mean) / scale
    gram = standard.T @ standard + ridge * len(rows) * torch.eye(rows.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(gram, standard.T @ (target - target.mean())) / scale
    return weight, float(target.mean() - weight @ mean)
