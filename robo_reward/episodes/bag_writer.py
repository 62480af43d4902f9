"""Copies ROS 2 bags message by message, bit for bit, with more messages in between. Needs no ROS."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robo_reward.durable import flush, output_errors
from robo_reward.episodes.bag_file import BagFile, imported_rosbags
from robo_reward.errors import DataSetError

REWARD_STAMPED = "robo_reward_msgs/msg/RewardStamped"
FLOAT64 = "std_msgs/msg/Float64"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class AddedMessage:
    """A message that was not recorded."""

    topic: str
    kind: str
    """Its type: `REWARD_STAMPED`, or one that ROS 2 has."""
    received_ns: int
    """When a recorder would have received it [ns]."""
    fields: Mapping[str, Any]
    """Every field; mappings for messages inside messages, numpy arrays for arrays of numbers."""


def check_copy(bag: BagFile, topics: Iterable[str]) -> None:
    """Find out before hours of work whether a bag can be copied with messages on some more topics.

    Raises:
        DataSetError: The bag is one of ROS 1, has one of the topics, or does not define its types.
    """
    if bag.path.suffix == ".bag":
        raise DataSetError(
            f"{bag.path} is a bag of ROS 1, which is read only; rosbags-convert makes one of ROS 2 of it"
        )
    taken = sorted(set(topics) & set(bag.kinds))
    if taken:
        raise DataSetError(
            f"{bag.path} has messages on {', '.join(taken)} already; name a namespace for the new topics: "
            "bag_namespace=/offline"
        )
    connections, types = bag.connections()
    unknown = sorted({one.msgtype for one in connections} - set(types.fielddefs))
    if unknown:
        raise DataSetError(f"{bag.path} does not define the types {', '.join(unknown)}; it cannot be copied")


def copy_bag(bag: BagFile, folder: Path, added: Iterable[AddedMessage]) -> None:
    """Write all messages of a bag with their types, QoS and times, and the added ones in order of time among them.

    The copy is in the storage format of the bag, without compression, in one file; attachments are left out. An added
    message follows those that were received at the same time. The same bag and messages give the same bytes.

    Args:
        bag: What to copy; is not changed.
        folder: Must not exist; is whole only when this returns.
        added: In order of `received_ns`.

    Raises:
        DataSetError: The bag cannot be read.
        OutputError: The disk is full or the folder cannot be written.
    """
    rosbags = imported_rosbags()
    plugin = rosbags.rosbag2.StoragePlugin
    sqlite = any(".db3" in file.suffixes for file in (bag.path, *bag.path.glob("*")))
    storage = plugin.SQLITE3 if sqlite else plugin.MCAP
    with output_errors(folder):
        with rosbags.rosbag2.Writer(folder, version=9, storage_plugin=storage) as writer:
            _write(bag, writer, added)
        for file in folder.iterdir():
            flush(file)


def _write(bag: BagFile, writer: Any, added: Iterable[AddedMessage]) -> None:
    connections = _announced(bag, writer)
    store = store_with_rewards()
    topics: dict[str, Any] = {}

    def add(message: AddedMessage) -> None:
        if message.topic not in topics:
            topics[message.topic] = writer.add_connection(message.topic, message.kind, typestore=store)
        raw = store.serialize_cdr(_built(store, message.kind, message.fields), message.kind)
        writer.write(topics[message.topic], message.received_ns, raw)

    waiting = iter(added)
    following = next(waiting, None)
    for connection, received_ns, raw in bag.raw_messages():
        while following is not None and following.received_ns < received_ns:
            add(following)
            following = next(waiting, None)
        writer.write(connections[connection.id], received_ns, raw)
    while following is not None:
        add(following)
        following = next(waiting, None)


def _announced(bag: BagFile, writer: Any) -> dict[int, Any]:
    """Announce the topics of the bag; several publishers of one topic with the same QoS become one."""
    found: dict[int, Any] = {}
    same: dict[Any, Any] = {}
    connections, types = bag.connections()
    for one in connections:
        key = (one.topic, one.msgtype, repr(one.ext))
        if key not in same:
            kept = one.msgdef.data and one.digest
            same[key] = writer.add_connection(
                one.topic,
                one.msgtype,
                typestore=types,
                msgdef=one.msgdef.data if kept else None,
                rihs01=one.digest if kept else None,
                serialization_format=one.ext.serialization_format,
                offered_qos_profiles=one.ext.offered_qos_profiles,
            )
        found[one.id] = same[key]
    return found


def store_with_rewards() -> Any:
    """Give rosbags' types of the newest ROS, and with them the message of rewards."""
    rosbags = imported_rosbags()
    store = rosbags.typesys.get_typestore(rosbags.typesys.Stores.LATEST)
    store.register(rosbags.typesys.get_types_from_msg(_definition().read_text(encoding="utf-8"), REWARD_STAMPED))
    return store


def _definition() -> Path:
    """Find the message: inside an installed package, in the workspace beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    candidates = (
        package / "ros_messages" / "RewardStamped.msg",
        package.parent / "ros_ws" / "src" / "robo_reward_msgs" / "msg" / "RewardStamped.msg",
    )
    for file in candidates:
        if file.is_file():
            return file
    raise FileNotFoundError(f"RewardStamped.msg is neither at {candidates[0]} nor at {candidates[1]}: reinstall")


def _built(store: Any, kind: str, fields: Mapping[str, Any]) -> Any:
    """Make a message of its fields, and of messages inside it."""
    inside = {name: definition[1] for name, definition in store.fielddefs[kind][1]}
    values = {
        name: _built(store, inside[name], value) if isinstance(value, Mapping) else value
        for name, value in fields.items()
    }
    return store.types[kind](**values)
