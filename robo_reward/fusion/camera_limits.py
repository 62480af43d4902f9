"""How far good pictures lie from other good ones: learnt on recordings that were left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from robo_reward.fusion.camera_space import MOST_ROWS, CameraSpace, fit_space, thinned

QUANTILE = 0.99
"""Of left-out good pictures that must lie within a limit before the margin is added."""
STRETCHES = 5
"""Into which a single episode is cut to leave one out."""
MOST_FOLDS = 8
"""Episodes are left out together where there are more."""
NEARER = 4.0
"""Times nearer to a camera's good pictures than to one that shows nothing: never strange. A few recordings may resemble
each other more than the next one resembles them."""
EXCHANGE_MARGIN = 1.1
"""Ratio by which both cameras of an exchanged pair must be nearer to the other's pictures, beyond good recordings."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class CameraLimits:
    """What is still good: logarithms of distances, outside parts and ratios of distances."""

    alone: Float64[Tensor, "view 4"]
    """Of each camera: log d(v, v); outside the space; log d(v, v)/d(v, blank); log d(v, v)/d(v, nearest other)."""
    exchanged: Float64[Tensor, "view view"]
    """Mean of log d(v, v)/d(v, u) and log d(u, u)/d(u, v); infinite on the diagonal."""

    def alone_beyond(
        self, distance: Float64[Tensor, "time view bank"], outside: Float64[Tensor, "time view"]
    ) -> tuple[Bool[Tensor, "time view"], Bool[Tensor, "time view"]]:
        """Tell where a camera's picture is strange, and where it looks like another camera's."""
        measured = measures(distance, outside)
        beyond = measured > self.alone
        # −∞ = there is nothing to compare with
        near = measured[..., 2].isfinite() & (measured[..., 2] < -math.log(NEARER))
        return beyond[..., :2].any(dim=-1) & ~near | beyond[..., 2], beyond[..., 3]

    def exchanged_beyond(
        self, distance: Float64[Tensor, "time view bank"], *, window: int
    ) -> Bool[Tensor, "time view"]:
        """Tell where two cameras, over the last `window` frames, look like each other's."""
        nearer = _windowed(nearness(distance), window=window)
        both = (nearer + nearer.transpose(1, 2)) / 2
        # of two exchanged cameras each is nearer to the other's; a third one that is compared with them is not
        beyond = (both > self.exchanged) & (nearer > 0) & (nearer.transpose(1, 2) > 0)
        return beyond.any(dim=-1)


def measures(
    distance: Float64[Tensor, "time view bank"], outside: Float64[Tensor, "time view"]
) -> Float64[Tensor, "time view 4"]:
    """Give what the limits `alone` are for; −∞ where there is no blank or no other camera to compare with."""
    num_views = distance.shape[1]
    own = distance[:, range(num_views), range(num_views)]
    nothing = torch.full_like(own, -math.inf)
    blank = own - distance[..., num_views] if distance.shape[2] > num_views else nothing
    others = distance[..., :num_views] + torch.diag(torch.full((num_views,), math.inf, dtype=torch.float64))
    other = own - others.amin(dim=-1) if num_views > 1 else nothing
    return torch.stack([own, outside, blank, other], dim=-1)


def nearness(distance: Float64[Tensor, "time view bank"]) -> Float64[Tensor, "time view view"]:
    """Give log d(v, v)/d(v, u) of each pair of cameras; NaN where one of the two is absent."""
    num_views = distance.shape[1]
    own = distance[:, range(num_views), range(num_views)]
    return own[..., None] - distance[..., :num_views] + 0 * own[:, None, :]


def limits_of(
    episodes: Sequence[Float[Tensor, "1 _time view dim"]], *, blanks: Float[Tensor, "_blank dim"] | None, margin: float
) -> CameraLimits:
    """Learn the limits by leaving recordings out of the space, one after the other.

    Args:
        episodes: Good recordings; NaN where a camera gave no frame.
        blanks: Embeddings of pictures that show nothing.
        margin: Ratio of distances that is added to the quantile.
    """
    parts = _folds(episodes)
    alone, joint = [], []
    for left_out, part in enumerate(parts):
        others = torch.cat([each for number, each in enumerate(parts) if number != left_out])
        measured = _left_out(part, others, blanks)
        if measured is not None:
            alone.append(measures(*measured))
            pairs = nearness(measured[0])
            joint.append((pairs + pairs.transpose(1, 2)) / 2)
    found = _quantile(torch.cat(alone))
    slack = math.log(margin)
    found[:, 0] += slack
    found[:, 1] *= margin
    found[:, 2:] = found[:, 2:].clamp(min=0.0) + slack  # never left out for being nearer to its own pictures
    exchanged = _quantile(torch.cat(joint)).clamp(min=0.0) + math.log(EXCHANGE_MARGIN)
    return CameraLimits(alone=found, exchanged=exchanged.fill_diagonal_(math.inf))


def _folds(episodes: Sequence[Tensor]) -> list[Tensor]:
    """Frames that are left out together: episodes, or stretches of a single one."""
    if len(episodes) == 1:
        return list(episodes[0][0].tensor_split(STRETCHES))
    folds = [[] for _ in range(min(MOST_FOLDS, len(episodes)))]
    for number, episode in enumerate(episodes):
        folds[number % len(folds)].append(episode[0])
    return [torch.cat(fold) for fold in folds]


def _left_out(
    part: Float[Tensor, "_time view dim"], others: Float[Tensor, "_rest view dim"], blanks: Tensor | None
) -> tuple[Tensor, Tensor] | None:
    """Measure left-out frames in a space that never saw them; None where a camera is absent from all the others."""
    rows = [view[~view[:, 0].isnan()] for view in others.unbind(dim=1)]
    if any(len(each) < 2 for each in rows):
        return None
    space: CameraSpace = fit_space(rows, blanks=blanks)
    kept = thinned(part.flatten(1), MOST_ROWS).unflatten(1, part.shape[1:])
    projected = [space.project(view) for view in kept.unbind(dim=1)]
    distance = torch.stack([space.log_distances(coordinates) for coordinates, _ in projected], dim=1)
    return distance, torch.stack([outside for _, outside in projected], dim=1)


def _quantile(values: Float64[Tensor, "frame ..."]) -> Float64[Tensor, "..."]:
    """Give the limit that all but a hundredth of the known values keep; infinite where nothing is known."""
    flat = values.flatten(1)
    columns = []
    for column in flat.unbind(dim=1):
        known = column[~column.isnan()].sort().values
        rank = min(len(known) - 1, math.ceil(QUANTILE * len(known)))
        columns.append(float(known[rank]) if len(known) else math.inf)
    return torch.tensor(columns, dtype=torch.float64).reshape(values.shape[1:])


def _windowed(values: Float64[Tensor, "time view other"], *, window: int) -> Float64[Tensor, "time view other"]:
    """Give the mean of the known values of the last `window` frames; 0/0 = NaN where there is none."""
    known = ~values.isnan()
    padding = torch.zeros(window - 1, *values.shape[1:], dtype=torch.float64)
    sums = torch.cat([padding, values.nan_to_num(0.0)]).unfold(0, window, 1).contiguous().sum(dim=-1)
    counts = torch.cat([padding, known.double()]).unfold(0, window, 1).sum(dim=-1)
    return sums / counts
