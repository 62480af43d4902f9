"""Goes through a bag once and finds its episodes: which frames make which set, what was felt, said and achieved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from jaxtyping import Float64

from robo_reward.episodes.bag_file import BagFile, BagMessage
from robo_reward.episodes.bag_topics import BagTopics
from robo_reward.episodes.ros_fields import numbers_of_message
from robo_reward.episodes.ros_images import picture_size
from robo_reward.errors import DataSetError
from robo_reward.frame_sets import FrameSet, FrameSets
from robo_reward.state_history import StateHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReference:
    """Where a picture is: found again by its topic and these two times."""

    received_ns: int
    stamp_ns: int


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RecordedSet:
    """A set of frames as the node on the robot formed it."""

    frames: FrameSet[FrameReference]
    formed_ns: int
    """When its last frame was received [ns]."""
    state: Mapping[str, Float64[np.ndarray, " size"]]
    success: bool
    """What had been said of success when it was formed."""


@dataclass(eq=False, slots=True, kw_only=True)
class RecordedEpisode:
    """One episode of a bag."""

    bag: BagFile
    instruction: str | None = None
    sets: list[RecordedSet] = field(default_factory=list)
    said_success: bool | None = None
    """The last word on success in the episode; None = nobody spoke."""
    ended_ns: int = 0
    """When the last message that belongs to it was received [ns]."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class BagIndex:
    """What one pass over a bag found."""

    episodes: Sequence[RecordedEpisode]
    sizes: Mapping[str, tuple[int, int]]
    """Camera to (height, width) [px]."""
    state_sizes: Mapping[str, int]
    frames: FrameSets[FrameReference]
    """Knows how many frames were used and why others were not."""


def index_bag(
    bag: BagFile, topics: BagTopics, frames: FrameSets[FrameReference], *, state_max_age: float, judge_age: bool
) -> BagIndex:
    """Go through a bag in the order in which its messages were received.

    Args:
        bag: The bag.
        topics: What to take from it.
        frames: New, with the settings of the robot's node.
        state_max_age: How much older than a set's oldest picture a state may be [s].
        judge_age: Frames may be too old or from the future, by the times at which they were received.

    Raises:
        DataSetError: A topic that is missing or empty, a picture or state that cannot be read, a camera whose pictures
            change size.
    """
    topics.check(bag)
    passing = _Pass(bag, topics, frames, state_max_age=state_max_age, judge_age=judge_age)
    for message in bag.messages(topics.all):
        passing.hear(message)
    return passing.result()


@final
class _Pass:
    def __init__(
        self,
        bag: BagFile,
        topics: BagTopics,
        frames: FrameSets[FrameReference],
        *,
        state_max_age: float,
        judge_age: bool,
    ) -> None:
        self._bag, self._topics, self._frames, self._judge_age = bag, topics, frames, judge_age
        self._camera_of = {topic: camera for camera, topic in topics.cameras.items()}
        self._state_sizes = _state_sizes(bag, topics)
        self._history = StateHistory(self._state_sizes, state_max_age)
        self._sizes: dict[str, tuple[int, int]] = {}
        self._generation = frames.generation
        self._episodes = [RecordedEpisode(bag=bag)]

    def result(self) -> BagIndex:
        return BagIndex(
            episodes=[episode for episode in self._episodes if episode.sets],
            sizes=self._sizes,
            state_sizes=self._state_sizes,
            frames=self._frames,
        )

    def hear(self, message: BagMessage) -> None:
        if message.topic == self._topics.boundary:
            self._end(message)
        elif message.topic == self._topics.instruction:
            self._instruct(message)
        elif message.topic == self._topics.success:
            self._episodes[-1].said_success = bool(message.content.data)
            self._episodes[-1].ended_ns = message.received_ns
        elif message.topic in self._camera_of:
            self._see(message)
        for name, state in self._topics.state.items():
            if state.topic == message.topic and message.stamp_ns > 0:
                values = state.scale * self._numbers(name, message)
                self._history.add(name, values, stamp_ns=message.stamp_ns)

    def _see(self, message: BagMessage) -> None:
        camera, stamp_ns = self._camera_of[message.topic], message.stamp_ns
        self._check_size(camera, message)
        reference = FrameReference(received_ns=message.received_ns, stamp_ns=stamp_ns)
        now_ns = message.received_ns if self._judge_age else None
        found = self._frames.add(camera, reference, stamp_ns=stamp_ns, now_ns=now_ns)
        if self._frames.generation != self._generation:  # a clock jumped back
            self._generation = self._frames.generation
            self._history.reset()
            self._begin()
        if found is not None:
            episode = self._episodes[-1]
            recorded = RecordedSet(
                frames=found,
                formed_ns=message.received_ns,
                state=self._history.at(found.stamp_ns),
                success=bool(episode.said_success),
            )
            episode.sets.append(recorded)
            episode.ended_ns = message.received_ns

    def _end(self, message: BagMessage) -> None:
        self._episodes[-1].ended_ns = message.received_ns
        self._frames.reset()
        self._generation = self._frames.generation
        self._begin()

    def _begin(self) -> None:
        self._episodes.append(RecordedEpisode(bag=self._bag, instruction=self._episodes[-1].instruction))

    def _instruct(self, message: BagMessage) -> None:
        """Take what the task is; another task is another episode."""
        episode, text = self._episodes[-1], message.content.data.strip()
        if episode.sets and episode.instruction not in (None, text):
            self._end(message)
        self._episodes[-1].instruction = text

    def _check_size(self, camera: str, message: BagMessage) -> None:
        try:
            size = picture_size(message.content)
        except ValueError as error:
            raise DataSetError(f"{_where(self._bag, message)}: {error}") from error
        before = self._sizes.setdefault(camera, size)
        if size != before:
            raise DataSetError(
                f"{_where(self._bag, message)}: pictures must keep their size; height and width were {before}, "
                f"are {size}"
            )

    def _numbers(self, name: str, message: BagMessage) -> Float64[np.ndarray, " size"]:
        try:
            values = numbers_of_message(message.content, self._topics.state[name].fields)
        except ValueError as error:
            raise DataSetError(f"{_where(self._bag, message)}, for state '{name}': {error}") from error
        if len(values) != self._state_sizes[name]:
            raise DataSetError(
                f"{_where(self._bag, message)}: state '{name}' must keep its size; it had {self._state_sizes[name]} "
                f"numbers, has {len(values)}"
            )
        return np.where(np.isfinite(values), values, np.nan)


def _state_sizes(bag: BagFile, topics: BagTopics) -> dict[str, int]:
    """How many numbers the first message of each state's topic gives."""
    sizes: dict[str, int] = {}
    for name, state in topics.state.items():
        message = next(bag.messages([state.topic]), None)
        if message is None:
            raise DataSetError(f"{bag.path}: topic '{state.topic}' for state '{name}' has no message that can be read")
        try:
            sizes[name] = len(numbers_of_message(message.content, state.fields))
        except ValueError as error:
            raise DataSetError(f"{_where(bag, message)}, for state '{name}': {error}") from error
        if not sizes[name]:
            raise DataSetError(f"{_where(bag, message)}, for state '{name}': fields {list(state.fields)} are empty")
    return sizes


def _where(bag: BagFile, message: BagMessage) -> str:
    return f"{bag.path}: topic '{message.topic}', message received at {message.received_ns * 1e-9:.3f} s"


def described(index: BagIndex) -> Sequence[str]:
    """Say for each camera how many frames are in sets, and why others are not."""
    said = []
    for camera, arrived in index.frames.arrived.items():
        lost: Mapping[Any, int] = index.frames.dropped[camera]
        reasons = [f"{count} {reason}" for reason, count in lost.items()]
        if index.frames.waiting[camera]:
            reasons.append(f"{index.frames.waiting[camera]} left waiting")
        why = f" ({', '.join(reasons)})" if reasons else ""
        said.append(f"{camera}: {index.frames.used[camera]} of {arrived} frames are in sets{why}")
    return said
