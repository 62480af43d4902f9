"""What a relabelled data set says about one episode: the rewards that users train on, and the truth beside them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robo_reward.clip import Episode
from robo_reward.episodes.source import EpisodeSource
from robo_reward.errors import DataSetError

REQUIRED_COLUMNS = ("reward.progress", "reward.spread")
OPTIONAL_COLUMNS = ("reward.potential", "reward.shaped", "truth.reward", "truth.success", "truth.outcome")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Recording:
    """The columns of one episode that evaluation reads; None where the data set has no such column.

    Raises:
        ValueError: A column whose length differs from that of progress.
    """

    progress: Float[Tensor, " time"]
    """Recorded progress in [0, 1]; NaN where the model abstained."""
    spread: Float[Tensor, " time"]
    """Recorded standard deviation of progress."""
    potential: Float[Tensor, " time"] | None
    shaped: Float[Tensor, " time"] | None
    """Shaped reward of the transition t → t+1."""
    true_reward: Float[Tensor, " time"] | None
    """Reward of the task's own designer, which no model saw."""
    success: Bool[Tensor, " time"] | None
    """True where the transition t → t+1 ended in success; None = nobody knows."""
    outcome: int | None
    """How the episode was made, as an index into the recorder's own list."""

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in ("spread", "potential", "shaped", "true_reward", "success")}
        for name, column in columns.items():
            if column is not None and column.shape != self.progress.shape:
                raise ValueError(
                    f"{name} must have the length of progress, {tuple(self.progress.shape)}, got {tuple(column.shape)}"
                )

    @property
    def succeeded(self) -> bool | None:
        """Whether the episode reached success; None = nobody knows."""
        return None if self.success is None else bool(self.success.any())


def read_recording(source: EpisodeSource, episode: Episode) -> Recording:
    """Read what the data set says about an episode; ground truth of success is preferred to `next.success`.

    Raises:
        DataSetError: The data set holds no rewards yet, or a column is not as long as the episode.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in source.column_names]
    if missing:
        raise DataSetError(
            f"{source.description} has no column {' and '.join(missing)}: relabel it before evaluating; "
            f"its columns are {', '.join(source.column_names)}"
        )
    present = [name for name in OPTIONAL_COLUMNS if name in source.column_names]
    columns = source.columns(episode, [*REQUIRED_COLUMNS, *present])
    for name, column in columns.items():
        if len(column) != episode.num_frames:
            raise DataSetError(
                f"{source.description}: column {name} of episode {episode.index} has {len(column)} rows, "
                f"the episode {episode.num_frames} frames"
            )
    optional = {name: torch.from_numpy(np.array(columns[name])) for name in present}
    outcome = optional.get("truth.outcome")
    return Recording(
        progress=torch.from_numpy(np.array(columns["reward.progress"])),
        spread=torch.from_numpy(np.array(columns["reward.spread"])),
        potential=optional.get("reward.potential"),
        shaped=optional.get("reward.shaped"),
        true_reward=optional.get("truth.reward"),
        success=optional.get("truth.success", episode.success),
        outcome=None if outcome is None else int(outcome[-1]),
    )
