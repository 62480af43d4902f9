"""Touch points that words name, without a vision-language model: candidates in pictures, and a point in space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.rig import Rig
from robo_reward.camera.triangulation import triangulate
from robo_reward.perception.dense_similarity import TouchPoint
from robo_reward.perception.key_points import KeyPoint
from robo_reward.perception.vlm import Picture


@runtime_checkable
class TouchFinder(Protocol):
    """Finds where in a picture to touch what words name; `DenseSimilarity` does."""

    def touch_point(self, picture: Picture, words: str) -> TouchPoint:
        """Propose a place, with its doubt."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TouchProposal:
    """Where several cameras together propose to touch; a proposal, to be confirmed."""

    position: Float64[np.ndarray, "3"]
    """In the base frame [m]; NaN where the cameras' places contradict each other."""
    covariance: Float64[np.ndarray, "3 3"]
    """[m²]; NaN where the position is."""
    seen: Mapping[str, TouchPoint]
    """What each camera proposed."""


def propose_touch_point(rig: Rig, pictures: Mapping[str, Picture], words: str, *, finder: TouchFinder) -> TouchProposal:
    """Propose in space where to touch what the words name, from the proposals of two or more cameras.

    Args:
        rig: Cameras.
        pictures: Camera to picture, of the size that the rig was measured at.
        words: Such as "the handle".
        finder: Proposes in one picture.

    Raises:
        ValueError: Fewer than two cameras, or one that the rig has not.
    """
    if len(pictures) < 2:
        raise ValueError(f"a point in space needs two cameras or more, got {sorted(pictures)}")
    cameras = [rig.camera(name) for name in pictures]
    seen = {name: finder.touch_point(picture, words) for name, picture in pictures.items()}
    found = triangulate(
        cameras,
        np.array([each.pixel for each in seen.values()], dtype=np.float64),
        pixel_std=0.5,
        pixel_covariance=np.stack([each.covariance for each in seen.values()]),
    )
    return TouchProposal(position=found.position, covariance=found.covariance, seen=seen)


@final
class NamedKeyPoints:
    """Candidate key points at what words name, one for each, so that somebody can choose among them.

    Args:
        finder: Proposes in one picture.
        words: Such as ["the handle", "the lid"].

    Raises:
        ValueError: No words, or empty ones.
    """

    def __init__(self, finder: TouchFinder, *, words: Sequence[str]) -> None:
        if isinstance(words, str) or not words or any(not each.strip() for each in words):
            raise ValueError(f"words must be a list of one or more texts, got {words!r}")
        self._finder, self._words = finder, tuple(words)

    def key_points(self, picture: Picture) -> tuple[KeyPoint, ...]:
        """Give one candidate per words: P[1] for the first."""
        return tuple(
            KeyPoint(label=f"P[{number}]", pixel=self._finder.touch_point(picture, words).pixel)
            for number, words in enumerate(self._words, start=1)
        )
