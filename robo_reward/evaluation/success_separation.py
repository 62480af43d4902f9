"""Do successful episodes end with more progress than failed ones."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import stats
from torch import Tensor


def success_auroc(score: Float[Tensor, " episode"], success: Bool[Tensor, " episode"]) -> float:
    """Give the probability that a success scores above a failure, a tie counting half.

    AUROC = (Σ ranks of successes − n₁(n₁+1)/2) / (n₁·n₀).

    Args:
        score: One number per episode, such as final progress; episodes with NaN are left out.
        success: Whether the episode succeeded.

    Returns:
        In [0, 1]; NaN where there is no success or no failure to compare.

    Source:
        Hanley & McNeil 1982.

    Example:
        >>> success_auroc(torch.tensor([0.9, 0.8, 0.3]), torch.tensor([True, True, False]))
        1.0
    """
    value, label = _scored(score, success)
    return _auroc(value[label], value[~label])


def success_auroc_interval(
    score: Float[Tensor, " episode"],
    success: Bool[Tensor, " episode"],
    *,
    seed: int,
    num_resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Give the bootstrap percentile interval of `success_auroc`, successes and failures resampled each on its own.

    With few episodes, or classes that do not overlap, it is narrower than the truth ([1, 1] where they are apart).

    Args:
        score: One number per episode; episodes with NaN are left out.
        success: Whether the episode succeeded.
        seed: Seed of the resampling.
        num_resamples: Number of resampled data sets.
        level: Probability that the interval covers, in (0, 1).

    Returns:
        Lower and upper bound in [0, 1]; NaN where there is no success or no failure.

    Raises:
        ValueError: `num_resamples` is not positive, or `level` is outside (0, 1).

    Source:
        Efron & Tibshirani 1993, chapter 13.
    """
    if num_resamples < 1:
        raise ValueError(f"num_resamples must be at least 1, got {num_resamples}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1), got {level:g}")
    value, label = _scored(score, success)
    high, low = value[label], value[~label]
    if len(high) == 0 or len(low) == 0:
        return float("nan"), float("nan")
    wins = (np.sign(high[:, None] - low[None, :]) + 1) / 2
    rng = np.random.default_rng(seed)
    drawn_high = rng.multinomial(len(high), np.full(len(high), 1 / len(high)), size=num_resamples)
    drawn_low = rng.multinomial(len(low), np.full(len(low), 1 / len(low)), size=num_resamples)
    samples = np.einsum("sh,hl,sl->s", drawn_high, wins, drawn_low, optimize=True) / wins.size
    lower, upper = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _scored(score: Tensor, success: Tensor) -> tuple[np.ndarray, np.ndarray]:
    value, label = torch.as_tensor(score).to(torch.float64).numpy(), torch.as_tensor(success).numpy()
    if value.ndim != 1 or value.shape != label.shape:
        raise ValueError(f"score and success must both be (episode,), got {value.shape} and {label.shape}")
    known = ~np.isnan(value)
    return value[known], label[known]


def _auroc(high: np.ndarray, low: np.ndarray) -> float:
    if len(high) == 0 or len(low) == 0:
        return float("nan")
    rank = stats.rankdata(np.concatenate([high, low]), method="average")[: len(high)]
    return float((rank.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low)))
