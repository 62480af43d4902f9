"""One ROS bag (mcap, sqlite3 or ROS 1) as a sequence of messages, read by rosbags, without ROS."""

import sqlite3
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, final

from robo_reward.errors import DataSetError
from robo_reward.stamps import nanoseconds

SUFFIXES = (".mcap", ".db3", ".bag")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class BagMessage:
    """A message as it was recorded."""

    topic: str
    kind: str
    """Its type, such as `sensor_msgs/msg/Image`."""
    received_ns: int
    """When the recorder received it [ns]."""
    content: Any
    """Its fields, as rosbags gives them."""

    @property
    def stamp_ns(self) -> int:
        """The header's stamp [ns]; when it was received, for messages without a header."""
        header = getattr(self.content, "header", None)
        return self.received_ns if header is None else nanoseconds(header.stamp.sec, header.stamp.nanosec)


@final
class BagFile:
    """A bag in a folder (with `metadata.yaml`) or a single file.

    Args:
        path: The folder or file.

    Raises:
        ModuleNotFoundError: rosbags is not installed.
        DataSetError: No bag, or one that was cut off while it was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.opened() as reader:
            self.kinds: Mapping[str, str] = {name: info.msgtype or "" for name, info in reader.topics.items()}
            """Topic to type; empty where messages of several types share a topic."""
            self.counts: Mapping[str, int] = {name: info.msgcount for name, info in reader.topics.items()}
            """Topic to number of messages."""

    def topics(self, *kinds: str) -> list[str]:
        """Topics of these types, sorted."""
        return sorted(name for name, kind in self.kinds.items() if kind in kinds)

    def messages(
        self, topics: Collection[str], *, first_ns: int | None = None, last_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """Read the messages of some topics that were received from `first_ns` to `last_ns`, in that order.

        Raises:
            DataSetError: A message that cannot be read.
        """
        with self.opened() as reader:
            wanted = [connection for connection in reader.connections if connection.topic in topics]
            stop = None if last_ns is None else last_ns + 1
            # an empty list would mean all
            for connection, received_ns, raw in reader.messages(wanted, first_ns, stop) if wanted else ():
                yield BagMessage(
                    topic=connection.topic,
                    kind=connection.msgtype,
                    received_ns=received_ns,
                    content=reader.deserialize(raw, connection.msgtype),
                )

    def raw_messages(self) -> Iterator[tuple[Any, int, bytes]]:
        """Give every message as (connection, received [ns], bytes), in the order in which they were received.

        Raises:
            DataSetError: The bag is damaged.
        """
        with self.opened() as reader:
            yield from reader.messages()

    def connections(self) -> tuple[Sequence[Any], Any]:
        """Give rosbags' connections and the store of their types.

        Raises:
            DataSetError: The bag is damaged.
        """
        with self.opened() as reader:
            return list(reader.connections), reader.typestore  # closing empties the list

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Open it with rosbags; what goes wrong while it is open is told as a fault of the bag."""
        rosbags = imported_rosbags()
        try:
            store = rosbags.typesys.get_typestore(rosbags.typesys.Stores.LATEST)
            with rosbags.highlevel.AnyReader([self.path], default_typestore=store) as reader:
                yield reader
        except _faults(rosbags) as error:
            cut = "; a recorder that was killed leaves its file without an end: `mcap recover` mends it"
            hint = cut if "end magic" in str(error) or "footer" in str(error) else ""
            raise DataSetError(f"{self.path} is no whole ROS bag: {error or repr(error)}{hint}") from error


def _faults(rosbags: ModuleType) -> tuple[type[BaseException], ...]:
    """Give what rosbags lets through when bytes are not what they should be: lengths, tables, offsets and text."""
    storage = rosbags.rosbag2
    return (
        rosbags.highlevel.AnyReaderError,
        storage.ReaderError,
        rosbags.typesys.TypesysError,
        getattr(storage.storage_sqlite3, "apsw", sqlite3).Error,  # by release of rosbags
        storage.reader.zstd.ZstdError,
        struct.error,
        AssertionError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,  # a damaged length
        OSError,
        OverflowError,
        TypeError,
        ValueError,
    )


def bags_at(path: Path) -> list[Path]:
    """Find the bags at a path: the path itself, or those in it, in the order of their names.

    Raises:
        DataSetError: Nothing there, or no bag.
    """
    if not path.exists():
        raise DataSetError(f"{path} is not there; name a bag, or a folder of bags")
    if path.is_file() or (path / "metadata.yaml").is_file():
        return [path]
    inside = sorted(path.iterdir())
    found = [entry for entry in inside if entry.suffix in SUFFIXES or (entry / "metadata.yaml").is_file()]
    if not found:
        raise DataSetError(f"{path} holds no bag: no metadata.yaml, no folder with one, and no {', '.join(SUFFIXES)}")
    return found


def imported_rosbags() -> ModuleType:
    """Import rosbags, an extra.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how to install it.
    """
    try:
        import rosbags.highlevel  # noqa: PLC0415
        import rosbags.rosbag2  # noqa: PLC0415
        import rosbags.typesys  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("reading ROS bags needs rosbags: pip install 'robo-reward[bags]'") from error
    return rosbags
