"""A few small pictures of an episode in a row, as one JPEG per camera."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from robo_reward.clip import Clip, Episode


class FilmStrip:
    """Picks frames at even distances from clips as they pass by, so that an episode is decoded once for all uses.

    Picture k of n shows the middle of the k-th n-th of the episode, so a strip lies over a curve of the same width.
    Owns the pictures picked so far; `add` must be called with consecutive clips, oldest first.

    Args:
        episode: The episode whose clips will be added.
        num_pictures: Pictures per camera; an episode with fewer frames repeats some.
        width: Width of the whole strip [px].

    Raises:
        ValueError: A number of pictures or a width that is not positive.
    """

    def __init__(self, episode: Episode, *, num_pictures: int = 8, width: int = 768) -> None:
        if num_pictures < 1 or width < num_pictures:
            raise ValueError(f"a strip needs at least 1 picture of 1 px, got {num_pictures} in {width} px")
        centres = (np.arange(num_pictures) + 0.5) / num_pictures * episode.num_frames
        self._rows = np.minimum(centres.astype(int), episode.num_frames - 1)
        self._width = width // num_pictures
        self._seen = 0
        self._pictures: dict[str, list[Image.Image]] = {camera: [] for camera in episode.cameras}

    def add(self, clip: Clip) -> None:
        """Pick from the next clip what belongs into the strip."""
        time = clip.stamp.shape[1]
        rows = self._rows[(self._rows >= self._seen) & (self._rows < self._seen + time)] - self._seen
        for camera, frames in clip.views.items():
            for row in rows:
                self._pictures[camera].append(self._small(frames[0, int(row)].permute(1, 2, 0).numpy()))
        self._seen += time

    def data_uris(self) -> Mapping[str, str]:
        """Give each camera's strip as a `data:` address of a JPEG."""
        return {camera: _data_uri(pictures) for camera, pictures in self._pictures.items()}

    def _small(self, picture: UInt8[np.ndarray, "height width 3"]) -> Image.Image:
        height = max(1, round(picture.shape[0] * self._width / picture.shape[1]))
        return Image.fromarray(picture).resize((self._width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _data_uri(pictures: list[Image.Image]) -> str:
    strip = Image.new("RGB", (sum(picture.width for picture in pictures), max(picture.height for picture in pictures)))
    left = 0
    for picture in pictures:
        strip.paste(picture, (left, 0))
        left += picture.width
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
