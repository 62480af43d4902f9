"""Every so many frames of a source's episodes, as if recorded at that rate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.source import EpisodeSource


class ThinnedEpisodes:
    """An `EpisodeSource` of frames 0, every, 2 · every, … of another one."""

    def __init__(self, source: EpisodeSource, *, every: int) -> None:
        self._source, self._every = source, every
        self._whole = {episode.index: episode for episode in source.episodes}
        self._episodes = tuple(self._thin(episode) for episode in source.episodes)

    @property
    def description(self) -> str:
        """The source, and what was left out."""
        return f"{self._source.description}, every frame of {self._every}"

    @property
    def fps(self) -> float:
        """Frame rate of what is left [1/s]."""
        return self._source.fps / self._every

    @property
    def episodes(self) -> Sequence[Episode]:
        """Facts about the thinned episodes."""
        return self._episodes

    @property
    def column_names(self) -> tuple[str, ...]:
        """As in the source."""
        return self._source.column_names

    def columns(self, episode: Episode, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Columns of the frames that are left."""
        whole = self._source.columns(self._whole[episode.index], names)
        return {name: column[:: self._every] for name, column in whole.items()}

    def clips(self, episode: Episode, *, num_frames: int) -> Iterator[Clip]:
        """Decode all, give every so many."""
        every = self._every
        for clip in self._source.clips(self._whole[episode.index], num_frames=max(num_frames // every, 1) * every):
            yield Clip(
                views={name: frames[:, ::every] for name, frames in clip.views.items()},
                present=clip.present[:, ::every],
                stamp=clip.stamp[:, ::every],
            )

    def fingerprint(self, episode: Episode, camera: str) -> str:
        """Of the source's pictures and of which are left."""
        whole = self._source.fingerprint(self._whole[episode.index], camera)
        return whole if self._every == 1 else sha256(f"{whole} every {self._every}".encode()).hexdigest()

    def _thin(self, episode: Episode) -> Episode:
        success = None if episode.success is None else episode.success[:: self._every]
        return replace(episode, stamp=episode.stamp[:: self._every], success=success)
