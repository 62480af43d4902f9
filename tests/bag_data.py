"""Small ROS 2 bags for tests, written with rosbags: pictures turn from red to green as the task is done."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
START = 1_763_716_500_123_456_789
"""The first stamp [ns]."""
MS = 1_000_000
PERIOD = 100 * MS


def message(kind: str, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def header(stamp_ns: int, frame_id: str = "camera") -> Any:
    sec, nanosec = divmod(stamp_ns, 10**9)
    stamp = message("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def raw_image(picture: np.ndarray, stamp_ns: int, *, encoding: str = "rgb8", padding: int = 0, **changes: Any) -> Any:
    """A sensor_msgs/Image of an array (height, width, channels) that is in the order of the encoding already."""
    height, width = picture.shape[:2]
    rows = np.full((height, picture[0].size + padding), 99, np.uint8)
    rows[:, : picture[0].size] = picture.reshape(height, -1)
    fields = {
        "header": header(stamp_ns),
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": 0,
        "step": rows.shape[1],
        "data": rows.reshape(-1),
    }
    return message("sensor_msgs/msg/Image", **(fields | changes))


def compressed_image(picture: np.ndarray, stamp_ns: int, *, kind: str = "PNG", said: str = "") -> Any:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    data = np.frombuffer(file.getvalue(), np.uint8)
    return message("sensor_msgs/msg/CompressedImage", header=header(stamp_ns), format=said or kind.lower(), data=data)


def float64(value: float) -> Any:
    return message("std_msgs/msg/Float64", data=value)


def string(text: str) -> Any:
    return message("std_msgs/msg/String", data=text)


def boolean(value: bool) -> Any:
    return message("std_msgs/msg/Bool", data=value)


def empty() -> Any:
    return message("std_msgs/msg/Empty", structure_needs_at_least_one_member=0)


def write_bag(
    folder: Path, events: Sequence[tuple[str, int, Any]], *, sqlite: bool = False, zstd: CompressionMode | None = None
) -> Path:
    """Write (topic, received_ns, message) in this order."""
    bag = Writer(folder, version=9, storage_plugin=StoragePlugin.SQLITE3 if sqlite else StoragePlugin.MCAP)
    if zstd is not None:
        bag.set_compression(zstd, CompressionFormat.ZSTD)
    with bag as writer:
        connections: dict[str, Any] = {}
        for topic, received_ns, content in events:
            kind = content.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], received_ns, STORE.serialize_cdr(content, kind))
    return folder


def red_to_green(length: int, *, end: float = 1.0, size: tuple[int, int] = (24, 32), seed: int = 0) -> np.ndarray:
    """Pictures (time, height, width, 3)."""
    share = np.linspace(0, end, length)[:, None, None, None]
    colour = np.array([255, 0, 0]) * (1 - share) + np.array([0, 255, 0]) * share
    noise = np.random.default_rng(seed).integers(-20, 20, (length, *size, 3))
    return (colour + noise).clip(0, 255).astype(np.uint8)


def two_cameras(
    length: int, *, start_ns: int = START, end: float = 1.0, delay: int = 7 * MS
) -> list[tuple[str, int, Any]]:
    """A front camera (raw, bgr8, padded rows) and a wrist camera (PNG, 4 ms later), as they are received."""
    films = red_to_green(length, end=end), red_to_green(length, end=end, seed=1)
    events = []
    for t in range(length):
        stamp = start_ns + t * PERIOD
        front = raw_image(films[0][t][..., ::-1], stamp, encoding="bgr8", padding=5)
        events.append(("/front/image_raw", stamp + delay, front))
        events.append(("/wrist/compressed", stamp + 4 * MS + delay, compressed_image(films[1][t], stamp + 4 * MS)))
    return events
