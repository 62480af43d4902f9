"""Which topics of a bag are cameras, states, instructions, outcomes and boundaries of episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from robo_reward.episodes.bag_file import BagFile
from robo_reward.episodes.ros_images import COMPRESSED_IMAGE, IMAGE
from robo_reward.errors import DataSetError

CAMERA_PREFIX = "observation.images."
STRING, BOOL = "std_msgs/msg/String", "std_msgs/msg/Bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTopic:
    """Which numbers of a topic's messages are a state, and in what unit: `scale · fields`.

    Raises:
        ValueError: No field, or a scale of 0.
    """

    topic: str
    fields: Sequence[str] = ("data",)
    """Paths into the message, as `robo_reward.episodes.ros_fields.numbers_of_message` reads them."""
    scale: float = 1.0
    """SI units per unit of the message."""

    def __post_init__(self) -> None:
        if not self.fields or isinstance(self.fields, str):
            raise ValueError(f"the fields of '{self.topic}' must be a list of at least one, got {self.fields!r}")
        if not self.scale:
            raise ValueError(f"the scale of '{self.topic}' must not be 0")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class BagTopics:
    """What to take from a bag, and where it is.

    Raises:
        ValueError: A topic that is asked for twice.
    """

    cameras: Mapping[str, str]
    """Camera, named as in LeRobot data sets, to its image topic."""
    state: Mapping[str, StateTopic] = field(default_factory=dict)
    instruction: str | None = None
    """The std_msgs/String that says the task; None = nobody does in the bag."""
    success: str | None = None
    """The std_msgs/Bool that says whether the task has succeeded; None = nobody does."""
    boundary: str | None = None
    """A topic of any type: each message begins another episode. None = nothing does."""

    def __post_init__(self) -> None:
        once = [*self.cameras.values(), *(name for name in (self.instruction, self.success, self.boundary) if name)]
        twice = sorted({name for name in once if once.count(name) > 1})
        if twice:
            raise ValueError(f"a topic can be one thing only; given twice: {', '.join(twice)}")

    @property
    def all(self) -> list[str]:
        """Every topic that is read."""
        told = [name for name in (self.instruction, self.success, self.boundary) if name is not None]
        return [*self.cameras.values(), *dict.fromkeys(state.topic for state in self.state.values()), *told]

    def check(self, bag: BagFile) -> None:
        """Find out before anything is read whether the bag has what is asked for.

        Raises:
            DataSetError: A topic that is not there, is empty or of another type; says which ones could be meant.
        """
        for camera, topic in self.cameras.items():
            _check(bag, topic, f"camera '{camera}'", (IMAGE, COMPRESSED_IMAGE))
        for name, state in self.state.items():
            _check(bag, state.topic, f"state '{name}'", ())
        # what is said now and then may be missing in one bag of several
        for topic, purpose, kind in (
            (self.instruction, "the instruction", STRING),
            (self.success, "success", BOOL),
        ):
            if topic is not None and topic in bag.kinds:
                _check_kind(bag, topic, purpose, (kind,))


def camera_topics(bag: BagFile, chosen: Mapping[str, str] | None) -> dict[str, str]:
    """Name the cameras as LeRobot does: `front` is `observation.images.front`; without a choice all image topics.

    `/front/image_raw` is then `observation.images.front.image_raw`, and so is `/front/image_raw/compressed`, which is
    taken where the raw pictures are not in the bag.

    Raises:
        DataSetError: The bag has no image topic.
    """
    if chosen is not None:
        return {CAMERA_PREFIX + name.removeprefix(CAMERA_PREFIX): topic for name, topic in chosen.items()}
    found = bag.topics(IMAGE, COMPRESSED_IMAGE)
    if not found:
        raise DataSetError(f"{bag.path} has no image topic; its topics are {_listed(bag.kinds)}")
    raw = {topic: topic.removesuffix("/compressed") for topic in found}
    kept = [topic for topic in found if raw[topic] == topic or raw[topic] not in found]
    return {CAMERA_PREFIX + raw[topic].strip("/").replace("/", "."): topic for topic in kept}


def state_topics(chosen: Mapping[str, Mapping[str, Any]]) -> dict[str, StateTopic]:
    """Check a choice of states.

    Raises:
        DataSetError: Fields that a `StateTopic` has not.
        ValueError: Values that a `StateTopic` does not allow.
    """
    allowed = [one.name for one in fields(StateTopic)]
    for name, given in chosen.items():
        if "topic" not in given or set(given) - set(allowed):
            raise DataSetError(f"state '{name}' has {sorted(given)}; allowed: {allowed}, of which topic is needed")
    return {name: StateTopic(**given) for name, given in chosen.items()}


def _check(bag: BagFile, topic: str, purpose: str, kinds: tuple[str, ...]) -> None:
    if topic not in bag.kinds:
        candidates = bag.topics(*kinds) if kinds else sorted(bag.kinds)
        what = "image topics" if IMAGE in kinds else "topics"
        raise DataSetError(f"{bag.path} has no topic '{topic}' for {purpose}; its {what} are {_listed(candidates)}")
    _check_kind(bag, topic, purpose, kinds)
    if not bag.counts[topic]:
        raise DataSetError(f"{bag.path}: topic '{topic}' for {purpose} has no message")


def _check_kind(bag: BagFile, topic: str, purpose: str, kinds: tuple[str, ...]) -> None:
    if kinds and bag.kinds[topic] not in kinds:
        found = bag.kinds[topic] or "several types"
        raise DataSetError(f"{bag.path}: topic '{topic}' for {purpose} must be {' or '.join(kinds)}, is {found}")


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
