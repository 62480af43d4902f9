"""A thing of one colour, found in the frames of one camera."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8
from torch import Tensor

from robo_reward.perception.point_tracker import TrackedPoints

RgbPicture = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ColourMemory:
    """What the tracker carries along: where the thing was in the newest frame, and how large it was at most."""

    pixels: Float64[np.ndarray, "1 2"]
    covariance: Float64[np.ndarray, "1 2 2"]
    largest: int
    """Pixels of the largest region since the episode began."""


@final
class ColourTracker:
    """Finds the middle of the largest region of one colour; each frame by itself, but for how large the thing is.

    A pixel is of the colour if its hue is within `hue_tolerance` of it and it is neither pale nor dark: light and
    shade change a thing's brightness and hardly its hue. The region's centre of mass stands for the thing's centre:
    it is that of a ball, and nearly that of what is as long as wide. Whatever is in front moves it, by less than the
    hidden share of the thing's radius, which is part of the covariance:

        std = min_std + (1 − A / A_max) √(A_max / π),   A pixels now, A_max at most since the episode began

    A thing that goes away from the camera counts as partly hidden, too. A region that touches the picture's edge, or
    is smaller than `min_area`, says nothing. Of two things of the colour the larger one counts: choose a colour that
    there is once. Piece by piece is the same as whole.

    Args:
        colour: Red, green and blue of the thing in this camera's pictures, from 0 to 255; a pixel's, in medium light.
        hue_tolerance: Largest difference of the hue [deg].
        min_saturation: In (0, 1]; a paler pixel has no colour.
        min_value: In [0, 1]; a darker pixel has none either.
        min_area: Of a region [px].
        min_std: Standard deviation of a pixel coordinate of a thing in full sight [px].

    Raises:
        ValueError: An argument outside its range, or a colour that is paler or darker than what counts.
    """

    num_points = 1

    def __init__(
        self,
        colour: Sequence[float],
        *,
        hue_tolerance: float = 12.0,
        min_saturation: float = 0.4,
        min_value: float = 0.15,
        min_area: int = 6,
        min_std: float = 0.25,
    ) -> None:
        if len(colour) != 3 or not all(0 <= each <= 255 for each in colour):
            raise ValueError(f"colour must be red, green and blue from 0 to 255, got {list(colour)}")
        if not 0 < hue_tolerance < 180 or not 0 < min_saturation <= 1 or not 0 <= min_value <= 1:
            raise ValueError(
                "hue_tolerance must be in (0, 180) deg, min_saturation in (0, 1] and min_value in [0, 1], got "
                f"{hue_tolerance}, {min_saturation} and {min_value}"
            )
        if min_area < 1 or not min_std > 0:
            raise ValueError(f"min_area must be >= 1 px and min_std > 0 px, got {min_area} and {min_std}")
        self._hue, saturation, value = _hsv(np.array([[colour]]).round().astype(np.uint8))[0, 0].tolist()
        self._tolerance, self._saturation, self._value = float(hue_tolerance), float(min_saturation), float(min_value)
        if saturation < self._saturation or value < self._value:
            raise ValueError(
                f"the colour {list(colour)} has the saturation {saturation:.2f} and the value {value:.2f}: at least "
                f"{min_saturation} and {min_value} count as a colour (min_saturation, min_value)"
            )
        self._area, self._std = int(min_area), float(min_std)

    @property
    def version(self) -> str:
        """Identifies colour and settings."""
        numbers = [self._hue, self._tolerance, self._saturation, self._value, self._area, self._std]
        return hashlib.sha256(repr(["ColourTracker", *numbers]).encode()).hexdigest()[:16]

    def follow(
        self,
        frames: UInt8[Tensor, "time 3 height width"],
        present: Bool[Tensor, " time"],
        memory: ColourMemory | None = None,
    ) -> tuple[TrackedPoints, ColourMemory | None]:
        """Find the thing in the next frames of an episode.

        Args:
            frames: Oldest first, RGB.
            present: False where the camera gave no frame.
            memory: What the call before this one gave; None at the start of an episode.
        """
        pixels, covariance = np.full((len(frames), 1, 2), np.nan), np.full((len(frames), 1, 2, 2), np.nan)
        for t, (frame, shown) in enumerate(zip(frames, present.tolist(), strict=True)):
            if shown:
                memory = self._next(frame.permute(1, 2, 0).contiguous().numpy(), memory)
                pixels[t], covariance[t] = memory.pixels, memory.covariance
        return TrackedPoints(pixels=pixels, covariance=covariance), memory

    def _next(self, picture: RgbPicture, memory: ColourMemory | None) -> ColourMemory:
        largest = 0 if memory is None else memory.largest
        found = self._region(picture)
        if found is None:
            return ColourMemory(pixels=np.full((1, 2), np.nan), covariance=np.full((1, 2, 2), np.nan), largest=largest)
        centre, area = found
        largest = max(largest, area)
        std = self._std + (1 - area / largest) * math.sqrt(largest / math.pi)
        return ColourMemory(pixels=centre[None], covariance=std**2 * np.eye(2)[None], largest=largest)

    def _region(self, picture: RgbPicture) -> tuple[Float64[np.ndarray, "2"], int] | None:
        """Centre and size of the largest region; None where none is whole and large enough."""
        hsv = _hsv(picture)
        away = np.abs((hsv[..., 0] - self._hue + 180) % 360 - 180)
        mask = (away <= self._tolerance) & (hsv[..., 1] >= self._saturation) & (hsv[..., 2] >= self._value)
        count, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        if count < 2:
            return None
        region = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        left, top, width, height, area = stats[region].tolist()
        cut = left == 0 or top == 0 or left + width == mask.shape[1] or top + height == mask.shape[0]
        return None if cut or area < self._area else (centres[region].astype(np.float64), area)


def _hsv(picture: RgbPicture) -> np.ndarray:
    """Hue [deg], saturation and value in [0, 1]."""
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
