"""Which cameras and episodes of a LeRobot data set are used, and whether their files are there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from robo_reward.episodes.lerobot_metadata import Metadata, RecordedEpisode
from robo_reward.errors import DataSetError

_NAMED = 20
"""As many missing or present numbers an error message lists before it says only how many."""


def chosen_cameras(metadata: Metadata, cameras: Sequence[str] | None) -> tuple[str, ...]:
    """The cameras that reward models see: those named, or else all.

    Raises:
        DataSetError: A camera that the data set does not declare, none at all, or one that has no video.
    """
    available = [name for name, feature in metadata.features.items() if feature.is_camera]
    if not available:
        raise DataSetError(f"{metadata.folder}: no camera among the features {', '.join(metadata.features)}")
    chosen = tuple(available if cameras is None else cameras)
    if not chosen or len(set(chosen)) < len(chosen):
        raise DataSetError(f"{metadata.folder}: cameras must name each camera once, got {list(chosen)}")
    unknown = [name for name in chosen if name not in available]
    if unknown:
        raise DataSetError(f"{metadata.folder}: no camera {', '.join(unknown)}; available: {', '.join(available)}")
    filmed = [name for name in available if any(_has_video(episode, name) for episode in metadata.episodes)]
    unfilmed = [name for name in chosen if name not in filmed]
    if unfilmed and filmed:
        raise DataSetError(
            f"{metadata.folder}: camera {', '.join(unfilmed)} is declared in meta/info.json, but none of its videos is "
            f"there; choose cameras that have some: episodes.cameras=[{','.join(filmed)}]"
        )
    return chosen


def chosen_episodes(
    metadata: Metadata, cameras: Sequence[str], select: Sequence[int] | Literal["present"] | None
) -> list[RecordedEpisode]:
    """The episodes to use, in the order of their index, all their files being there.

    Raises:
        DataSetError: A number that the data set does not list, or files that are missing.
        ValueError: `select` is empty, has a number twice, or is another word than 'present'.
    """
    listed = {episode.index: episode for episode in metadata.episodes}
    found: dict[Path, bool] = {}

    def missing(episode: RecordedEpisode) -> Path | None:
        paths = [episode.data, *(episode.videos[name].path for name in cameras if name in episode.videos)]
        for path in paths:
            if path not in found:
                found[path] = path.is_file()
        return next((path for path in paths if not found[path]), None)

    if select == "present":
        present = [episode for episode in metadata.episodes if missing(episode) is None]
        if not present:
            raise DataSetError(f"{metadata.folder}: none of the {len(listed)} listed episodes has its files there")
        return present
    wanted = _wanted(metadata, listed, select)
    absent = {index: path for index in wanted if (path := missing(listed[index])) is not None}
    if absent:
        there = [index for index, episode in listed.items() if missing(episode) is None]
        raise DataSetError(_absence(metadata, wanted, absent, there))
    return [listed[index] for index in wanted]


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers, shortened: 0-9, 11, 13-20.

    Example:
        >>> ranges([0, 1, 2, 5, 7, 8])
        '0-2, 5, 7-8'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    words = ["-".join(map(str, part)) for part in parts]
    return ", ".join(words) if len(words) <= _NAMED else ", ".join(words[:_NAMED]) + ", …"


def _wanted(metadata: Metadata, listed: dict[int, RecordedEpisode], select: Sequence[int] | str | None) -> list[int]:
    if select is None:
        return list(listed)
    if isinstance(select, str):
        raise ValueError(f"select must be a list of episode numbers, 'present' or nothing, got '{select}'")
    if not select or len(set(select)) < len(select):
        raise ValueError(f"select must name at least one episode, each once, got {list(select)}")
    unknown = sorted(set(select) - set(listed))
    if unknown:
        raise DataSetError(
            f"{metadata.folder}: no episode {ranges(unknown)}; the data set lists {ranges(sorted(listed))}"
        )
    return sorted(select)


def _absence(metadata: Metadata, wanted: Sequence[int], absent: dict[int, Path], there: Sequence[int]) -> str:
    found = (
        f"{metadata.folder}: {len(absent)} of {len(wanted)} episodes lack files: {ranges(sorted(absent))}; "
        f"the first missing one is {next(iter(absent.values()))}"
    )
    if not there:
        return found + "; no listed episode has all its files"
    numbers = f"episodes.select=[{','.join(map(str, there))}] or " if len(there) <= _NAMED else ""
    return found + f"; use those that are there with {numbers}episodes.select=present"


def _has_video(episode: RecordedEpisode, camera: str) -> bool:
    return camera not in episode.videos or episode.videos[camera].path.is_file()
