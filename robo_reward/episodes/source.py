"""What a place that holds recorded trajectories offers to those who score, relabel or evaluate them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from robo_reward.clip import Clip, Episode


@runtime_checkable
class EpisodeSource(Protocol):
    """Recorded trajectories: facts about all of them at once, pictures of one at a time and never all in memory.

    Reading never writes. What a reward model may see comes from `episodes` and `clips`; ground truth (`truth.*`) and
    earlier rewards (`reward.*`) come from `columns` only, which no reward model is given.
    """

    @property
    def description(self) -> str:
        """Where the data comes from, for people: the format and the folder."""
        ...

    @property
    def fps(self) -> float:
        """Nominal frame rate [1/s]."""
        ...

    @property
    def episodes(self) -> Sequence[Episode]:
        """Facts about every selected episode, in the order of their index; no picture is decoded."""
        ...

    @property
    def column_names(self) -> tuple[str, ...]:
        """Per-frame columns other than pictures, in the order in which they are stored."""
        ...

    def columns(self, episode: Episode, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Read per-frame columns of one episode: `(time,)` for numbers, `(time, …)` for vectors.

        Raises:
            DataSetError: A name that is not in `column_names`, or a column that cannot be read as declared.
        """
        ...

    def clips(self, episode: Episode, *, num_frames: int) -> Iterator[Clip]:
        """Decode one episode lazily in consecutive chunks of at most `num_frames`, oldest first.

        Each clip has a batch axis of 1 and all of `episode.cameras`, in that order. Memory is bounded by the chunk.

        Raises:
            ValueError: `num_frames` is not positive.
            DataSetError: Pictures are missing, damaged, or do not match the stamps.
        """
        ...

    def fingerprint(self, episode: Episode, camera: str) -> str:
        """Identify the pictures of one camera in one episode: SHA-256 of their bytes and of the range of frames."""
        ...
