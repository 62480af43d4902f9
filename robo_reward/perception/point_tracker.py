"""Key points of one picture, followed through the frames of one camera."""

import hashlib
import math
from dataclasses import dataclass
from typing import final

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8
from torch import Tensor

from robo_reward.perception.patches import Grey, grey_of, inside, likeness, matching_covariance, template_place

_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 0.005)
_BACKGROUND = 1e-5
"""Smallest eigenvalue that OpenCV lets pass; texture is checked when the tracker is built."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TrackedPoints:
    """Where key points are in the frames of one camera; NaN where they are lost."""

    pixels: Float64[np.ndarray, "time point 2"]
    """Pixel (0, 0) is the centre of the top left pixel."""
    covariance: Float64[np.ndarray, "time point 2 2"]
    """Of each pixel [px²]."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TrackMemory:
    """What the tracker carries along: the last frame that was seen, and where the points were in it."""

    picture: UInt8[np.ndarray, "height width"]
    pixels: Float64[np.ndarray, "point 2"]
    covariance: Float64[np.ndarray, "point 2 2"]


@final
class PointTracker:
    """Follows key points of a reference picture through the frames of one camera.

    Each point is moved by pyramidal Lucas-Kanade from the frame before, and must come back to where it began when it
    is followed backwards. It is then anchored on the reference picture itself, so that errors do not add up; where its
    looks have changed too much for that, they do, and its covariance grows. A point that looks unlike the reference is
    lost, and found again where exactly one place of a frame looks like it. So is it found in the first frame. A frame
    that the camera did not give says nothing, and the next one is followed from the one before it. Causal; piece by
    piece is the same as whole, bit for bit.

        Σ = σ² (Σ_window ∇I ∇Iᵀ)⁻¹ + min_std² I,   σ² the difference of the windows, at least that of a camera's noise

    Rotation of the object in the picture by more than some 20 degrees, or twice the size, counts as another look.

    Args:
        reference: A picture of this camera that shows the points, RGB.
        pixels: Where they are in it; NaN for one that this camera does not see, which stays lost.
        window: Side of the square that is followed [px], odd, from 7.
        max_return: Distance from its beginning at which a point followed there and back is lost [px].
        min_likeness: Correlation with the reference below which a point is lost, in (0, 1).
        min_std: Standard deviation of a pixel coordinate under the best circumstances [px].

    Raises:
        ValueError: An argument outside its range, a point so near the reference's edge that its window leaves it, or
            one without texture in two directions.

    Source:
        Lucas & Kanade 1981; Bouguet 2001 (OpenCV's pyramids); Kalal et al. 2010 (forward-backward error).
    """

    def __init__(
        self,
        reference: UInt8[Tensor, "3 height width"],
        pixels: Float64[np.ndarray, "point 2"],
        *,
        window: int = 21,
        max_return: float = 1.0,
        min_likeness: float = 0.7,
        min_std: float = 0.1,
    ) -> None:
        if window < 7 or window % 2 == 0:
            raise ValueError(f"window must be odd and at least 7 px, got {window}")
        if not max_return > 0 or not min_std > 0:
            raise ValueError(f"max_return and min_std must be > 0 px, got {max_return} and {min_std}")
        if not 0 < min_likeness < 1:
            raise ValueError(f"min_likeness must be in (0, 1), got {min_likeness}")
        self._reference, self._pixels = grey_of(reference), pixels.copy()
        self._window, self._max_return = window, float(max_return)
        self._min_likeness, self._min_std = float(min_likeness), float(min_std)
        self._check_points()

    @property
    def num_points(self) -> int:
        """How many points are followed."""
        return len(self._pixels)

    @property
    def version(self) -> str:
        """Identifies the reference, its points and the settings."""
        numbers = [self._window, self._max_return, self._min_likeness, self._min_std]
        digest = hashlib.sha256(self._reference.tobytes())
        digest.update(repr([self._reference.shape, self._pixels.tolist(), numbers]).encode())
        return digest.hexdigest()[:16]

    def follow(
        self,
        frames: UInt8[Tensor, "time 3 height width"],
        present: Bool[Tensor, " time"],
        memory: TrackMemory | None = None,
    ) -> tuple[TrackedPoints, TrackMemory | None]:
        """Follow the points through the next frames of an episode.

        Args:
            frames: Oldest first, of the reference's size.
            present: False where the camera gave no frame.
            memory: What the call before this one gave; None at the start of an episode.

        Raises:
            ValueError: Frames of another size than the reference.
        """
        pixels = np.full((len(frames), self.num_points, 2), np.nan)
        covariance = np.full((len(frames), self.num_points, 2, 2), np.nan)
        for t, (frame, shown) in enumerate(zip(frames, present.tolist(), strict=True)):
            if shown:
                memory = self._next(grey_of(frame), memory)
                pixels[t], covariance[t] = memory.pixels, memory.covariance
        return TrackedPoints(pixels=pixels, covariance=covariance), memory

    def _next(self, picture: Grey, memory: TrackMemory | None) -> TrackMemory:
        if picture.shape != self._reference.shape:
            raise ValueError(
                f"frames must be as high and wide as the reference picture, {self._reference.shape}, "
                f"got {picture.shape}"
            )
        pixels, covariance = np.full((self.num_points, 2), np.nan), np.full((self.num_points, 2, 2), np.nan)
        for index in np.flatnonzero(np.isfinite(self._pixels).all(axis=-1)).tolist():
            found = self._moved(picture, memory, index)
            found = self._found_again(picture, index) if found is None else found
            if found is not None:
                pixels[index], covariance[index] = found
        return TrackMemory(picture=picture, pixels=pixels, covariance=covariance)

    def _moved(self, picture: Grey, memory: TrackMemory | None, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Where a point went since the last frame; None where it was lost or is."""
        if memory is None or np.isnan(memory.pixels[index]).any():
            return None
        before = memory.pixels[index]
        now = self._tracked(memory.picture, picture, before, guess=before)
        if now is None:
            return None
        anchored = self._anchored(picture, index, guess=now)
        if anchored is not None and np.linalg.norm(anchored[0] - now) < 3 * self._max_return:
            return anchored
        if likeness(self._reference, self._pixels[index], picture, now, window=self._window) < self._min_likeness:
            return None
        step = matching_covariance(memory.picture, before, picture, now, window=self._window)
        covariance = memory.covariance[index] + step
        return None if np.trace(covariance) > (self._window / 4) ** 2 else (now, covariance)

    def _anchored(self, picture: Grey, index: int, *, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Where the reference's own window lies near a guess; None where nothing there looks like it."""
        home = self._pixels[index]
        place = self._tracked(self._reference, picture, home, guess=guess)
        if place is None or likeness(self._reference, home, picture, place, window=self._window) < self._min_likeness:
            return None
        noise = matching_covariance(self._reference, home, picture, place, window=self._window)
        return place, noise + self._min_std**2 * np.eye(2)

    def _found_again(self, picture: Grey, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Where the one place of the picture is that looks like the reference; None where none or several do."""
        guess = template_place(
            self._reference,
            self._pixels[index],
            picture,
            window=self._window,
            min_likeness=self._min_likeness,
        )
        return None if guess is None else self._anchored(picture, index, guess=guess)

    def _tracked(self, one: Grey, other: Grey, start: np.ndarray, *, guess: np.ndarray) -> np.ndarray | None:
        """Follow one point from a picture to another and back; None where it does not come back."""
        there = self._flow(one, other, start, guess=guess)
        if there is None or not inside(other, there):
            return None
        back = self._flow(other, one, there, guess=start)
        return None if back is None or np.linalg.norm(back - start) > self._max_return else there

    def _flow(self, one: Grey, other: Grey, start: np.ndarray, *, guess: np.ndarray) -> np.ndarray | None:
        place, found, _ = cv2.calcOpticalFlowPyrLK(
            one,
            other,
            start.astype(np.float32).reshape(1, 1, 2),
            guess.astype(np.float32).reshape(1, 1, 2),
            winSize=(self._window, self._window),
            maxLevel=3,
            criteria=_CRITERIA,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
            minEigThreshold=_BACKGROUND,
        )
        return place[0, 0].astype(np.float64) if found[0, 0] else None

    def _check_points(self) -> None:
        height, width = self._reference.shape
        half = self._window // 2
        for index, (right, down) in enumerate(self._pixels.tolist()):
            if math.isnan(right) or math.isnan(down):
                continue
            if not (half <= right <= width - 1 - half and half <= down <= height - 1 - half):
                raise ValueError(
                    f"point {index} at ({right:g}, {down:g}) is nearer than {half} px to the edge of its "
                    f"{width} x {height} px reference picture"
                )
            place = self._pixels[index]
            noise = matching_covariance(self._reference, place, self._reference, place, window=self._window)
            if not np.isfinite(noise).all() or np.sqrt(np.linalg.eigvalsh(noise)[-1]) > 1.0:
                raise ValueError(
                    f"point {index} at ({right:g}, {down:g}) of the reference picture has no texture in two "
                    "directions to follow it by; choose a corner or a pattern"
                )
