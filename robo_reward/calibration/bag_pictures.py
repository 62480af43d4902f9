"""Pictures of a ROS 1 or ROS 2 bag, raw or compressed, without ROS."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from robo_reward.calibration.pictures import Picture, ReadingSettings
from robo_reward.errors import DataSetError

_RAW, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_TO_GREY: Mapping[str, tuple[int, int | None]] = {
    "mono8": (1, None),
    "8UC1": (1, None),
    "rgb8": (3, cv2.COLOR_RGB2GRAY),
    "bgr8": (3, cv2.COLOR_BGR2GRAY),
    "8UC3": (3, cv2.COLOR_BGR2GRAY),
    "rgba8": (4, cv2.COLOR_RGBA2GRAY),
    "bgra8": (4, cv2.COLOR_BGRA2GRAY),
}
"""Encoding to its channels and the way to grey."""


class BagPictures:
    """The pictures of one image topic of a bag.

    Args:
        bag: The bag's folder or file.
        settings: Which topic, and every so-manieth message.

    Raises:
        DataSetError: rosbags is not installed; no bag; or not exactly one image topic where none is named.
    """

    def __init__(self, bag: Path, *, settings: ReadingSettings) -> None:
        self._bag, self._every = bag, settings.every
        self._topic, self._messages = self._chosen(settings.topic)

    def count(self) -> int:
        """How many messages are looked at."""
        return -(-self._messages // self._every)

    def __iter__(self) -> Iterator[Picture]:
        """Decode them one by one; the stamp is the message header's.

        Raises:
            DataSetError: An encoding that is not read.
        """
        with self._open() as reader:
            wanted = [connection for connection in reader.connections if connection.topic == self._topic]
            for place, (connection, _, raw) in enumerate(reader.messages(connections=wanted)):
                if place % self._every:
                    continue
                message = reader.deserialize(raw, connection.msgtype)
                stamp = message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec
                grey = self._decode(connection.msgtype, message)
                yield Picture(name=f"{self._topic} message {place}", stamp=stamp, place=place, grey=grey)

    def _open(self) -> Any:
        rosbags = _rosbags()
        try:
            store = rosbags.typesys.get_typestore(rosbags.typesys.Stores.ROS2_HUMBLE)
            return rosbags.highlevel.AnyReader([self._bag], default_typestore=store)
        except (rosbags.highlevel.AnyReaderError, OSError) as error:
            raise DataSetError(f"{self._bag} is no ROS bag: {error}") from error

    def _chosen(self, topic: str | None) -> tuple[str, int]:
        error_type = _rosbags().highlevel.AnyReaderError
        try:
            with self._open() as reader:
                image_topics = {
                    name: info.msgcount for name, info in reader.topics.items() if info.msgtype in (_RAW, _COMPRESSED)
                }
        except error_type as error:
            raise DataSetError(f"{self._bag} is no ROS bag: {error}") from error
        names = ", ".join(sorted(image_topics)) or "none"
        if topic is not None and topic not in image_topics:
            raise DataSetError(f"{self._bag} has no image topic '{topic}'; there are {names}")
        if topic is None and len(image_topics) != 1:
            raise DataSetError(f"{self._bag}: name one image topic; there are {names}")
        chosen = topic or next(iter(image_topics))
        return chosen, image_topics[chosen]

    def _decode(self, kind: str, message: Any) -> UInt8[np.ndarray, "height width"]:
        decode: Callable[[Any], np.ndarray | None] = _compressed if kind == _COMPRESSED else _raw
        grey = decode(message)
        if grey is None:
            found = getattr(message, "encoding", getattr(message, "format", "?"))
            raise DataSetError(f"{self._bag}: encoding '{found}' is not read; raw ones are {', '.join(_TO_GREY)}")
        return np.ascontiguousarray(grey, np.uint8)


def _raw(message: Any) -> np.ndarray | None:
    if message.encoding not in _TO_GREY:
        return None
    channels, conversion = _TO_GREY[message.encoding]
    # rows may be padded: `step` bytes each
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    picture = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
    return picture[..., 0] if conversion is None else cv2.cvtColor(picture, conversion)


def _compressed(message: Any) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_GRAYSCALE)


def _rosbags() -> ModuleType:
    try:
        import rosbags.highlevel  # noqa: PLC0415 (an extra)
        import rosbags.typesys  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DataSetError(
            "ROS bags are read with rosbags, which is not here: pip install 'robo-reward[bags]'"
        ) from error
    return rosbags
