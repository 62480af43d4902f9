"""Is the stated spread as large as the errors, and how often does the model not say."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def linear_progress(success: Bool[Tensor, " time"]) -> Float[Tensor, " time"]:
    """Give the progress that grows evenly with time until the first success, and stays 1 from there on.

    Row t tells of the transition t → t+1: where row k is the first success, frame k+1 is the first with progress 1.
    A stand-in for the truth where nobody labelled it: the task did not really advance evenly.

    Raises:
        ValueError: No success in the episode.

    Example:
        >>> linear_progress(torch.tensor([False, True, True])).tolist()
        [0.0, 0.5, 1.0]
    """
    if not bool(success.any()):
        raise ValueError("linear progress needs an episode that succeeds; no row is a success")
    reached = int(success.to(torch.int64).argmax()) + 1
    return (torch.arange(success.shape[0], dtype=torch.float64) / reached).clamp(max=1.0)


def spread_coverage(
    progress: Float[Tensor, " time"],
    spread: Float[Tensor, " time"],
    *,
    truth: Float[Tensor, " time"],
    width: float,
) -> float:
    """Give the fraction of frames whose true progress lies within `width` spreads of the estimate.

    Gaussian errors of the stated spread give .683 at width 1 and .900 at width 1.645.

    Args:
        progress: Estimated progress; NaN where the model abstained (left out).
        spread: One standard deviation of progress.
        truth: True progress.
        width: Half-width of the interval in spreads, positive.

    Returns:
        In [0, 1]; NaN where the model abstained throughout.

    Raises:
        ValueError: Lengths differ, or `width` is not positive.

    Example:
        >>> half, one = torch.tensor([0.5, 0.5]), torch.tensor([0.6, 0.9])
        >>> spread_coverage(half, torch.tensor([0.2, 0.2]), truth=one, width=1.0)
        0.5
    """
    if not width > 0:
        raise ValueError(f"width must be > 0, got {width:g}")
    if not progress.shape == spread.shape == truth.shape:
        raise ValueError(
            "progress, spread and truth must be of equal length, got "
            f"{tuple(progress.shape)}, {tuple(spread.shape)} and {tuple(truth.shape)}"
        )
    known = ~progress.isnan()
    if not bool(known.any()):
        return float("nan")
    inside = (progress[known] - truth[known]).abs() <= width * spread[known]
    return float(inside.to(torch.float64).mean())


def abstention_rate(progress: Float[Tensor, "*batch time"]) -> float:
    """Give the fraction of frames on which the model did not say (progress is NaN), in [0, 1].

    Example:
        >>> abstention_rate(torch.tensor([0.5, float("nan")]))
        0.5
    """
    return float(progress.isnan().to(torch.float64).mean())
