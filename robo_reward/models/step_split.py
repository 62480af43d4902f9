"""Where the steps of a task begin: an unsupervised split of demonstrations into stretches that look alike."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

OBJECTIVES = ("weighted", "paper")
MOST_FRAMES = 240
"""Longer recordings are split at every k-th frame, so that no more than this many are looked at."""
FEATURES_AT_A_TIME = 1024
"""Features whose running sums are held at once: some tens of megabytes, however many there are."""
SWEEPS = 10
"""Rounds of joint refinement at most; it ends where nothing moves any more."""


def split_steps(
    features: Float[Tensor, "time dim"], num_steps: int, *, min_size: float, objective: str = "weighted"
) -> tuple[int, ...]:
    """Split one demonstration into consecutive steps, each as uniform as can be.

        paper:     the least Σ_i s(i)            weighted:  the least Σ_i n_i · s(i)

    with s(i) the standard deviation over the n_i frames of step i, averaged over features. The minimum is exact, by
    dynamic programming over running sums in O(steps · time²) instead of the published recursion's O(time^(steps−1)).
    The published objective does not weigh a step by its length: the deviation of a few frames is small by chance, so
    among many features that tell nothing it prefers the shortest steps that are allowed.

    Args:
        features: Embedding of each frame; all finite.
        num_steps: Steps wanted, from 1.
        min_size: Shortest step, as a fraction of the frames, in [0, 1 / num_steps].
        objective: Whether a step counts by its length.

    Returns:
        Index of the first frame of the second step, of the third, and so on.

    Raises:
        ValueError: Fewer frames than steps, a minimum size that leaves no split, an unknown objective.

    Source:
        Sermanet et al. 2017 (1612.06699), algorithm 1.

    Example:
        >>> import torch
        >>> split_steps(torch.tensor([[0.0], [0.1], [3.0], [3.1], [3.0], [9.0]]), 3, min_size=0.1)
        (2, 5)
    """
    time = features.shape[0]
    check_split(time, num_steps, min_size=min_size, objective=objective)
    rows = _looked_at(time, num_steps)
    cost = _segment_deviation(features[rows])
    if objective == "weighted":
        frame = torch.arange(len(rows) + 1)
        cost = cost * (frame[None, :] - frame[:, None])
    starts = _best_splits(cost, num_steps, _shortest(len(rows), min_size))
    return tuple(int(rows[start]) for start in starts)


def split_jointly(
    demonstrations: Sequence[Float[Tensor, "_time dim"]],
    num_steps: int,
    *,
    min_size: float,
    objective: str = "weighted",
) -> list[tuple[int, ...]]:
    """Split several demonstrations of a task into the same steps.

    Each is split alone; then, in turn, every step gets its mean over all demonstrations and every demonstration the
    split that lies closest to these means (squared distance), until nothing moves. Where a demonstration differs
    throughout (another light, another layout) its own mean is taken off first.

    Args:
        demonstrations: Embeddings of each frame; features of like scale.
        num_steps: Steps wanted, from 1.
        min_size: Shortest step, as a fraction of each demonstration's frames.
        objective: What each is split by when alone.

    Returns:
        Per demonstration, the first frame of its second step, of its third, and so on.

    Raises:
        ValueError: No demonstration, or one that cannot be split as `split_steps` says.
    """
    if not demonstrations:
        raise ValueError("demonstrations are empty; give at least one to split")
    splits = [split_steps(each, num_steps, min_size=min_size, objective=objective) for each in demonstrations]
    if len(demonstrations) == 1 or num_steps == 1:
        return splits
    rows = [_looked_at(len(each), num_steps) for each in demonstrations]
    centred = [
        (each[row] - each[row].mean(dim=0)).to(torch.float32) for each, row in zip(demonstrations, rows, strict=True)
    ]
    for _ in range(SWEEPS):
        label = [step_of_frame(len(each), split)[row] for each, split, row in _zip(demonstrations, splits, rows)]
        mean = _step_means(centred, label, num_steps)
        moved = [_closest_split(each, mean, min_size, row) for each, row in zip(centred, rows, strict=True)]
        if moved == splits:
            break
        splits = moved
    return splits


def step_of_frame(num_frames: int, split: Sequence[int]) -> Int64[Tensor, " time"]:
    """Number the step of each frame from 0, given where the second and later ones begin."""
    starts = torch.tensor(split, dtype=torch.int64)
    return (torch.arange(num_frames)[:, None] >= starts[None, :]).sum(dim=1)


def check_split(num_frames: int, num_steps: int, *, min_size: float, objective: str) -> None:
    """Refuse a split that cannot be made.

    Raises:
        ValueError: Fewer frames than steps, a minimum size that leaves no split, an unknown objective.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {list(OBJECTIVES)}, got {objective!r}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    if not 0 <= min_size <= 1 / num_steps:
        raise ValueError(f"min_size must be in [0, 1 / num_steps = {1 / num_steps:.3g}], got {min_size}")
    if num_frames < num_steps:
        raise ValueError(f"{num_steps} steps need at least as many frames, got {num_frames}")


def _looked_at(time: int, num_steps: int) -> Int64[Tensor, " frame"]:
    return torch.linspace(0, time - 1, min(time, max(MOST_FRAMES, num_steps)), dtype=torch.float64).round().long()


def _shortest(num_frames: int, min_size: float) -> int:
    return max(1, math.floor(min_size * num_frames + 1e-9))


def _segment_deviation(features: Float[Tensor, "time dim"]) -> Float64[Tensor, "bound bound"]:
    """Average over features of the standard deviation of frames [start, stop), for every start < stop; else 0."""
    time, dim = features.shape
    total = torch.zeros(time + 1, time + 1, dtype=torch.float64)
    for first in range(0, dim, FEATURES_AT_A_TIME):
        part = features[:, first : first + FEATURES_AT_A_TIME].to(torch.float64)
        part = part - part.mean(dim=0)  # running sums of squares keep their digits only around 0
        running = torch.cat([torch.zeros_like(part[:1]), part.cumsum(dim=0)])
        squares = torch.cat([torch.zeros_like(part[:1]), part.square().cumsum(dim=0)])
        for start in range(time - 1):  # a single frame deviates by 0
            count = torch.arange(2, time - start + 1, dtype=torch.float64)[:, None]
            mean = (running[start + 2 :] - running[start]) / count
            variance = (squares[start + 2 :] - squares[start]) / count - mean * mean
            total[start, start + 2 :] += variance.clamp(min=0).sqrt().sum(dim=1)
    return total / dim


def _best_splits(cost: Float64[Tensor, "bound bound"], num_steps: int, shortest: int) -> list[int]:
    """Starts of the second and later steps at which the segments' costs add up to the least."""
    time = len(cost) - 1
    bound = torch.arange(time + 1)
    allowed = torch.where(bound[None, :] - bound[:, None] >= shortest, cost, torch.inf)
    best, arrived_from = allowed[0], []
    for _ in range(num_steps - 1):
        best, start = (best[:, None] + allowed).min(dim=0)
        arrived_from.append(start)
    starts, stop = [], time
    for start in reversed(arrived_from):
        stop = int(start[stop])
        starts.append(stop)
    return starts[::-1]


def _closest_split(
    features: Float32[Tensor, "time dim"], mean: Float32[Tensor, "step dim"], min_size: float, rows: Tensor
) -> tuple[int, ...]:
    """Split at which the frames lie closest to the means of their steps."""
    distance = torch.cdist(features, mean).square().to(torch.float64)
    running = torch.cat([torch.zeros_like(distance[:1]), distance.cumsum(dim=0)])
    bound = torch.arange(len(features) + 1)
    allowed = bound[None, :] - bound[:, None] >= _shortest(len(features), min_size)
    best, arrived_from = torch.where(allowed[0], running[:, 0], torch.inf), []
    for step in range(1, len(mean)):
        segment = torch.where(allowed, running[None, :, step] - running[:, None, step], torch.inf)
        best, start = (best[:, None] + segment).min(dim=0)
        arrived_from.append(start)
    starts, stop = [], len(features)
    for start in reversed(arrived_from):
        stop = int(start[stop])
        starts.append(stop)
    return tuple(int(rows[start]) for start in reversed(starts))


def _step_means(
    centred: Sequence[Float32[Tensor, "_time dim"]], label: Sequence[Int64[Tensor, " _time"]], num_steps: int
) -> Float32[Tensor, "step dim"]:
    """Mean of each step over all demonstrations."""
    total = torch.zeros(num_steps, centred[0].shape[1])
    count = torch.zeros(num_steps)
    for each, step in zip(centred, label, strict=True):
        member = torch.nn.functional.one_hot(step, num_steps).to(torch.float32)
        total += member.T @ each
        count += member.sum(dim=0)
    return total / count[:, None]


def _zip(
    demonstrations: Sequence[Tensor], splits: Sequence[tuple[int, ...]], rows: Sequence[Tensor]
) -> "zip[tuple[Tensor, tuple[int, ...], Tensor]]":
    return zip(demonstrations, splits, rows, strict=True)
