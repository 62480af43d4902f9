"""One camera's memory of the demonstrations: what a frame is compared with, and how far that can be believed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor

from robo_reward.models.demonstration_alignment import aligned_positions
from robo_reward.models.frame_basis import FrameBasis

WIDTHS = (0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
"""Widths of the likelihood that are tried, in distances from the frame to the nearest demonstrated one."""
NARROWEST = 0.03
"""Least distance that counts as such, in typical distances between two frames of a demonstration."""
SMALLEST_RESIDUAL = 0.01
"""A camera is never trusted further than this, however well it fits."""
MOST_HELD_OUT = 4
"""Demonstrations that are left out in turn, at most; of more, evenly spaced ones."""
BLOCKS = 16
"""Stretches that a single demonstration is cut into; every second one is held out."""


Part = tuple[Tensor, Tensor, Tensor]
"""Coordinates of frames, their squared distance from all that the directions span, their progress."""
Pair = tuple[Part, tuple[Tensor, Tensor]]
"""Held-out frames, and the coordinates and progress of the demonstrations that they are compared with."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class AlignedFrames:
    """What one camera saw in one demonstration; the last picture stands for one that is missing.

    Raises:
        ValueError: Fewer than two frames, or lengths that disagree.
    """

    embedding: Float32[Tensor, "time dim"]
    progress: Float32[Tensor, " time"]

    def __post_init__(self) -> None:
        if len(self.embedding) < 2 or len(self.embedding) != len(self.progress):
            raise ValueError(
                f"a demonstration needs at least two frames, each with its progress; got {len(self.embedding)} and "
                f"{len(self.progress)}"
            )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TrajectoryMemory:
    """Compressed demonstrations of one camera.

    Raises:
        ValueError: Shapes that disagree, or a width, distance or residual that is not positive.
    """

    basis: FrameBasis
    coordinate: Float64[Tensor, "demonstration position direction"]
    progress: Float64[Tensor, "demonstration position"]
    advance: float
    """Positions that a demonstration advances per frame, in the mean."""
    typical: float
    """Median distance between two frames of a demonstration."""
    width: float
    """Standard deviation of the likelihood, in distances from the frame to the nearest demonstrated one."""
    farthest: float
    """Distance from the nearest demonstrated frame beyond which a frame is of something else."""
    residual: float
    """Root mean square error of progress on held-out frames."""

    def __post_init__(self) -> None:
        if self.progress.shape != self.coordinate.shape[:2]:
            raise ValueError(f"progress must be {tuple(self.coordinate.shape[:2])}, got {tuple(self.progress.shape)}")
        numbers = (self.advance, self.typical, self.width, self.farthest, self.residual)
        if not all(number > 0 for number in numbers):
            raise ValueError(f"advance, typical, width, farthest and residual must be > 0, got {numbers}")

    def tensors(self) -> dict[str, Tensor]:
        """Give everything as tensors, for `from_tensors`."""
        numbers = [self.advance, self.typical, self.width, self.farthest, self.residual]
        return {
            "mean": self.basis.mean,
            "direction": self.basis.direction,
            "coordinate": self.coordinate,
            "progress": self.progress,
            "numbers": torch.tensor(numbers, dtype=torch.float64),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "TrajectoryMemory":
        """Rebuild what `tensors` gave."""
        advance, typical, width, farthest, residual = tensors["numbers"].tolist()
        return cls(
            basis=FrameBasis(mean=tensors["mean"], direction=tensors["direction"]),
            coordinate=tensors["coordinate"],
            progress=tensors["progress"],
            advance=advance,
            typical=typical,
            width=width,
            farthest=farthest,
            residual=residual,
        )

    def log_likelihood(
        self, embedding: Float[Tensor, "time dim"]
    ) -> tuple[Float64[Tensor, "time demonstration position"], Bool[Tensor, " time"]]:
        """Give each frame's log-likelihood at every position, and whether it says anything.

        It says nothing, with 0 throughout, where there is no frame or one far from all demonstrated.
        """
        coordinate, beside = self.basis.compress(embedding)
        squared = squared_distance(coordinate, self.coordinate)
        near = (squared.flatten(1).min(dim=1).values + beside).sqrt() <= self.farthest  # False where it is NaN
        fit = _log_likelihood(squared, width=self.width, floor=NARROWEST * self.typical)
        return torch.where(near[:, None, None], fit, 0.0), near


def fit_memory(
    demonstrations: Sequence[AlignedFrames], *, num_directions: int, num_positions: int, context: int, quantile: float
) -> TrajectoryMemory:
    """Compress one camera's demonstrations and learn on held-out ones how wide, how far and how well they match.

    Up to four demonstrations are left out in turn (their directions excepted); of a single one every second of 16
    stretches.
    A frame is far if it is farther from the nearest demonstrated one than the given quantile of held-out frames, and
    than two frames of one demonstration typically are.
    """
    basis = FrameBasis.fit([each.embedding for each in demonstrations], num_directions=num_directions)
    parts = [_compressed(each, basis) for each in demonstrations]
    kept = [_resampled(each, num_positions) for each in parts]
    coordinate, progress = torch.stack([each[0] for each in kept]), torch.stack([each[2] for each in kept])
    typical = _typical_distance(kept)
    advance = num_positions / (sum(len(each.progress) for each in demonstrations) / len(demonstrations))
    pairs = _held_out(parts, num_positions)
    nearest = [(squared_distance(seen[0], other[0]).flatten(1).min(1).values + seen[1]).sqrt() for seen, other in pairs]
    errors = {
        width: _error(pairs, width=width, floor=NARROWEST * typical, context=context, advance=advance)
        for width in WIDTHS
    }
    width = min(errors, key=errors.__getitem__)
    return TrajectoryMemory(
        basis=basis,
        coordinate=coordinate,
        progress=progress,
        advance=advance,
        typical=typical,
        width=width,
        farthest=max(float(torch.cat(nearest).quantile(quantile)), typical),
        residual=max(errors[width], SMALLEST_RESIDUAL),
    )


def squared_distance(
    one: Float64[Tensor, "time direction"], other: Float64[Tensor, "demonstration position direction"]
) -> Float64[Tensor, "time demonstration position"]:
    """Squared distance of each frame from each position, summed in the same order for one frame and for many."""
    total = torch.zeros(len(one), *other.shape[:2], dtype=torch.float64)
    for direction in range(one.shape[1]):
        total += (one[:, None, None, direction] - other[..., direction]).square()
    return total


def expected_progress(
    log_likelihood: Float64[Tensor, "time demonstration position"],
    progress: Float64[Tensor, "demonstration position"],
    *,
    context: int,
    advance: float,
) -> tuple[Float64[Tensor, " time"], Float64[Tensor, " time"]]:
    """Give mean and variance of progress over the positions that the latest frames leave in question."""
    belief = aligned_positions(log_likelihood, context=context, advance=advance)
    mean = (belief * progress).flatten(1).contiguous().sum(dim=1)
    variance = (belief * (progress - mean[:, None, None]).square()).flatten(1).contiguous().sum(dim=1)
    return mean.clamp(0, 1), variance


def _log_likelihood(squared: Tensor, *, width: float, floor: float) -> Tensor:
    """Of each position, as wide as the frame is far from its nearest neighbour.

    In another light or layout all positions are farther away, and none the less likely for it.
    """
    near = squared.flatten(1).min(dim=1).values.clamp(min=floor**2)[:, None, None]
    return -0.5 * squared / (width**2 * near)


def _error(pairs: Sequence[Pair], *, width: float, floor: float, context: int, advance: float) -> float:
    """Root mean square error of the progress of held-out frames."""
    squares = []
    for (coordinate, _, truth), (known, progress) in pairs:
        squared = squared_distance(coordinate, known)
        fit = _log_likelihood(squared, width=width, floor=floor)
        found, _ = expected_progress(fit, progress, context=context, advance=advance)
        squares.append((found - truth).square())
    return float(torch.cat(squares).mean().sqrt())


def _compressed(demonstration: AlignedFrames, basis: FrameBasis) -> Part:
    coordinate, beside = basis.compress(demonstration.embedding)
    return coordinate, beside, demonstration.progress.to(torch.float64)


def _resampled(part: Part, num_positions: int) -> Part:
    rows = torch.linspace(0, len(part[2]) - 1, num_positions, dtype=torch.float64).round().long()
    return part[0][rows], part[1][rows], part[2][rows]


def _typical_distance(kept: Sequence[Part]) -> float:
    """Median over pairs of frames of one demonstration, what lies beside the directions counted once per pair."""
    distance = [(squared_distance(part[0], part[0][None])[:, 0] + part[1][:, None]).sqrt().flatten() for part in kept]
    return max(float(torch.cat(distance).median()), 1e-9)


def _held_out(parts: Sequence[Part], num_positions: int) -> list[Pair]:
    """Pair frames with the demonstrations that they were left out of, as many positions each."""
    if len(parts) > 1:
        kept = [_resampled(each, num_positions) for each in parts]
        pairs = []
        for left_out in range(0, len(parts), -(-len(parts) // MOST_HELD_OUT)):
            rest = [each for number, each in enumerate(kept) if number != left_out]
            known = torch.stack([each[0] for each in rest]), torch.stack([each[2] for each in rest])
            pairs.append((parts[left_out], known))
        return pairs
    (part,) = parts
    length = max(1, len(part[2]) // BLOCKS)
    first = torch.arange(len(part[2])) // length % 2 == 0
    one, two = ((part[0][mask], part[1][mask], part[2][mask]) for mask in (first, ~first))
    pairs = []
    for seen, other in ((one, two), (two, one)):
        known = _resampled(other, num_positions)
        pairs.append((seen, (known[0][None], known[2][None])))
    return pairs
