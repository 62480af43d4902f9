"""Does progress rise with time: order correlations of one episode."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCorrelation:
    """How well the order of progress agrees with the order of time.

    Raises:
        ValueError: A value outside [−1, 1], or a degenerate one that is not 0.
    """

    value: float
    """In [−1, 1]: 1 = rises throughout, 0 = no order, −1 = falls throughout."""
    degenerate: bool
    """True where no order exists (fewer than two known frames, or all alike); the value is then 0 by definition."""
    num_known: int
    """Frames that the value rests on."""
    num_abstained: int
    """Frames left out because progress is NaN."""

    def __post_init__(self) -> None:
        if not -1.0 <= self.value <= 1.0:
            raise ValueError(f"an order correlation lies in [-1, 1], got {self.value:g}")
        if self.degenerate and self.value != 0.0:
            raise ValueError(f"a degenerate order correlation is 0, got {self.value:g}")


def value_order_correlation(progress: Float[Tensor, " time"]) -> OrderCorrelation:
    """Give Spearman's correlation of progress with time (VOC), ties with their average rank.

    Computed on ranks as Σ(r−r̄)(t−t̄) / √(Σ(r−r̄)²·Σ(t−t̄)²), whose sums are exact in float64: a rising episode gives
    exactly 1, and the same episode backwards exactly the opposite number.

    Args:
        progress: Progress of consecutive frames; NaN where the model abstained (left out and counted).

    Source:
        Ma et al. 2024 (GVL), eq. 4.

    Example:
        >>> value_order_correlation(torch.tensor([0.1, 0.4, 0.4, 0.9])).value > 0.9
        True
        >>> value_order_correlation(torch.tensor([0.3, 0.3, 0.3])).degenerate
        True
    """
    known, num_abstained = _known_frames(progress)
    if _has_no_order(known):
        return _degenerate(known, num_abstained)
    rank = stats.rankdata(known, method="average")
    rank -= (len(rank) + 1) / 2
    time = np.arange(len(rank)) - (len(rank) - 1) / 2
    value = float((rank * time).sum() / np.sqrt((rank * rank).sum() * (time * time).sum()))
    return OrderCorrelation(
        value=max(-1.0, min(1.0, value)), degenerate=False, num_known=len(known), num_abstained=num_abstained
    )


def kendall_order_correlation(progress: Float[Tensor, " time"]) -> OrderCorrelation:
    """Give Kendall's τ_b of progress with time: rising pairs less falling pairs, over all pairs that are not tied.

    Stricter than Spearman about many small reversals, milder about few large ones.

    Args:
        progress: Progress of consecutive frames; NaN where the model abstained (left out and counted).

    Source:
        Kendall 1945.

    Example:
        >>> round(kendall_order_correlation(torch.tensor([0.1, 0.4, 0.2])).value, 3)
        0.333
    """
    known, num_abstained = _known_frames(progress)
    if _has_no_order(known):
        return _degenerate(known, num_abstained)
    value = float(np.asarray(stats.kendalltau(np.arange(len(known)), known, variant="b"))[0])
    return OrderCorrelation(
        value=max(-1.0, min(1.0, value)), degenerate=False, num_known=len(known), num_abstained=num_abstained
    )


def _known_frames(progress: Tensor) -> tuple[np.ndarray, int]:
    values = torch.as_tensor(progress).detach().cpu().to(torch.float64).numpy()
    if values.ndim != 1:
        raise ValueError(f"progress must be (time,), got shape {values.shape}")
    known = values[~np.isnan(values)]
    return known, len(values) - len(known)


def _has_no_order(known: np.ndarray) -> bool:
    return len(known) < 2 or bool((known == known[0]).all())


def _degenerate(known: np.ndarray, num_abstained: int) -> OrderCorrelation:
    return OrderCorrelation(value=0.0, degenerate=True, num_known=len(known), num_abstained=num_abstained)
