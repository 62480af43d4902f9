"""One camera's opinion on success: a regularised logistic regression, calibrated on episodes that were left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from robo_reward.models.compressed_view import CompressedView, fit_compressed_view
from robo_reward.models.logistic import cross_entropy, fit_logistic

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths of regularisation that are tried."""
PLATT_RIDGE = 1e-3
SMALLEST_SKILL = 0.05
"""A camera that explains less of the labels' entropy than this on left-out episodes is not asked."""
MOST_FOLDS = 8
"""Episodes are left out together where there are more."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LabelledRows:
    """One episode of one camera: embeddings, and whether each shows success; NaN = nobody said."""

    rows: Float[Tensor, "time dim"]
    label: Float64[Tensor, " time"]

    @property
    def is_known(self) -> Bool[Tensor, " time"]:
        """True where there are both a picture and a label."""
        return ~(self.rows[:, 0].isnan() | self.label.isnan())

    @property
    def known(self) -> "LabelledRows":
        """The frames that have both a picture and a label."""
        return LabelledRows(rows=self.rows[self.is_known], label=self.label[self.is_known])


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SuccessView:
    """Log-odds of success from one camera's embedding, and how much that camera tells.

    log-odds = slope · (weight · z + offset) + shift,   z the compressed embedding
    """

    view: CompressedView
    weight: Float64[Tensor, " rank"]
    numbers: Float64[Tensor, "4"]
    """Offset, slope, shift, and skill: the part of the labels' entropy that left-out episodes show it explains."""

    def __call__(self, rows: Float[Tensor, "*frame dim"]) -> Float64[Tensor, "..."]:
        """Give calibrated log-odds; NaN stays NaN."""
        offset, slope, shift, _ = self.numbers
        return slope * ((self.view(rows) * self.weight).sum(dim=-1) + offset) + shift

    @property
    def skill(self) -> float:
        """In (0, 1]."""
        return float(self.numbers[3])

    @property
    def weights(self) -> dict[str, Tensor]:
        """The tensors that `from_weights` rebuilds the view from."""
        return {"centre": self.view.centre, "basis": self.view.basis, "weight": self.weight, "numbers": self.numbers}

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> "SuccessView":
        """Rebuild exactly.

        Raises:
            KeyError: A tensor is missing.
        """
        view = CompressedView(centre=weights["centre"], basis=weights["basis"])
        return cls(view=view, weight=weights["weight"], numbers=weights["numbers"])


def fit_success_view(
    episodes: Sequence[LabelledRows], *, rank: int
) -> tuple[SuccessView, Float64[Tensor, " frame"]] | None:
    """Fit one camera; None where it tells nothing of episodes that were left out.

    The ridge is the one of least cross-entropy on episodes left out one at a time, their directions found without
    them; Platt's slope and shift are then fitted to these left-out log-odds. Each episode counts the same.

    Returns:
        The view, and the calibrated log-odds that all frames of all episodes got when they were left out; NaN =
        unknown.

    Source:
        Platt 1999, "Probabilistic outputs for support vector machines", eq. 3 (the smoothed targets).
    """
    known = [episode.known for episode in episodes]
    pairs = _left_out(known, rank=rank)
    if not pairs:
        return None
    place = torch.cat([number for _, _, number in pairs])
    label, weight = (torch.cat([test[part] for _, test, _ in pairs]) for part in (1, 2))
    if bool((label == label[0]).all()):
        return None
    scores = {ridge: torch.cat([_scored(train, test, ridge=ridge) for train, test, _ in pairs]) for ridge in RIDGES}
    best = min(RIDGES, key=lambda ridge: cross_entropy(scores[ridge], label, weight=weight))
    slope, shift = platt(scores[best], label, weight)
    calibrated = slope * scores[best] + shift
    skill = _skill(calibrated, label, weight)
    if not (slope > 0 and skill >= SMALLEST_SKILL):
        return None
    seen = torch.cat([episode.is_known for episode in episodes])
    left_out = torch.full(seen.shape, torch.nan, dtype=torch.float64)
    left_out[seen.nonzero()[:, 0][place]] = calibrated
    return _fitted(known, rank=rank, ridge=best, calibration=(slope, shift, skill)), left_out


def calibrate_joined(
    log_odds: Float64[Tensor, "camera frame"],
    skill: Sequence[float],
    label: Float64[Tensor, " frame"],
    weight: Float64[Tensor, " frame"],
) -> Float64[Tensor, "camera 2"]:
    """Give Platt's slope and shift of joined log-odds, for each number of cameras that see.

    Cameras that err independently are surer together than each alone; those that err together are not. How it is here
    shows in the log-odds of left-out episodes, over all choices of so many cameras.
    """
    rows = []
    for number in range(1, len(log_odds) + 1):
        choices = [list(choice) for choice in combinations(range(len(log_odds)), number)]
        joined = torch.cat([join(log_odds[choice], [skill[camera] for camera in choice]) for choice in choices])
        labels, weights = label.repeat(len(choices)), weight.repeat(len(choices))
        known = ~(joined.isnan() | labels.isnan())
        rows.append(platt(joined[known], labels[known], weights[known]))
    return torch.tensor(rows, dtype=torch.float64)


def join(log_odds: Float64[Tensor, "camera ..."], skill: Sequence[float]) -> Float64[Tensor, "..."]:
    """Give the mean of log-odds weighted by skill over the cameras that see; NaN where none does."""
    total, weight = torch.zeros_like(log_odds[0]), torch.zeros_like(log_odds[0])
    for each, number in zip(log_odds, skill, strict=True):  # in this order for one frame and for many: the same bits
        seen = ~each.isnan()
        total = total + torch.where(seen, number * each, 0.0)
        weight = weight + torch.where(seen, number, 0.0)
    return total / weight  # 0/0 where no camera saw anything


def platt(
    scores: Float64[Tensor, " row"], label: Float64[Tensor, " row"], weight: Float64[Tensor, " row"]
) -> tuple[float, float]:
    """Give slope and shift that turn scores into calibrated log-odds."""
    positives, negatives = float(label.sum()), float((1 - label).sum())
    low = 1 / (negatives + 2)
    target = low + label * ((positives + 1) / (positives + 2) - low)
    size = float(scores.std()) + 1e-9
    slope, shift = fit_logistic(scores[:, None] / size, target, weight=weight, ridge=PLATT_RIDGE)
    return float(slope[0]) / size, shift


def _skill(log_odds: Tensor, label: Tensor, weight: Tensor) -> float:
    rate = (weight * label).sum() / weight.sum()
    prior = cross_entropy(rate.logit().expand_as(label), label, weight=weight)
    return 1 - cross_entropy(log_odds, label, weight=weight) / prior


def _fitted(
    known: Sequence[LabelledRows], *, rank: int, ridge: float, calibration: tuple[float, float, float]
) -> SuccessView:
    view = fit_compressed_view([each.rows for each in known], rank=rank)
    rows, labels, weights = _stacked(view, known)
    direction, offset = fit_logistic(rows, labels, weight=weights, ridge=ridge)
    return SuccessView(view=view, weight=direction, numbers=torch.tensor([offset, *calibration], dtype=torch.float64))


_Rows = tuple[Tensor, Tensor, Tensor]
"""Compressed rows, their labels and their weights."""


def _stacked(view: CompressedView, known: Sequence[LabelledRows]) -> _Rows:
    weight = [torch.full((len(each.rows),), 1 / max(1, len(each.rows)), dtype=torch.float64) for each in known]
    rows = torch.cat([view(each.rows) for each in known])
    return rows, torch.cat([each.label for each in known]), torch.cat(weight)


def _left_out(known: Sequence[LabelledRows], *, rank: int) -> list[tuple[_Rows, _Rows, Tensor]]:
    """Give what to fit, what to try on and its place among all frames; folds whose rest shows one class are not used.

    Each episode is tried once.
    """
    pairs = []
    num_folds = min(MOST_FOLDS, len(known))
    places = torch.arange(sum(len(each.rows) for each in known)).split([len(each.rows) for each in known])
    for fold in range(num_folds):
        inside = [number for number in range(len(known)) if number % num_folds == fold]
        train = [each for number, each in enumerate(known) if number not in inside]
        labels = torch.cat([each.label for each in train]) if train else torch.zeros(0)
        if len(labels.unique()) == 2:
            view = fit_compressed_view([each.rows for each in train], rank=rank)
            place = torch.cat([places[number] for number in inside])
            pairs.append((_stacked(view, train), _stacked(view, [known[number] for number in inside]), place))
    return pairs


def _scored(train: _Rows, test: _Rows, *, ridge: float) -> Tensor:
    direction, offset = fit_logistic(train[0], train[1], weight=train[2], ridge=ridge)
    return (test[0] * direction).sum(dim=-1) + offset
