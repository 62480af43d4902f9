"""From membership of steps to progress that can be believed: fitted on frames that the steps were not learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from robo_reward.models.step_features import StepSums, add_up, sum_steps
from robo_reward.models.step_reading import StepReading

COMBINATIONS = ("expected", "paper")
SHARPNESS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Factors on log-membership that are tried."""
SMALLEST_RESIDUAL = 0.01
"""A camera is never trusted further than this, however well it fits."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class DemonstratedFrames:
    """What one camera saw in one demonstration, with the step and the progress of each frame.

    Raises:
        ValueError: Lengths that disagree.
    """

    embedding: Float32[Tensor, "time dim"]
    step: Int64[Tensor, " time"]
    progress: Float32[Tensor, " time"]

    def __post_init__(self) -> None:
        if not len(self.embedding) == len(self.step) == len(self.progress):
            raise ValueError(
                f"embedding, step and progress differ in length: {len(self.embedding)}, {len(self.step)}, "
                f"{len(self.progress)}"
            )

    def halves(self, num_steps: int) -> list["DemonstratedFrames"]:
        """Every second stretch of frames, and the others: both span the whole task and every step.

        Stretches last a quarter of a mean step: neighbouring frames are alike, and single ones would be no test.
        """
        frame = torch.arange(len(self.step))
        length = max(1, len(self.step) // (4 * num_steps))
        while length > 1 and not all(self._has_every_step(frame // length % 2 == half, num_steps) for half in (0, 1)):
            length //= 2
        masks = [frame // length % 2 == half for half in (0, 1)]
        return [
            DemonstratedFrames(embedding=self.embedding[mask], step=self.step[mask], progress=self.progress[mask])
            for mask in masks
        ]

    def _has_every_step(self, mask: Tensor, num_steps: int) -> bool:
        return len(self.step[mask].unique()) == num_steps


Summed = tuple[DemonstratedFrames, StepSums]
"""Frames and the sums over them, which are added up instead of looking at the frames again."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class CalibratedReading:
    """One camera's reading of the steps, and how its progress relates to the true one.

    Raises:
        ValueError: A sharpness or residual that is not positive.
    """

    reading: StepReading
    sharpness: float
    """Factor on log-membership before it becomes membership."""
    slope: float
    offset: float
    residual: float
    """Root mean square error of progress on held-out frames, > 0."""

    def __post_init__(self) -> None:
        if not (self.sharpness > 0 and self.residual > 0):
            raise ValueError(f"sharpness and residual must be > 0, got {self.sharpness} and {self.residual}")

    def tensors(self) -> dict[str, Tensor]:
        """Give everything as tensors, for `from_tensors`."""
        numbers = torch.tensor([self.sharpness, self.slope, self.offset, self.residual], dtype=torch.float64)
        return self.reading.tensors() | {"calibration": numbers}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "CalibratedReading":
        """Rebuild what `tensors` gave."""
        fields = dict(tensors)
        sharpness, slope, offset, residual = fields.pop("calibration").tolist()
        return cls(reading=StepReading(**fields), sharpness=sharpness, slope=slope, offset=offset, residual=residual)

    def progress(
        self, embedding: Float[Tensor, "*batch dim"], *, classifier: str, combination: str
    ) -> Float64[Tensor, "*batch"]:
        """Give the progress of each frame, in [0, 1]; NaN stays NaN."""
        raw = raw_progress(
            self.reading, embedding, classifier=classifier, combination=combination, sharpness=self.sharpness
        )
        return (self.slope * raw + self.offset).clamp(0, 1)


def raw_progress(
    reading: StepReading,
    embedding: Float[Tensor, "*batch dim"],
    *,
    classifier: str,
    combination: str,
    sharpness: float,
) -> Float64[Tensor, "*batch"]:
    """Combine the steps to one number in [0, 1].

        expected: Σ_i p_i · π_i,  p = softmax(sharpness · ℓ), π_i the mean progress of step i
        paper:    Σ_{i≥2} 2^{i−1} R_i / Σ_{i≥2} 2^{i−1},  R_i the step's own score

    The membership of a frame between two steps is shared by them, which interpolates. The paper's sum says nothing of
    how much of the task is done: with n steps it is near ½ when the last but one is reached.

    Source:
        Sermanet et al. 2017 (1612.06699), appendix A.1 (the sum).
    """
    if combination == "expected":
        member = (sharpness * reading.log_membership(embedding, classifier)).softmax(dim=-1)
        return _weighted(member, reading.position)
    factor = 2.0 ** torch.arange(len(reading.position), dtype=torch.float64)
    factor[0] = 0.0
    return _weighted(reading.step_scores(embedding, classifier), factor / factor.sum())


def fit_camera(
    demonstrations: Sequence[DemonstratedFrames],
    *,
    num_steps: int,
    alpha: float,
    per_step: int,
    classifier: str,
    combination: str,
) -> CalibratedReading:
    """Fit one camera's reading to demonstrations.

    The line from raw to true progress is fitted on halves of all demonstrations (every second stretch of frames), so
    that the first and the last step reach 0 and 1; sharpness and residual are the best on demonstrations left out one
    at a time, the split into steps excepted. Of a single demonstration a half is left out instead, which is optimistic:
    nothing of the scene differs between halves.
    """
    halves = [[_summed(half, num_steps) for half in each.halves(num_steps)] for each in demonstrations]
    wholes = [(each, one[1] + other[1]) for each, (one, other) in zip(demonstrations, halves, strict=True)]
    how_learnt = {"alpha": alpha, "per_step": per_step, "classifier": classifier}
    by_half = _held_out([[pair[half] for pair in halves] for half in (0, 1)], **how_learnt)
    left_out = by_half if len(demonstrations) == 1 else _held_out([[each] for each in wholes], **how_learnt)
    candidates = []
    for sharpness in SHARPNESS if combination == "expected" else (1.0,):
        how = {"classifier": classifier, "combination": combination, "sharpness": sharpness}
        line = _line(*_raw_and_true(by_half, **how)) if combination == "expected" else (1.0, 0.0)
        raw, truth = _raw_and_true(left_out, **how)
        error = float(((line[0] * raw + line[1]).clamp(0, 1) - truth).square().mean().sqrt())
        candidates.append((error, sharpness, *line))
    error, sharpness, slope, offset = min(candidates)
    return CalibratedReading(
        reading=_learn(wholes, **how_learnt),
        sharpness=sharpness,
        slope=slope,
        offset=offset,
        residual=max(error, SMALLEST_RESIDUAL),
    )


def _summed(frames: DemonstratedFrames, num_steps: int) -> Summed:
    return frames, sum_steps(frames.embedding, frames.step, frames.progress, num_steps=num_steps)


def _held_out(groups: Sequence[Sequence[Summed]], **how_learnt: Any) -> list[tuple[StepReading, DemonstratedFrames]]:
    """Pair the frames of each group with a reading that was learnt from all other groups."""
    pairs = []
    for number, group in enumerate(groups):
        others = [each for other, rest in enumerate(groups) if other != number for each in rest]
        reading = _learn(others, **how_learnt)
        pairs += [(reading, frames) for frames, _ in group]
    return pairs


def _learn(parts: Sequence[Summed], *, alpha: float, per_step: int, classifier: str) -> StepReading:
    reading = StepReading.fit(add_up([sums for _, sums in parts]), alpha=alpha, per_step=per_step)
    if classifier == "linear":
        return reading.with_classifier([each.embedding for each, _ in parts], [each.step for each, _ in parts])
    return reading


def _raw_and_true(held_out: Sequence[tuple[StepReading, DemonstratedFrames]], **how: Any) -> tuple[Tensor, Tensor]:
    raw = torch.cat([raw_progress(reading, frames.embedding, **how) for reading, frames in held_out])
    return raw, torch.cat([frames.progress for _, frames in held_out]).to(torch.float64)


def _line(raw: Tensor, truth: Tensor) -> tuple[float, float]:
    """Least-squares line from raw progress to the true one; never falling."""
    centred = raw - raw.mean()
    slope = float((centred * (truth - truth.mean())).sum() / centred.square().sum().clamp(min=1e-12))
    slope = max(slope, 0.0)
    return slope, float(truth.mean() - slope * raw.mean())


def _weighted(each: Float64[Tensor, "*batch step"], weight: Float64[Tensor, " step"]) -> Float64[Tensor, "*batch"]:
    """Sum over steps in this order for one frame and for many: the same bits."""
    total = torch.zeros_like(each[..., 0])
    for column, factor in zip(each.unbind(dim=-1), weight, strict=True):
        total = total + factor * column
    return total
