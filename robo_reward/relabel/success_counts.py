"""What a relabelled data set says about success, counted."""

from dataclasses import dataclass

import numpy as np

from robo_reward.episodes.source import EpisodeSource
from robo_reward.relabel.reward_columns import SUCCESS_PROBABILITY


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessCounts:
    """How often a success model spoke, and what was made of it."""

    episodes: int
    succeeded: int
    """Episodes with a transition that ended in success."""
    frames: int
    unknown: int
    """Frames at which the success model abstained: no vote."""


def count_successes(relabelled: EpisodeSource) -> SuccessCounts:
    """Count successes and abstentions.

    Args:
        relabelled: A data set with `next.success` and `reward.success_probability`.

    Raises:
        DataSetError: It has no such column.
    """
    episodes = relabelled.episodes
    unknown = [
        int(np.isnan(relabelled.columns(episode, [SUCCESS_PROBABILITY])[SUCCESS_PROBABILITY]).sum())
        for episode in episodes
    ]
    return SuccessCounts(
        episodes=len(episodes),
        succeeded=sum(episode.success is not None and bool(episode.success.any()) for episode in episodes),
        frames=sum(episode.num_frames for episode in episodes),
        unknown=sum(unknown),
    )
