"""One camera's progress from preferences: scores of an ensemble, squashed to [0, 1] by what demonstrations reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from robo_reward.models.bradley_terry import MEMBERS, BradleyTerry, fold_of
from robo_reward.models.compressed_view import CompressedView

KNOTS = 21
SMALLEST_RESIDUAL = 0.01
"""A camera is never trusted further than this, however well it fits."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PreferenceView:
    """Progress from one camera's embedding.

    s_i = (r_i − shift_i) / scale_i,   progress_i = squash(s_i),   squash rising, piecewise linear, limited to [0, 1]
    progress = squash(mean_i s_i),   variance = population variance of progress_i + residual²
    """

    view: CompressedView
    scores: BradleyTerry
    standard: Float64[Tensor, "2 member"]
    """Shift and scale of each member's scores: mean and deviation on what they were fitted to."""
    knots: Float64[Tensor, " knot"]
    """Scores, not falling, at which progress is evenly spaced from 0 to 1."""
    residual: Float64[Tensor, ""]
    """Root mean square error of progress on frames that were held out."""

    def __call__(
        self, rows: Float[Tensor, "*frame dim"]
    ) -> tuple[Float64[Tensor, "*frame"], Float64[Tensor, "*frame"]]:
        """Give progress and its error variance; NaN stays NaN."""
        flat = self.view(rows.reshape(-1, rows.shape[-1]))
        scores = standardised(self.scores(flat), self.standard)
        opinions = squash(scores, self.knots)
        total = scores[0]
        for member in scores[1:]:
            total = total + member  # in this order for one frame and for many: the same bits
        progress = squash(total / len(scores), self.knots)
        apart = sum(((opinion - progress).square() for opinion in opinions), torch.zeros_like(progress))
        variance = apart / len(scores) + self.residual.square()
        return progress.reshape(rows.shape[:-1]), variance.reshape(rows.shape[:-1])

    @property
    def weights(self) -> dict[str, Tensor]:
        """The tensors that `from_weights` rebuilds the view from."""
        own = {
            "centre": self.view.centre,
            "basis": self.view.basis,
            "standard": self.standard,
            "knots": self.knots,
            "residual": self.residual,
        }
        return own | {f"scores.{name}": tensor for name, tensor in self.scores.parameters.items()}

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> "PreferenceView":
        """Rebuild exactly.

        Raises:
            KeyError: A tensor is missing.
        """
        parameters = {name: weights[f"scores.{name}"] for name in ("linear", "inner", "bias", "outer")}
        return cls(
            view=CompressedView(centre=weights["centre"], basis=weights["basis"]),
            scores=BradleyTerry(parameters=parameters),
            standard=weights["standard"],
            knots=weights["knots"],
            residual=weights["residual"],
        )


def calibrated_view(
    view: CompressedView,
    scores: BradleyTerry,
    rows: Float64[Tensor, "frame rank"],
    progress: Float64[Tensor, " frame"],
    groups: Int64[Tensor, " frame"],
    *,
    unmeasured: float,
) -> PreferenceView:
    """Find the squash and the residual.

    Where progress is known, a knot is the score that demonstrations reach at that progress; where it is not (pairs
    without demonstrations), the quantile of the scores of all compared frames: progress is then a rank among them,
    and its error counts as unmeasured.

    Args:
        view: What compressed the frames.
        scores: The fitted ensemble.
        rows: Compressed frames.
        progress: Of each, NaN = unknown.
        groups: Of each, as in the pairs: each member's error is measured on what it did not learn from.
        unmeasured: Residual where no progress is known.
    """
    seen = ~rows[:, 0].isnan()
    rows, progress, groups = rows[seen], progress[seen], groups[seen]
    raw = scores(rows)
    standard = torch.stack([raw.mean(dim=1), raw.std(dim=1, correction=0).clamp(min=1e-9)])
    each = standardised(raw, standard)
    known = ~progress.isnan()
    if not bool(known.any()):
        knots = torch.quantile(each.mean(dim=0), torch.linspace(0, 1, KNOTS, dtype=torch.float64))
        residual = torch.tensor(unmeasured, dtype=torch.float64)
    else:
        knots = _knots(each.mean(dim=0)[known], progress[known])
        residual = _residual(squash(each[:, known], knots), progress[known], groups[known])
    return PreferenceView(view=view, scores=scores, standard=standard, knots=knots, residual=residual)


def standardised(
    raw: Float64[Tensor, "member frame"], standard: Float64[Tensor, "2 member"]
) -> Float64[Tensor, "member frame"]:
    """Give scores of mean 0 and deviation 1 on what the members were fitted to."""
    return (raw - standard[0][:, None]) / standard[1][:, None]


def squash(scores: Float64[Tensor, "*frame"], knots: Float64[Tensor, " knot"]) -> Float64[Tensor, "*frame"]:
    """Give progress in [0, 1], linear between the knots; NaN stays NaN.

    Example:
        >>> squash(torch.tensor([-1.0, 0.5, 3.0]).double(), torch.tensor([0.0, 1.0, 5.0]).double())
        tensor([0.0000, 0.2500, 0.7500], dtype=torch.float64)
    """
    above = torch.searchsorted(knots, scores.contiguous(), right=True).clamp(1, len(knots) - 1)
    low, high = knots[above - 1], knots[above]
    inside = ((scores - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    return (above - 1 + inside) / (len(knots) - 1)


def _knots(scores: Float64[Tensor, " frame"], progress: Float64[Tensor, " frame"]) -> Float64[Tensor, " knot"]:
    """Give the mean score near each level of progress, made not to fall (pool adjacent violators)."""
    levels = torch.linspace(0, 1, KNOTS, dtype=torch.float64)
    width = 1 / (KNOTS - 1)
    near = (1 - (progress[None] - levels[:, None]).abs() / width).clamp(min=0) + 1e-9
    means = (near * scores).sum(dim=1) / near.sum(dim=1)
    blocks: list[list[float]] = []  # mean, weight, length
    for mean, weight in zip(means.tolist(), near.sum(dim=1).tolist(), strict=True):
        blocks.append([mean, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            later, earlier = blocks.pop(), blocks.pop()
            both = earlier[1] + later[1]
            blocks.append([(earlier[0] * earlier[1] + later[0] * later[1]) / both, both, earlier[2] + later[2]])
    return torch.tensor([block[0] for block in blocks for _ in range(int(block[2]))], dtype=torch.float64)


def _residual(
    opinions: Float64[Tensor, "member frame"], progress: Float64[Tensor, " frame"], groups: Int64[Tensor, " frame"]
) -> Float64[Tensor, ""]:
    held = fold_of(groups)[None] == torch.arange(MEMBERS)[:, None]
    error = (opinions - progress)[held] if bool(held.any()) else opinions - progress
    return error.square().mean().sqrt().clamp(min=SMALLEST_RESIDUAL)


def frame_groups(lengths: Sequence[int], *, stretches: int) -> Int64[Tensor, " frame"]:
    """Number what is held out together: episodes, or stretches of a single one.

    Args:
        lengths: Frames of each episode, all of which are numbered one after the other.
        stretches: Into which a single episode is cut.
    """
    if len(lengths) == 1:
        return (torch.arange(lengths[0]) * stretches) // lengths[0]
    return torch.cat([torch.full((length,), number) for number, length in enumerate(lengths)])
