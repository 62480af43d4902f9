"""Numbers frame sets as they come from many environments, and knows the potential of each by one version of a model."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float64, Int64

from robo_reward.clip import Clip
from robo_reward.episode_rows import join_rows, take_rows
from robo_reward.perception.encoder import EmbeddedClip, EmbeddingRewardModel
from robo_reward.potential_streams import Arrival, PotentialStreams
from robo_reward.reward_model import RewardModel
from robo_reward.rl.frame_embeddings import FrameEmbeddings
from robo_reward.rl.looking_ahead import LookingAhead
from robo_reward.shaping import Potential

_TOGETHER = 64
"""Finished episodes that are scored at once when the model changes."""


@dataclass(slots=True, kw_only=True)
class _Episode:
    """Frame sets of one episode that are kept, to be scored anew by another version of the model."""

    row: int
    numbers: list[int] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Waiting:
    clip: Clip | None
    """None where it is looked at elsewhere."""
    rows: tuple[int, ...]
    begins: bool
    first: int
    """Number of the first row's frame set; the others follow."""


class FrameScorer:
    """Gives every frame set a number and, once, a potential; all potentials are of one version of the model.

    Args:
        model: Bound to the task.
        num_envs: Environments whose episodes are followed.
        potential: From progress to Φ; None = Φ is progress.
        deferred: Look at frames beside the environments, in whole batches; potentials are known after `settle`.
        keep_frames: Keep pictures, so that another version of the model can look at them; see `change_model`.
        keep_embeddings: Keep what the model's encoder makes of them in `embeddings`, until they are forgotten there.

    Raises:
        ValueError: Embeddings are to be kept, and the model looks through no encoder.
    """

    def __init__(
        self,
        model: RewardModel,
        *,
        num_envs: int,
        potential: Potential | None = None,
        deferred: bool = False,
        keep_frames: bool = False,
        keep_embeddings: bool = False,
    ) -> None:
        if keep_embeddings and not isinstance(model, EmbeddingRewardModel):
            raise ValueError(f"{type(model).__name__} looks through no encoder: there are no embeddings to keep")
        self._potential, self._deferred, self._keep = potential, deferred, keep_frames
        self._streams = PotentialStreams(model, num_streams=num_envs, potential=potential)
        self._ahead = LookingAhead(self._streams.look) if deferred else None
        self._waiting: list[_Waiting] = []
        self._next = 0
        self._first = 0
        """Of the potentials that are remembered."""
        self._known = np.full(1024, np.nan)
        self._episodes: list[_Episode] = []
        self._running: dict[int, _Episode] = {}
        self.version = model.version
        self.embeddings = FrameEmbeddings() if keep_embeddings else None
        """Of the frame sets that were scored; None where they are not kept."""
        self.progress = np.full(num_envs, np.nan)
        """Of each environment's newest scored frame set."""
        self.spread = np.full(num_envs, np.nan)

    @property
    def model(self) -> RewardModel:
        """The model that is asked."""
        return self._streams.model

    def take(self, clip: Clip, rows: Sequence[int], *, begins: bool) -> Int64[np.ndarray, " row"]:
        """Take the next frame set of some environments.

        Args:
            clip: One frame set a row.
            rows: Which environments.
            begins: True where it is the first of an episode.

        Returns:
            Their numbers, increasing from call to call; their potentials are known after `settle`.
        """
        first, self._next = self._next, self._next + len(rows)
        kept = clip
        if self._ahead is not None:
            self._ahead.take(clip)
            kept = None  # its pictures are let go of when the encoder has seen them
        self._waiting.append(_Waiting(clip=kept, rows=tuple(rows), begins=begins, first=first))
        if self._keep:
            self._remember(self._waiting[-1], clip)
        return np.arange(first, self._next)

    def settle(self, *, now: bool = True) -> None:
        """Score what waits, pictures in batches of the encoder; `now` False leaves it where that is deferred."""
        if not self._waiting or (self._deferred and not now):
            return
        waiting, self._waiting = self._waiting, []
        seen = self._looked([each.clip for each in waiting if each.clip is not None])
        self._make_room()
        offset = 0
        for each in waiting:
            if each.begins:
                self._streams.begin(each.rows)
            places = range(offset, offset + len(each.rows))
            part = seen if len(waiting) == 1 else take_rows(seen, places)
            self._note(self._streams.follow(part, each.rows), each)
            if self.embeddings is not None and isinstance(part, EmbeddedClip):
                self.embeddings.note(range(each.first, each.first + len(each.rows)), part)
            offset += len(each.rows)

    def _looked(self, clips: Sequence[Clip]) -> Clip | EmbeddedClip:
        return self._streams.look(join_rows(clips)) if self._ahead is None else self._ahead.everything()

    def potentials(self, numbers: Int64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
        """Give Φ of numbered frame sets, by the present version of the model; NaN where it is not known.

        Raises:
            ValueError: Frame sets that wait to be scored, or that were forgotten.
        """
        if self._waiting and bool((numbers >= self._waiting[0].first).any()):
            raise ValueError("frame sets wait to be scored: call settle() first")
        if bool((numbers < self._first).any()):
            raise ValueError(f"frame set {int(numbers.min())} was forgotten; those from {self._first} on are known")
        return self._known[numbers - self._first]

    def forget_before(self, number: int) -> None:
        """Let go of frame sets that nobody asks about any more."""
        if number > self._first + len(self._known) // 2:
            kept = self._known[number - self._first :]
            self._known, self._first = np.concatenate([kept, np.full(len(self._known) - len(kept), np.nan)]), number
        running = {id(episode) for episode in self._running.values()}
        self._episodes = [e for e in self._episodes if id(e) in running or e.numbers[-1] >= number]

    def change_model(self, model: RewardModel) -> None:
        """Score everything that is kept anew, from the beginning of each episode; nothing of the old version remains.

        Frame sets whose episode is no longer kept whole become unknown.

        Raises:
            ValueError: Frames are not kept although some were scored.
        """
        if self._next and not self._keep:
            raise ValueError("keep_frames=True is needed to let another version of the model look at earlier frames")
        self._waiting = []
        self._streams = PotentialStreams(model, num_streams=self._streams.num_streams, potential=self._potential)
        self._ahead = LookingAhead(self._streams.look) if self._deferred else None
        self._make_room()
        self._known[:] = np.nan
        running = {id(episode) for episode in self._running.values()}
        finished = [episode for episode in self._episodes if id(episode) not in running]
        for first in range(0, len(finished), _TOGETHER):
            some = finished[first : first + _TOGETHER]
            streams = PotentialStreams(model, num_streams=len(some), potential=self._potential)
            self._replay(streams, dict(enumerate(some)))
        self._replay(self._streams, self._running)
        self.version = model.version

    def _replay(self, streams: PotentialStreams, episodes: dict[int, _Episode]) -> None:
        """Show kept episodes to a model, all of them one frame set at a time."""
        for time in range(max((len(each.clips) for each in episodes.values()), default=0)):
            rows = [row for row, each in episodes.items() if time < len(each.clips)]
            seen = streams.look(join_rows([episodes[row].clips[time] for row in rows]))
            arrival = streams.follow(seen, rows)
            numbers = np.array([episodes[row].numbers[time] for row in rows])
            if self.embeddings is not None and isinstance(seen, EmbeddedClip):
                self.embeddings.renew(numbers.tolist(), seen)
            remembered = numbers >= self._first
            self._known[numbers[remembered] - self._first] = arrival.potential.numpy()[remembered]

    def _remember(self, taken: _Waiting, clip: Clip) -> None:
        for place, row in enumerate(taken.rows):
            if taken.begins:
                self._running[row] = _Episode(row=row)
                self._episodes.append(self._running[row])
            self._running[row].numbers.append(taken.first + place)
            self._running[row].clips.append(take_rows(clip, [place]))

    def _note(self, arrival: Arrival, taken: _Waiting) -> None:
        first = taken.first - self._first
        self._known[first : first + len(taken.rows)] = arrival.potential.numpy()
        self.progress[list(taken.rows)] = arrival.progress.to(torch.float64).numpy()
        self.spread[list(taken.rows)] = arrival.spread.to(torch.float64).numpy()

    def _make_room(self) -> None:
        while self._next - self._first > len(self._known):
            self._known = np.concatenate([self._known, np.full(len(self._known), np.nan)])
