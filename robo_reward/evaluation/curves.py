"""Curves of one episode as paths of inline SVG: small, sharp, and in the colours of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from robo_reward.evaluation.recording import Recording

WIDTH, HEIGHT, REWARD_HEIGHT = 800, 120, 56
"""Size of the drawings in their own units; the page stretches them to its width."""
MOST_POINTS = 200
"""Longer episodes are drawn with every k-th frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Paths (the `d` of SVG) in a field of `WIDTH` × `HEIGHT`; empty where a column is not there or nowhere known."""

    progress: str
    band: str
    """Progress ± one spread."""
    potential: str
    """Scaled so that its own range fills the field."""
    potential_range: tuple[float, float] | None
    shaped: str
    """In a field of `WIDTH` × `REWARD_HEIGHT`, zero in the middle."""
    shaped_range: float
    """Largest |shaped reward|, which touches the border."""
    success: Sequence[float]
    """Left edges of the frames that are successes."""
    frame_width: float
    abstained: Sequence[float]
    """Left edges of the frames on which the model did not say."""


def episode_curves(recording: Recording) -> Curves:
    """Draw what the data set holds; frame t fills the t-th part of the width, as in a film strip."""
    time = recording.progress.shape[0]
    rows = np.unique(np.linspace(0, time - 1, min(time, MOST_POINTS)).round().astype(int))
    x = (rows + 0.5) / time * WIDTH
    progress, spread = _column(recording.progress, rows), _column(recording.spread, rows)
    potential, shaped = _column(recording.potential, rows), _column(recording.shaped, rows)
    span = _span(potential)
    largest = float(np.nanmax(np.abs(shaped), initial=0.0)) if np.isfinite(shaped).any() else 0.0
    return Curves(
        progress=_line(x, (1 - progress) * HEIGHT),
        band=_area(x, (1 - np.clip(progress + spread, 0, 1)) * HEIGHT, (1 - np.clip(progress - spread, 0, 1)) * HEIGHT),
        potential="" if span is None else _line(x, (span[1] - potential) / (span[1] - span[0]) * HEIGHT),
        potential_range=span,
        shaped=_line(x, (1 - shaped / largest) * REWARD_HEIGHT / 2) if largest else "",
        shaped_range=largest,
        success=_edges(recording.success, time),
        frame_width=WIDTH / time,
        abstained=_edges(recording.progress.isnan(), time),
    )


def _column(values: Float[Tensor, " time"] | None, rows: np.ndarray) -> np.ndarray:
    return np.full(len(rows), np.nan) if values is None else values.double().numpy()[rows]


def _span(values: np.ndarray) -> tuple[float, float] | None:
    """Range of the known values; one that would be a point is widened to be drawn in the middle."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _edges(marked: Tensor | None, time: int) -> Sequence[float]:
    if marked is None:
        return ()
    return [round(int(row) * WIDTH / time, 2) for row in marked.nonzero()[:, 0]]


def _line(x: np.ndarray, y: np.ndarray) -> str:
    return "".join(_polyline(x[run], y[run]) for run in _runs(y))


def _area(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> str:
    return "".join(
        _polyline(np.concatenate([x[run], x[run][::-1]]), np.concatenate([upper[run], lower[run][::-1]])) + "Z"
        for run in _runs(upper)
    )


def _runs(y: np.ndarray) -> list[np.ndarray]:
    """Split at unknown values: a line over a gap would claim what nobody said."""
    known = np.flatnonzero(np.isfinite(y))
    return [run for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if len(run)]


def _polyline(x: np.ndarray, y: np.ndarray) -> str:
    points = [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)]
    # a point alone has no length: a line to itself lets a round cap show it
    return "M" + "L".join(points if len(points) > 1 else points * 2)
