"""Pictures of an episode of a bag, set by set: read once in the order of the bag, few in memory at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from robo_reward.episodes.bag_file import BagMessage
from robo_reward.episodes.bag_index import RecordedEpisode
from robo_reward.episodes.ros_images import rgb_of_message
from robo_reward.errors import DataSetError


def messages_in_sets(recorded: RecordedEpisode, topics: Mapping[str, str]) -> Iterator[Mapping[str, BagMessage | None]]:
    """Give the image messages of each set, in order; None where an optional camera gave none.

    Args:
        recorded: The episode.
        topics: Camera to topic.

    Raises:
        DataSetError: The bag is no longer what it was.
    """
    camera_of = {topic: camera for camera, topic in topics.items()}
    wanted = {
        (camera, frame.received_ns, frame.stamp_ns)
        for one in recorded.sets
        for camera, frame in one.frames.frames.items()
        if frame is not None
    }
    first, last = (choose(received for _, received, _ in wanted) for choose in (min, max))
    messages = recorded.bag.messages(list(topics.values()), first_ns=first, last_ns=last)
    read: dict[tuple[str, int, int], BagMessage] = {}
    for one in recorded.sets:
        found: dict[str, BagMessage | None] = {}
        for camera, frame in one.frames.frames.items():
            key = None if frame is None else (camera, frame.received_ns, frame.stamp_ns)
            while key is not None and key not in read:
                message = next(messages, None)
                if message is None:
                    raise DataSetError(f"{recorded.bag.path} changed while it was read: a picture of {camera} is gone")
                name = (camera_of[message.topic], message.received_ns, message.stamp_ns)
                if name in wanted:
                    wanted.remove(name)  # the first of several with the same times is the one in the set
                    read[name] = message
            found[camera] = None if key is None else read.pop(key)
        yield found


def rgb_in_sets(
    recorded: RecordedEpisode, topics: Mapping[str, str]
) -> Iterator[Mapping[str, UInt8[np.ndarray, "height width 3"] | None]]:
    """Give the decoded pictures of each set, in order; None where an optional camera gave none.

    Raises:
        DataSetError: A picture is damaged.
    """
    for messages in messages_in_sets(recorded, topics):
        yield {camera: None if message is None else _rgb(recorded, message) for camera, message in messages.items()}


def identity_of_picture(content: Any) -> bytes:
    """Give bytes that are equal exactly where an image message shows the same: all fields but its header."""
    fields = ("encoding", "height", "width", "step", "format")
    facts = repr([getattr(content, name, None) for name in fields]).encode()
    pixels = np.asarray(content.data).tobytes()
    return len(facts).to_bytes(8, "little") + facts + len(pixels).to_bytes(8, "little") + pixels


def _rgb(recorded: RecordedEpisode, message: BagMessage) -> UInt8[np.ndarray, "height width 3"]:
    try:
        return rgb_of_message(message.content)
    except ValueError as error:
        at = f"topic '{message.topic}', message received at {message.received_ns * 1e-9:.3f} s"
        raise DataSetError(f"{recorded.bag.path}: {at}: {error}") from error
