"""Decodes the pictures of one episode from a video file, frame-exact and in chunks."""

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import Float64, UInt8

from robo_reward.errors import DataSetError

_THREADS = max(1, min(4, len(os.sched_getaffinity(0)) // 2))
"""Decoding threads per video: half of the processor at most, for whoever looks at the frames wants the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What a video file says about itself."""

    num_frames: int
    fps: float
    """Average frame rate [1/s]."""
    height: int
    width: int
    codec: str
    pixel_format: str


def video_facts(path: Path) -> VideoFacts:
    """Count the frames that a video file holds, without decoding them.

    Raises:
        DataSetError: The file is missing, is no video, or is truncated.
    """
    with _open(path) as container:
        stream = _video_stream(container, path)
        try:
            num_frames = sum(1 for packet in container.demux(stream) if packet.size)
        except av.error.FFmpegError as error:
            raise DataSetError(f"{path}: the video is damaged ({_reason(error)})") from error
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise DataSetError(f"{path}: the video names no frame rate")
        return VideoFacts(
            num_frames=num_frames,
            fps=float(rate),
            height=stream.height,
            width=stream.width,
            codec=stream.codec_context.codec.canonical_name,
            pixel_format=stream.pix_fmt,
        )


def decode(
    path: Path, seconds: Float64[np.ndarray, " time"], *, tolerance: float, num_frames: int
) -> Iterator[UInt8[np.ndarray, "time height width 3"]]:
    """Decode consecutive RGB frames shown at given times, in chunks of at most `num_frames`.

    Reading begins at the key frame before the first needed one. From there on every frame that the file holds must be
    one that is asked for, in order: a frame too many, too few or in between is an error, never skipped.

    Args:
        path: The video file.
        seconds: Presentation time of each frame in the file [s], increasing.
        tolerance: Largest difference from `seconds` [s]: half the time between frames.
        num_frames: Frames per chunk.

    Raises:
        DataSetError: The file is missing, truncated or damaged, or its frames are not those asked for.
    """
    with _open(path) as container:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _THREADS
        frames = _frames_from(container, stream, path, float(seconds[0]) - tolerance)
        shown = _matched(frames, path, seconds, tolerance=tolerance)
        for first in range(0, len(seconds), num_frames):
            count = min(num_frames, len(seconds) - first)
            chunk = np.empty((count, stream.height, stream.width, 3), np.uint8)
            for row in range(count):
                next(shown).into(chunk[row])
            yield chunk


def decode_at(
    path: Path, seconds: Float64[np.ndarray, " time"], rows: Sequence[int], *, tolerance: float
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Decode like `decode`, but give the RGB of some rows only: the others are decoded and not converted."""
    wanted = set(rows)
    with _open(path) as container:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _THREADS
        frames = _frames_from(container, stream, path, float(seconds[0]) - tolerance)
        for row, frame in enumerate(_matched(frames, path, seconds, tolerance=tolerance)):
            if row in wanted:
                picture = np.empty((stream.height, stream.width, 3), np.uint8)
                frame.into(picture)
                yield picture


def video_fingerprint(path: Path, *, first: int, num_frames: int) -> str:
    """SHA-256 of a video file's bytes and of a range of its frames; each file is read once per process."""
    if not path.is_file():
        raise DataSetError(f"{path}: the video is missing")
    state = path.stat()
    content = _file_digest(path, state.st_size, state.st_mtime_ns)
    return hashlib.sha256(f"{content} {first} {num_frames}".encode()).hexdigest()


@functools.lru_cache(maxsize=4096)
def _file_digest(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Shown:
    """One decoded frame, converted to RGB when someone wants it."""

    def __init__(self, frame: VideoFrame, reformatter: VideoReformatter, path: Path) -> None:
        self._frame, self._reformatter, self._path = frame, reformatter, path

    def into(self, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Convert into a row of a chunk, without an array in between."""
        height, width = picture.shape[:2]
        if (self._frame.height, self._frame.width) != (height, width):
            size = f"{self._frame.height}x{self._frame.width}"
            raise DataSetError(f"{self._path}: frames change size from {height}x{width} to {size}")
        plane: Any = self._reformatter.reformat(self._frame, format="rgb24", threads=1).planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)
        picture[:] = rows[:, : 3 * width].reshape(height, width, 3)


def _matched(
    frames: Iterator[VideoFrame], path: Path, seconds: Float64[np.ndarray, " time"], *, tolerance: float
) -> Iterator[_Shown]:
    """Pair each asked-for time with the next frame of the file; they must agree one by one to the end."""
    reformatter = VideoReformatter()
    for row, second in enumerate(seconds.tolist()):
        frame = next(frames, None)
        if frame is None:
            raise DataSetError(f"{path}: the video ends after {row} of the {len(seconds)} frames of the episode")
        if abs(float(frame.time or 0.0) - second) > tolerance:
            raise DataSetError(
                f"{path}: frame {row} of the episode is stamped {second:.6f} s, the video's next frame is shown at "
                f"{frame.time:.6f} s; at most {tolerance:.6f} s (half a frame) apart is allowed"
            )
        yield _Shown(frame, reformatter, path)


def _frames_from(container: Any, stream: Any, path: Path, second: float) -> Iterator[VideoFrame]:
    """Decode from the first frame that is shown after `second`."""
    try:
        if second > 0:
            container.seek(int(second / stream.time_base), stream=stream, backward=True, any_frame=False)
        for frame in container.decode(stream):
            if frame.pts is None:
                raise DataSetError(f"{path}: a frame has no presentation time")
            if frame.time > second:
                yield frame
    except av.error.FFmpegError as error:
        raise DataSetError(f"{path}: the video is damaged ({_reason(error)})") from error


def _open(path: Path) -> Any:
    if not path.is_file():
        raise DataSetError(f"{path}: the video is missing")
    try:
        return av.open(str(path))
    except av.error.FFmpegError as error:
        raise DataSetError(f"{path}: no readable video, perhaps truncated ({_reason(error)})") from error


def _video_stream(container: Any, path: Path) -> Any:
    if len(container.streams.video) != 1:
        raise DataSetError(f"{path}: holds {len(container.streams.video)} video streams; exactly 1 is allowed")
    return container.streams.video[0]


def _reason(error: av.error.FFmpegError) -> str:
    return error.strerror or type(error).__name__
