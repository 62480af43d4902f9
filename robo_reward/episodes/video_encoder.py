"""Encodes RGB frames into an H.264 file, the same frames to the same bytes."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, final

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

# Without looking ahead, x264 gave the same bytes in every run; with its default look-ahead, about 2 in 100 differed
_X264 = "threads=1:lookahead-threads=1:sync-lookahead=0:rc-lookahead=0:mbtree=0"


@final
class VideoEncoder:
    """One H.264 file (yuv420p, no B-frames), frame k shown at k / fps seconds.

    x264 runs on one thread with no clock and no random number, and the file carries no date: equal frames give equal
    bytes with the same x264.

    Args:
        path: The file to write; it is whole only after `close`.
        size: (height, width) [px], even numbers: chroma is stored at half the size.
        fps: Frames per second.
        crf: x264's constant rate factor in [0, 51].
        key_frame_every: Frames between key frames.
    """

    def __init__(self, path: Path, size: tuple[int, int], *, fps: float, crf: int, key_frame_every: int) -> None:
        rate = Fraction(fps).limit_denominator(1001)
        self._container: Any = av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"})
        options = {"crf": str(crf), "preset": "veryfast", "bf": "0", "x264-params": _X264}
        stream: Any = self._container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = key_frame_every
        stream.codec_context.time_base = 1 / rate
        self._stream = stream
        self._reformatter = VideoReformatter()
        self.path = path
        self.num_frames = 0
        """Frames given so far."""
        self.num_bytes = 0
        """Encoded bytes so far; the encoder may hold back a few frames."""

    def add(self, picture: UInt8[np.ndarray, "height width 3"], *, key_frame: bool) -> None:
        """Encode the next frame, as a key frame if it begins an episode."""
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame: Any = self._reformatter.reformat(rgb, format="yuv420p", threads=1)
        frame.pts = self.num_frames
        if key_frame:
            frame.pict_type = PictureType.I
        self.num_frames += 1
        self._write(frame)

    def close(self) -> None:
        """Write what is held back and the table of contents."""
        self._write(None)
        self._container.close()

    def _write(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self.num_bytes += packet.size
            self._container.mux(packet)


def video_info(size: Sequence[int], fps: float) -> dict[str, Any]:
    """The entry `info` of a feature that `VideoEncoder` writes."""
    return {
        "video.height": size[0],
        "video.width": size[1],
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": int(fps) if fps == int(fps) else fps,
        "video.channels": 3,
        "has_audio": False,
    }
