"""Success of recorded episodes as a model and its latch decide it, in place of what was recorded."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.clip import Episode
from robo_reward.models.success import SuccessModel
from robo_reward.models.success_decision import SuccessLatch


@runtime_checkable
class TellsSuccess(Protocol):
    """A model of success with the latch that belongs to it, as `robo_reward.training.fit.load_success` gives it."""

    @property
    def classifier(self) -> SuccessModel:
        """Gives the probability of success at each frame."""
        ...

    @property
    def threshold(self) -> float:
        """Probability above which a frame votes."""
        ...

    @property
    def release(self) -> float:
        """Probability below which success is taken back."""
        ...

    @property
    def votes(self) -> int:
        """Of the last `window` frames, so many must lie above the threshold."""
        ...

    @property
    def window(self) -> int:
        """Frames that a decision looks back at."""
        ...

    def latch(self) -> SuccessLatch:
        """Give a latch for one episode."""
        ...


def decided_episode(
    episode: Episode, probability: Float[Tensor, "1 time"], *, latch: SuccessLatch, ends_recorded: bool
) -> Episode:
    """Give the episode with success as the latch decides it, frame by frame as it would on the robot.

        success_t = decision_{t+1}   for every transition t → t+1 whose arrival was recorded
        success_{T−1} = decision_{T−1}

    The state after the last row was not recorded: what was decided at the last frame holds, since a latch keeps its
    decision until the probability falls. An episode whose last row is a success terminated there, as one whose data
    set says so.

    Args:
        episode: As recorded.
        probability: Of success at each frame; NaN = unknown, no vote.
        latch: Of the episode's task.
        ends_recorded: The data set says of its own whether episodes terminated (`next.terminated`); that stands.

    Raises:
        ValueError: A probability of another length than the episode.
    """
    if tuple(probability.shape) != (1, episode.num_frames):
        raise ValueError(f"probability must be (1, {episode.num_frames}), got {tuple(probability.shape)}")
    decision = torch.tensor(latch.over(probability[0]))
    success = torch.cat([decision[1:], decision[-1:]])
    return replace(episode, success=success, terminated=episode.terminated if ends_recorded else bool(success[-1]))


def describe_decisions(success: Mapping[str, TellsSuccess]) -> dict[str, dict[str, Any]]:
    """Give what decides success of each task beside the recordings, as plain data: equal data, equal decisions."""
    return {
        instruction: {
            "version": told.classifier.version,
            "threshold": told.threshold,
            "release": told.release,
            "votes": told.votes,
            "window": told.window,
        }
        for instruction, told in sorted(success.items())
    }
