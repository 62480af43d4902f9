"""From what single frames say to progress through time: a causal Bayes filter that nothing but change can move."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

SHORTEST = 1e-9
"""Width of a step, in progress, below which the random walk counts as standing still."""


LEAST_UNREST = 0.05
"""Of a camera, as a share of the median distance between any two of its pictures."""
COMPARED = 300
"""Pictures that are compared with each other for it, at most, evenly spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """How a filter trusts frames and motion; times are fractions of a demonstration's duration.

    Raises:
        ValueError: A number that is not positive, or a doubt of 1 or more.
    """

    looks: float = 45.0
    """Independent looks in the time of a demonstration: nearer frames show the same mistakes again."""
    diffusion: float = 0.42
    """How far progress may wander in the time of a demonstration: one standard deviation, either way."""
    jumps: float = 6e-4
    """Jumps to anywhere in the time of a demonstration."""
    doubt: float = 0.1
    """Share of frames whose reading is worth nothing."""
    stillness: float = 2.0
    """How many times the camera's own unrest a picture must differ from the last one that counted."""

    def __post_init__(self) -> None:
        for name in ("looks", "diffusion", "jumps", "doubt", "stillness"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if self.doubt >= 1:
            raise ValueError(f"doubt must be < 1, got {self.doubt}")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FilterMemory:
    """What the filter carries from frame to frame."""

    belief: Float64[Tensor, "batch bin"]
    """NaN before the first frame that any camera saw."""
    anchor: Float32[Tensor, "batch view component"]
    """Each camera's last picture that counted; NaN where there is none."""
    stamp: Float64[Tensor, " batch"]
    """When that was [s]."""


class ProgressFilter:
    """Follows a belief over bins of progress.

        between looks   b ← b K,   K a random walk of deviation diffusion · √Δτ, and jumps · Δτ of the mass anywhere
        at a look       b ← b · ((1 − doubt) p(frame | bin) + doubt)^min(1, looks · Δτ)

    A look is a frame in which a camera's picture differs by more than its unrest from the one that it showed at the
    last look that it had part in, or that is a camera's first; Δτ is the time since, at most 1 / looks. The walk is as
    likely to go back as forth. So a scene that stands still moves nothing, whatever the noise, nor does a camera that
    comes and goes before it, and a reversed scene goes back.

    Args:
        settings: How frames and motion are trusted.
        duration: Of a demonstration [s].
        unrest: Of each camera: distance between compressed pictures that shows motion.

    Raises:
        ValueError: A duration that is not positive.
    """

    def __init__(self, settings: FilterSettings, *, duration: float, unrest: Float32[Tensor, " view"]) -> None:
        if not duration > 0:
            raise ValueError(f"duration must be > 0 s, got {duration}")
        self._settings, self._duration, self._unrest = settings, duration, unrest

    def step(
        self,
        memory: FilterMemory | None,
        *,
        probability: Float64[Tensor, "batch bin"],
        pictures: Float32[Tensor, "batch view component"],
        stamp: Float64[Tensor, " batch"],
    ) -> FilterMemory:
        """Take one frame.

        Args:
            memory: After the frame before; None at the start of an episode.
            probability: What the frame says on its own; NaN where no camera saw it.
            pictures: Compressed; NaN where a camera gave nothing.
            stamp: Capture time [s].
        """
        seen = ~pictures.isnan().any(dim=-1)
        if memory is None:
            begun = seen.any(dim=-1)
            return FilterMemory(
                belief=torch.where(begun[:, None], probability, torch.nan), anchor=pictures, stamp=stamp
            )
        new = seen & memory.anchor.isnan().any(dim=-1)
        distance = (pictures - memory.anchor).square().sum(dim=-1).sqrt()
        look = (new | (distance > self._unrest)).any(dim=-1)
        elapsed = ((stamp - memory.stamp) / self._duration).clamp(max=1 / self._settings.looks)
        moved = self._looked(memory.belief, probability, elapsed)
        first = memory.belief[:, 0].isnan()
        moved = torch.where(first[:, None], probability, moved)
        return FilterMemory(
            belief=torch.where(look[:, None], moved, memory.belief),
            anchor=torch.where((look[:, None] & seen)[..., None], pictures, memory.anchor),
            stamp=torch.where(look, stamp, memory.stamp),
        )

    def _looked(self, belief: Tensor, probability: Tensor, elapsed: Tensor) -> Tensor:
        settings, bins = self._settings, belief.shape[1]
        width = (settings.diffusion * elapsed.sqrt()).clamp(min=SHORTEST)
        place = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
        kernel = torch.exp(-0.5 * ((place[:, None] - place) / width[:, None, None]).square())
        kernel = kernel / kernel.sum(dim=2, keepdim=True)
        jump = (settings.jumps * elapsed)[:, None]
        # products and sums, one row by itself: a matrix product would change bits with the batch
        walked = (1 - jump) * (belief[:, :, None] * kernel).sum(dim=1) + jump / bins
        likelihood = (1 - settings.doubt) * probability + settings.doubt / bins
        looked = walked * likelihood ** (settings.looks * elapsed)[:, None]
        return looked / looked.sum(dim=1, keepdim=True)


def unrest(
    recordings: Sequence[Float32[Tensor, "_time view component"]], *, stillness: float
) -> Float32[Tensor, " view"]:
    """Measure the distance between pictures of each camera that is more than its own unrest.

    Between consecutive frames of a recording a camera's picture changes by its noise, and by motion where there is any;
    the quietest tenth shows the noise. Recordings with repeated or smoothed frames show none: a twentieth of the
    distance between any two pictures is the least that counts as noise.

    Args:
        recordings: Compressed pictures of good recordings, NaN where a camera gave nothing.
        stillness: Multiple of that.
    """
    views = zip(*(pictures.unbind(dim=1) for pictures in recordings), strict=True)
    return torch.stack([_unrest_of(list(view)) for view in views]) * stillness


def _unrest_of(recordings: Sequence[Tensor]) -> Tensor:
    changes = torch.cat([(pictures[1:] - pictures[:-1]).square().sum(dim=-1).sqrt() for pictures in recordings])
    changes = changes[~changes.isnan()]
    pictures = torch.cat(list(recordings))
    pictures = pictures[~pictures.isnan().any(dim=-1)]
    if len(changes) == 0:
        return torch.tensor(0.0)
    some = pictures[torch.linspace(0, len(pictures) - 1, min(len(pictures), COMPARED)).round().long()]
    return torch.maximum(changes.quantile(0.1), LEAST_UNREST * torch.pdist(some).median()).float()
