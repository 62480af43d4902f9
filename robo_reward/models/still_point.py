"""A point that stands still while an episode lasts: what was seen of it so far counts together."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float64

from robo_reward.clip import Clip
from robo_reward.models.tracked_point import Located, PointSource


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Sightings:
    """What was seen of a point in one episode so far."""

    information: Float64[np.ndarray, "3 3"]
    """Sum of Σ⁻¹ [1/m²]."""
    weighted: Float64[np.ndarray, "3"]
    """Sum of Σ⁻¹ p [1/m]."""
    covariance: Float64[np.ndarray, "3 3"]
    """Of the surest sighting [m²]; NaN before the first."""

    @property
    def position(self) -> Float64[np.ndarray, "3"]:
        """Where the point is, by all of them together [m]; NaN before the first."""
        if np.isnan(self.covariance).any():
            return np.full(3, np.nan)
        return np.linalg.solve(self.information, self.weighted)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StillMemory:
    """What is carried along a batch of episodes."""

    point: Any
    """The inner source's own memory."""
    seen: tuple[Sightings, ...]
    """One an episode."""


_NOTHING = Sightings(information=np.zeros((3, 3)), weighted=np.zeros(3), covariance=np.full((3, 3), np.nan))


@final
class StillPoint:
    """A point of the scene that does not move within an episode: known from its first sighting on, hidden or not.

        p = (Σ_i Σ_i⁻¹)⁻¹ Σ_i Σ_i⁻¹ p_i   over all sightings i so far

    Its covariance is that of the surest sighting: what is wrong with a rig is wrong in every frame and does not average
    out. Where the point does move, it is told too late where to; leave such a point as it is.

    Args:
        source: Says where the point is seen.
    """

    def __init__(self, source: PointSource) -> None:
        self._source = source

    @property
    def version(self) -> str:
        """Identifies the source."""
        return hashlib.sha256(json.dumps(["StillPoint", self._source.version]).encode()).hexdigest()[:16]

    def locate(self, seen: Clip, memory: StillMemory | None) -> tuple[Located, StillMemory]:
        """Locate the point in the next frames of each episode; NaN until it was seen once."""
        located, point = self._source.locate(seen, None if memory is None else memory.point)
        batch, time = seen.stamp.shape
        known = list((_NOTHING,) * batch if memory is None else memory.seen)
        position, covariance = np.full((batch, time, 3), np.nan), np.full((batch, time, 3, 3), np.nan)
        for row in range(batch):
            for t in range(time):
                known[row] = _with(known[row], located.position[row, t].numpy(), located.covariance[row, t].numpy())
                position[row, t], covariance[row, t] = known[row].position, known[row].covariance
        together = Located(position=torch.from_numpy(position), covariance=torch.from_numpy(covariance))
        return together, StillMemory(point=point, seen=tuple(known))


def _with(known: Sightings, position: np.ndarray, covariance: np.ndarray) -> Sightings:
    if not np.isfinite(position).all():
        return known
    information = np.linalg.inv(covariance)
    surer = np.isnan(known.covariance).any() or np.trace(covariance) < np.trace(known.covariance)
    return Sightings(
        information=known.information + information,
        weighted=known.weighted + information @ position,
        covariance=covariance if surer else known.covariance,
    )


_: type[PointSource] = StillPoint  # the type checker holds the protocol
