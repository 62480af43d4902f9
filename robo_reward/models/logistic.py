"""Weighted logistic regression with a ridge, in closed steps: the same data give the same numbers."""

import torch
from jaxtyping import Float64
from torch import Tensor

STEPS = 50
TOLERANCE = 1e-9


def fit_logistic(
    rows: Float64[Tensor, "row feature"],
    target: Float64[Tensor, " row"],
    *,
    weight: Float64[Tensor, " row"],
    ridge: float,
) -> tuple[Float64[Tensor, " feature"], float]:
    """Fit log-odds that are linear in the features by damped Newton steps.

        minimise over (w, b): Σ_i v_i · H(y_i, σ(w·x_i + b)) / Σ_i v_i + ½ · ridge · ‖w‖²,   H the cross-entropy

    Args:
        rows: x, one per observation.
        target: y, in [0, 1]; soft targets are allowed.
        weight: v, ≥ 0.
        ridge: > 0: without it, classes that can be separated have no best w.

    Returns:
        w and b.

    Raises:
        ValueError: No row, or a ridge that is not positive.
    """
    if len(rows) == 0 or not ridge > 0:
        raise ValueError(f"rows and a ridge > 0 are needed, got {len(rows)} rows and ridge {ridge:g}")
    share = weight / weight.sum()
    features = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
    penalty = torch.full((features.shape[1],), ridge, dtype=torch.float64)
    penalty[-1] = 1e-9  # the offset is free, but stays finite where all targets are equal
    found = torch.zeros(features.shape[1], dtype=torch.float64)
    loss = _loss(features, target, share, penalty, found)
    for _ in range(STEPS):
        probability = torch.sigmoid(features @ found)
        gradient = features.T @ (share * (probability - target)) + penalty * found
        curvature = share * probability * (1 - probability)
        hessian = (features * curvature[:, None]).T @ features + torch.diag(penalty + 1e-12)
        step = torch.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-6 and _loss(features, target, share, penalty, found - size * step) > loss:
            size /= 2
        found = found - size * step
        before, loss = loss, _loss(features, target, share, penalty, found)
        if before - loss < TOLERANCE:
            break
    return found[:-1], float(found[-1])


def cross_entropy(
    log_odds: Float64[Tensor, " row"], target: Float64[Tensor, " row"], *, weight: Float64[Tensor, " row"]
) -> float:
    """Give the weighted mean of −y·log p − (1 − y)·log(1 − p), p = σ(log-odds)."""
    each = torch.nn.functional.softplus(log_odds) - target * log_odds
    return float((weight * each).sum() / weight.sum())


def _loss(features: Tensor, target: Tensor, share: Tensor, penalty: Tensor, found: Tensor) -> float:
    log_odds = features @ found
    each = torch.nn.functional.softplus(log_odds) - target * log_odds
    return float((share * each).sum() + 0.5 * (penalty * found * found).sum())
