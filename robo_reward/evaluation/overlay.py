"""A video per episode: the cameras side by side, and progress drawn below them as it comes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import OutputContainer
from jaxtyping import UInt8
from PIL import Image

from robo_reward.clip import Clip
from robo_reward.durable import atomic_file
from robo_reward.errors import OutputError
from robo_reward.evaluation.episode_evaluation import EpisodeEvaluation
from robo_reward.evaluation.overlay_panel import HEADER_HEIGHT, PANEL_HEIGHT, OverlayPanel

CAMERA_HEIGHT = 224
"""Cameras are shown at this height [px]."""
MINIMUM_WIDTH = 448
"""Narrower pictures are centred on black."""


@contextmanager
def overlay_video(
    path: Path, evaluation: EpisodeEvaluation, *, outcome: str | None, fps: float
) -> Iterator[Callable[[Clip], None]]:
    """Write an H.264 video of one episode; gives a function that takes its clips, oldest first.

    The file appears under its name when the block ends well; nothing is left of it otherwise. What does not change is
    drawn once: a frame costs two resized pictures, a copied column of the curve and one line of text.

    Args:
        path: The mp4 file.
        evaluation: What is drawn.
        outcome: How the episode was made, for the headline; None = not told.
        fps: Frame rate of the video [1/s].

    Raises:
        OutputError: The file cannot be written.
        ValueError: Another number of frames was given than the episode has.
    """
    writer: _Writer | None = None

    with atomic_file(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4") as container:

                def add(clip: Clip) -> None:
                    nonlocal writer
                    writer = writer or _Writer(container, evaluation, clip=clip, outcome=outcome, fps=fps)
                    writer.add(clip)

                yield add
                _check_whole(evaluation, 0 if writer is None else writer.row)
                if writer is not None:
                    writer.flush()
        except av.error.FFmpegError as err:
            raise OutputError(f"{path} cannot be written: {err.strerror or err}") from err


class _Writer:
    """Draws and encodes frame by frame; owns the picture that is drawn on."""

    def __init__(
        self, container: OutputContainer, evaluation: EpisodeEvaluation, *, clip: Clip, outcome: str | None, fps: float
    ) -> None:
        cameras = sum(_shown(frames[0, 0].permute(1, 2, 0).numpy()).shape[1] for frames in clip.views.values())
        width = max(MINIMUM_WIDTH, cameras + cameras % 2)
        self.row = 0
        self._left = (width - cameras) // 2
        self._canvas = np.zeros((HEADER_HEIGHT + CAMERA_HEIGHT + PANEL_HEIGHT, width, 3), np.uint8)
        self._panel = OverlayPanel(evaluation, width=width, outcome=outcome)
        self._canvas[:HEADER_HEIGHT] = self._panel.header()
        self._container = container
        self._stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(10_000))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, self._canvas.shape[0], "yuv420p"
        # a second thread encodes while the next frame is drawn; more would crowd out the decoder of the cameras
        self._stream.options = {"preset": "veryfast", "crf": "25", "threads": "2"}

    def add(self, clip: Clip) -> None:
        """Draw and encode every frame of the next clip."""
        for time in range(clip.stamp.shape[1]):
            self._draw([_shown(frames[0, time].permute(1, 2, 0).numpy()) for frames in clip.views.values()])
            self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(self._canvas, format="rgb24")))
            self.row += 1

    def flush(self) -> None:
        """Encode what is still held back."""
        self._container.mux(self._stream.encode())

    def _draw(self, cameras: list[UInt8[np.ndarray, "height _width 3"]]) -> None:
        left = self._left
        for camera in cameras:
            self._canvas[HEADER_HEIGHT : HEADER_HEIGHT + CAMERA_HEIGHT, left : left + camera.shape[1]] = camera
            left += camera.shape[1]
        self._panel.draw(self._canvas[HEADER_HEIGHT + CAMERA_HEIGHT :], self.row)


def _shown(picture: UInt8[np.ndarray, "_height _width 3"]) -> UInt8[np.ndarray, "_shown_height _shown_width 3"]:
    height, width = picture.shape[:2]
    if height == CAMERA_HEIGHT:
        return picture
    size = (max(1, round(width * CAMERA_HEIGHT / height)), CAMERA_HEIGHT)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def _check_whole(evaluation: EpisodeEvaluation, num_frames: int) -> None:
    expected = evaluation.episode.num_frames
    if num_frames != expected:
        raise ValueError(
            f"episode {evaluation.episode.index} has {expected} frames, {num_frames} were given to its video"
        )
