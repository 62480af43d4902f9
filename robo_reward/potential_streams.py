"""Potentials of many episodes at once, each computed once, when its frames arrive: what every reward is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.episode_rows import join_rows, layout_of, take_rows
from robo_reward.perception.encoder import EmbeddedClip, EmbeddingRewardModel, embed_clip
from robo_reward.reward_model import Estimate, RecurrentRewardModel, RewardModel
from robo_reward.shaping import LinearPotential, Potential


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Arrival:
    """What the newest frame sets of some episodes looked like to the model, one row an episode."""

    progress: Float[Tensor, " row"]
    """In [0, 1]; NaN where the model abstained."""
    spread: Float[Tensor, " row"]
    """One standard deviation of progress; NaN where the model abstained."""
    potential: Float64[Tensor, " row"]
    """Φ before a terminal state zeroes it; the last known one where the model abstained, NaN where none was known."""
    held: Bool[Tensor, " row"]
    """True where the model abstained."""


class PotentialStreams:
    """Follows several episodes with one model: one call of the encoder, and as few of the model as their pasts allow.

    Rows whose memories have one shape are asked about together; an episode that has just begun is a group of its own
    for as long as its window is shorter than the others'. Answers are those that each episode gets alone, bit for bit.

    Args:
        model: Bound to the task.
        num_streams: Episodes that are followed at once, >= 1.
        potential: From progress to Φ.

    Raises:
        ValueError: `num_streams` < 1.
    """

    def __init__(self, model: RewardModel, *, num_streams: int, potential: Potential | None = None) -> None:
        if num_streams < 1:
            raise ValueError(f"num_streams must be >= 1, got {num_streams}")
        self.model = model
        # asked once: a protocol's isinstance reads every property, and a version is a hash of the weights
        self._recurrent, self._looks = isinstance(model, RecurrentRewardModel), isinstance(model, EmbeddingRewardModel)
        self._potential = potential if potential is not None else LinearPotential()
        self._carried: list[_Carried] = [_NOTHING] * num_streams
        self._last = torch.full((num_streams,), torch.nan, dtype=torch.float64)
        self._together = True  # until a memory turns out to be of a kind that cannot be taken apart

    @property
    def num_streams(self) -> int:
        """Episodes that are followed at once."""
        return len(self._carried)

    def begin(self, rows: Sequence[int]) -> None:
        """Forget the episodes of these rows: the next frame set of each is the first of another one."""
        for row in rows:
            self._carried[row] = _NOTHING
            self._last[row] = torch.nan

    def last_known(self, rows: Sequence[int]) -> Float64[Tensor, " row"]:
        """Give the last known Φ of each row; NaN where none is."""
        return self._last[list(rows)]

    def look(self, clip: Clip) -> Clip | EmbeddedClip:
        """Give frames as the model sees them: through its encoder, all rows in one batch, or as they are."""
        return embed_clip(cast(EmbeddingRewardModel, self.model).encoder, clip) if self._looks else clip

    def follow(self, seen: Clip | EmbeddedClip, rows: Sequence[int]) -> Arrival:
        """Take the next frame set of some episodes.

        Args:
            seen: From `look`, one row an episode.
            rows: Which episodes, in the order of `seen`.

        Raises:
            ValueError: Rows that do not fit `seen`, or one that is named twice.
        """
        if len(rows) != seen.stamp.shape[0] or len(set(rows)) != len(rows):
            raise ValueError(f"rows must name {seen.stamp.shape[0]} different episodes, got {list(rows)}")
        progress, spread = torch.empty(len(rows)), torch.empty(len(rows))
        for places in self._groups(rows):
            part = seen if len(places) == len(rows) else take_rows(seen, places)
            estimate = self._estimate(part, [rows[place] for place in places])
            progress[places], spread[places] = estimate.progress[:, -1], estimate.spread[:, -1]
        arrived = self._potential(progress)
        held = arrived.isnan()
        known = torch.where(held, self._last[list(rows)], arrived)
        self._last[list(rows)] = known
        return Arrival(progress=progress, spread=spread, potential=known, held=held)

    def arrive(self, clip: Clip, rows: Sequence[int]) -> Arrival:
        """Look at the next frame set of some episodes, and take it."""
        return self.follow(self.look(clip), rows)

    def _groups(self, rows: Sequence[int]) -> list[list[int]]:
        """Give the places within `rows` that can be asked about in one call."""
        if not self._together:
            return [[place] for place in range(len(rows))]
        groups: dict[object, list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(self._carried[row].layout, []).append(place)
        return list(groups.values())

    def _estimate(self, seen: Clip | EmbeddedClip, rows: Sequence[int]) -> Estimate:
        estimate, after = self._asked(seen, _joined([self._carried[row] for row in rows]))
        layout = layout_of(after, len(rows))
        if layout is None and len(rows) > 1:
            self._together = False
            alone = [self._estimate(take_rows(seen, [place]), [row]) for place, row in enumerate(rows)]
            return Estimate(
                progress=torch.cat([each.progress[:, -1:] for each in alone]),
                spread=torch.cat([each.spread[:, -1:] for each in alone]),
            )
        for place, row in enumerate(rows):
            self._carried[row] = _Carried(after, row=place, num_rows=len(rows), layout=layout)
        return estimate

    def _asked(self, seen: Clip | EmbeddedClip, before: Any) -> tuple[Estimate, Any]:
        """Ask the model about the windows that the newest frame sets complete."""
        if self._recurrent:
            return cast(RecurrentRewardModel, self.model).resume(seen, before)
        window = seen if before is None else before.followed_by(seen).latest(self.model.context)
        if isinstance(window, EmbeddedClip):
            return cast(EmbeddingRewardModel, self.model).estimate_embedded(window), window
        return self.model.estimate(window), window


class _Carried:
    """One row of what was remembered of several episodes; taken apart only where it is needed apart."""

    __slots__ = ("layout", "memory", "num_rows", "row")

    def __init__(self, memory: Any, *, row: int, num_rows: int, layout: object) -> None:
        self.memory, self.row, self.num_rows, self.layout = memory, row, num_rows, layout


_NOTHING = _Carried(None, row=0, num_rows=1, layout=("nothing",))


def _joined(carried: Sequence[_Carried]) -> Any:
    first = carried[0].memory
    whole = len(carried) == carried[0].num_rows
    if first is None or (whole and all(c.memory is first and c.row == place for place, c in enumerate(carried))):
        return first
    by_memory: dict[int, list[int]] = {}
    for place, each in enumerate(carried):
        by_memory.setdefault(id(each.memory), []).append(place)
    # thousands of rows lie in a few memories: one cut of each, not one a row
    joined = join_rows([_cut([carried[place] for place in places]) for places in by_memory.values()])
    order = [place for places in by_memory.values() for place in places]
    if order == sorted(order):
        return joined
    return take_rows(joined, sorted(range(len(order)), key=order.__getitem__))


def _cut(carried: Sequence[_Carried]) -> Any:
    """Give the rows that lie in one memory, in this order."""
    whole = carried[0].memory
    return whole if carried[0].num_rows == 1 else take_rows(whole, [each.row for each in carried])
