"""How unlike anything demonstrated a frame is, and from where on that is more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from robo_reward.fusion.conformal import episodes_needed


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FamiliarFrames:
    """Demonstrated frames, and the distance from them beyond which a frame counts as strange.

        d(x) = max over cameras v of min over demonstrated y of ‖x_v − y_v‖

    A demonstration's score is the `frames_within` quantile of its frames' d to the other demonstrations; the limit is
    the ⌈(n + 1) · coverage⌉-th smallest of the n scores. A further demonstration of the same robot and scene then has
    at least `frames_within` of its frames within the limit with probability ≥ `coverage`: nearest distances only shrink
    as demonstrations are added, so that leaving one out errs on the safe side. Nothing is promised of a policy's own
    frames: `margin` allows for how they differ from demonstrations.

    Raises:
        ValueError: No demonstration, another number of cameras, or a limit that is not positive.
    """

    bank: Sequence[Float[Tensor, "_frame dim"]]
    """Of each camera: embeddings of the demonstrated frames."""
    limit: float
    """Largest d of a familiar frame."""

    def __post_init__(self) -> None:
        if not self.bank or any(len(each) == 0 for each in self.bank):
            raise ValueError("each camera needs at least one demonstrated frame")
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise ValueError(f"limit must be > 0 and finite, got {self.limit}")

    @classmethod
    def fitted_to(
        cls,
        demonstrations: Sequence[Float[Tensor, "_time view dim"]],
        *,
        coverage: float = 0.8,
        frames_within: float = 0.9,
        margin: float = 2.0,
    ) -> "FamiliarFrames":
        """Learn what is familiar from demonstrations.

        Args:
            demonstrations: Embeddings of each; NaN where a camera gave none.
            coverage: In (0, 1); more of it needs more demonstrations.
            frames_within: Share of a demonstration's frames that are to be within, in (0, 1].
            margin: The limit in multiples of the conformal quantile, ≥ 1.

        Raises:
            ValueError: Too few demonstrations for this coverage (how many are needed is said), ranges, a camera without
                a frame in all demonstrations but one.

        Source:
            Split conformal prediction (Lei et al. 2018, 1604.04173) with leave-one-out scores of a distance that is
            monotone in the demonstrations.
        """
        if not (0 < coverage < 1 and 0 < frames_within <= 1 and margin >= 1):
            raise ValueError(
                "coverage must be in (0, 1), frames_within in (0, 1] and margin >= 1, "
                f"got {coverage:g}, {frames_within:g} and {margin:g}"
            )
        needed = max(2, episodes_needed(coverage))
        if len(demonstrations) < needed:
            raise ValueError(
                f"{len(demonstrations)} demonstrations cannot give a limit of coverage {coverage:g}; "
                f"at least {needed} are needed"
            )
        scores = sorted(_left_out(demonstrations, index, frames_within) for index in range(len(demonstrations)))
        rank = math.ceil((len(scores) + 1) * coverage - 1e-9)  # a product such as 10 · 0.9 may end in …001
        return cls(bank=_banks(demonstrations), limit=margin * scores[rank - 1])

    def distances(self, embedding: Float[Tensor, "time view dim"]) -> Float64[Tensor, " time"]:
        """Give d of each frame set; absent cameras say nothing, NaN where all are absent.

        Raises:
            ValueError: Another number of cameras or length of embeddings than demonstrated.
        """
        wanted = (len(self.bank), self.bank[0].shape[1])
        if tuple(embedding.shape[1:]) != wanted:
            raise ValueError(f"demonstrations have (view, dim) {wanted}, got {tuple(embedding.shape[1:])}")
        return _distances(embedding, self.bank)

    def strange(self, embedding: Float[Tensor, "time view dim"]) -> Bool[Tensor, " time"]:
        """Tell which frame sets lie beyond the limit; an unseen one does not."""
        return self.distances(embedding) > self.limit


def _banks(demonstrations: Sequence[Tensor]) -> list[Tensor]:
    views = torch.cat(list(demonstrations)).unbind(dim=1)
    return [view[~view[:, 0].isnan()] for view in views]


def _left_out(demonstrations: Sequence[Tensor], index: int, frames_within: float) -> float:
    others = _banks([each for number, each in enumerate(demonstrations) if number != index])
    distances = _distances(demonstrations[index], others)
    known = distances[~distances.isnan()].sort().values
    if len(known) == 0:
        raise ValueError(f"demonstration {index} shares no camera that gave frames with the others")
    return float(known[math.ceil(frames_within * len(known) - 1e-9) - 1])


def _distances(embedding: Float[Tensor, "time view dim"], bank: Sequence[Tensor]) -> Float64[Tensor, " time"]:
    columns = []
    for view, known in zip(embedding.unbind(dim=1), bank, strict=True):
        if len(known) == 0:
            columns.append(torch.full((len(view),), torch.nan, dtype=torch.float64))
            continue
        nearest = torch.cdist(view.to(torch.float64), known.to(torch.float64)).amin(dim=1)
        columns.append(nearest)
    stacked = torch.stack(columns, dim=1)
    seen = ~stacked.isnan()
    farthest = stacked.nan_to_num(-math.inf).amax(dim=1)
    return torch.where(seen.any(dim=1), farthest, torch.nan)
