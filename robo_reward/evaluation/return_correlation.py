"""Does progress agree with a true reward that the model never saw."""

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor


def rank_correlation(first: Float[Tensor, " item"], second: Float[Tensor, " item"]) -> float:
    """Give Spearman's correlation of two quantities, ties with their average rank.

    Args:
        first: One number per item; items where either is NaN are left out.
        second: The other number per item.

    Returns:
        In [−1, 1]; NaN where fewer than two items are left or one quantity is constant.

    Raises:
        ValueError: The two are not one-dimensional and of equal length.

    Example:
        >>> rank_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 4.0, 9.0]))
        1.0
    """
    left, right = _known_pairs(first, second)
    if _is_constant(left) or _is_constant(right):
        return float("nan")
    return _pearson(stats.rankdata(left), stats.rankdata(right))


def linear_correlation(first: Float[Tensor, " item"], second: Float[Tensor, " item"]) -> float:
    """Give Pearson's correlation of two quantities.

    Args:
        first: One number per item; items where either is NaN are left out.
        second: The other number per item.

    Returns:
        In [−1, 1]; NaN where fewer than two items are left or one quantity is constant.

    Raises:
        ValueError: The two are not one-dimensional and of equal length.

    Example:
        >>> linear_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0]))
        -1.0
    """
    left, right = _known_pairs(first, second)
    if _is_constant(left) or _is_constant(right):
        return float("nan")
    return _pearson(left, right)


def return_so_far(reward: Float[Tensor, " time"]) -> Float[Tensor, " time"]:
    """Give the undiscounted sum of rewards earned before each frame: 0 at the first frame.

    Row t holds the reward of the transition t → t+1, so what was earned when frame t was seen excludes row t.

    Example:
        >>> return_so_far(torch.tensor([1.0, 2.0, 3.0])).tolist()
        [0.0, 1.0, 3.0]
    """
    return reward.cumsum(dim=0) - reward


def _known_pairs(first: Tensor, second: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            "both quantities must be one-dimensional and of equal length, "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    known = ~(first.isnan() | second.isnan())
    return first[known].to(torch.float64).numpy(), second[known].to(torch.float64).numpy()


def _is_constant(values: np.ndarray) -> bool:
    return len(values) < 2 or bool((values == values[0]).all())


def _pearson(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left - left.mean(), right - right.mean()
    value = (left * right).sum() / np.sqrt((left * left).sum() * (right * right).sum())
    return float(np.clip(value, -1.0, 1.0))
