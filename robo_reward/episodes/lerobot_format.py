"""The words and paths of LeRobot data sets (v2.0, v2.1 and v3): features, file layout, limits. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

READABLE_VERSIONS = ("v2.0", "v2.1", "v3.0")
CHUNKS_SIZE = 1000
DATA_FILE_MB = 100
VIDEO_FILE_MB = 200
V2_DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
V2_VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"

_ARROW = {
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "float16": pa.float16(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
}
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one column or camera of a data set holds, as `meta/info.json` declares it.

    Raises:
        ValueError: An unknown dtype, an empty or non-positive shape, a picture that is not (height, width, 3).
    """

    dtype: str
    """`video` or `image` for cameras, else a numpy dtype name, `bool` or `string`."""
    shape: tuple[int, ...] = (1,)
    """Of one frame; `(1,)` is a scalar. Pictures: (height, width, channels)."""
    names: Any = None
    """Names of the entries along the axes, as recorded; None = unnamed."""
    info: Mapping[str, Any] | None = None
    """Cameras stored as video: `video.height`, `video.codec`, `video.fps`, …"""

    def __post_init__(self) -> None:
        if not (self.is_picture or self.dtype in _ARROW):
            raise ValueError(f"unknown dtype '{self.dtype}'; allowed: video, image, {', '.join(_ARROW)}")
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"shape must be positive and not empty, got {self.shape}")
        if self.is_picture and len(self.shape) != 3:
            raise ValueError(f"a picture's shape must be (height, width, channels), got {self.shape}")

    @property
    def is_picture(self) -> bool:
        """True for what a camera saw, stored as video or as images."""
        return self.dtype in ("video", "image")

    @property
    def is_camera(self) -> bool:
        """True for RGB pictures; depth maps are recorded data, not something that reward models see."""
        depth = any("is_depth_map" in key and value for key, value in (self.info or {}).items())
        # most declare (height, width, 3), some (3, height, width); what the file holds decides about the size
        return self.is_picture and not depth and 3 in (self.shape[0], self.shape[-1])

    @property
    def arrow_type(self) -> pa.DataType:
        """How parquet holds one frame of it."""
        if self.is_picture:
            return _IMAGE
        if self.shape == (1,):
            return _ARROW[self.dtype]
        kind = _ARROW[self.dtype]
        for _ in reversed(self.shape[1:]):
            kind = pa.list_(kind)
        return pa.list_(kind, self.shape[0])

    def to_json(self) -> dict[str, Any]:
        """The entry of `features` in `meta/info.json`."""
        entry: dict[str, Any] = {"dtype": self.dtype, "shape": list(self.shape), "names": self.names}
        return entry | ({"info": dict(self.info)} if self.info is not None else {})


def _always(dtype: str) -> Feature:
    return Feature(dtype=dtype)


ALWAYS: Mapping[str, Feature] = MappingProxyType(
    {
        "timestamp": _always("float32"),
        "frame_index": _always("int64"),
        "episode_index": _always("int64"),
        "index": _always("int64"),
        "task_index": _always("int64"),
    }
)
"""Columns that every v3 data set has; the writer fills them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSpan:
    """Where the pictures of one camera in one episode lie: a file, and the times within it."""

    path: Path
    start: float
    """Presentation time [s] in the file at which the episode's stamps count from zero."""
    end: float
    """Presentation time [s] just after the last frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedVideo:
    """Where the pictures of one camera in one episode lie in a v3 data set."""

    number: int
    """Running number of the camera's file, from 0, across chunks."""
    start: float
    """See `VideoSpan`."""
    end: float

    def to_row(self) -> dict[str, int | float]:
        """The entries under `videos/<camera>/` in the list of episodes."""
        chunk, file = divmod(self.number, CHUNKS_SIZE)
        return {"chunk_index": chunk, "file_index": file, "from_timestamp": self.start, "to_timestamp": self.end}

    def path(self, camera: str) -> str:
        """The file, within the data set."""
        chunk, file = divmod(self.number, CHUNKS_SIZE)
        return VIDEO_PATH.format(video_key=camera, chunk_index=chunk, file_index=file)


def check_name(name: str) -> None:
    """Raise ValueError for a column or camera that the writer cannot add: an empty name, a '/', or a filled-in one."""
    if not name or "/" in name or name in ALWAYS:
        raise ValueError(f"feature '{name}': must not be empty, hold '/', or be one of {', '.join(ALWAYS)}")


def numpy_dtype(feature: Feature) -> np.dtype[Any]:
    """The dtype of a numeric column in memory; strings are objects."""
    return np.dtype(object if feature.dtype == "string" else feature.dtype)
