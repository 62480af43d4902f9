"""What cameras see of a known object: the corners of markers on it, or key points of its surface."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8
from torch import Tensor

from robo_reward.camera.pose import Pose
from robo_reward.perception.patches import grey_of
from robo_reward.perception.point_tracker import PointTracker

_COARSE = 4.0
"""Deviation of corners that were found one by one, over that of corners between edges (rendered markers of 30 px)."""

_MARKER_KEYS = ("number", "size", "translation", "quaternion_wxyz")

_EDGE = 0.5
"""OpenCV's AprilTag refinement counts from the top left pixel's edge, as the AprilTag library does, whose published
corners it repeats to the digit; all else in OpenCV counts from that pixel's centre [px]."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Seen:
    """Where one camera sees an object's points; NaN where it does not."""

    pixels: Float64[np.ndarray, "time point 2"]
    std: Float64[np.ndarray, "time point"]
    """Standard deviation of a pixel coordinate [px]."""


@runtime_checkable
class ObjectSight(Protocol):
    """Finds an object's known points in a camera's frames; causal, piece by piece the same as whole."""

    @property
    def points(self) -> Float64[np.ndarray, "point 3"]:
        """The points in the object's own frame [m]."""
        ...

    @property
    def version(self) -> str:
        """Identifies points and settings."""
        ...

    def see(
        self,
        camera: str,
        frames: UInt8[Tensor, "time 3 height width"],
        present: Bool[Tensor, " time"],
        memory: Any | None,
    ) -> tuple[Seen, Any]:
        """Find the points in the next frames of an episode.

        Args:
            camera: Which camera's.
            frames: Oldest first, RGB.
            present: False where the camera gave no frame.
            memory: What the call before this one gave for this camera; None at the start of an episode.
        """
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Marker:
    """A square marker on an object.

    Raises:
        ValueError: A size that is not positive, or a negative number.
    """

    number: int
    """Its number in the dictionary."""
    size: float
    """Side of its black square [m]."""
    T_object_marker: Pose
    """The marker's frame has its origin in the centre, x to the right, y up and z out of the print."""

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(f"a marker's number must be >= 0, got {self.number}")
        if not self.size > 0:
            raise ValueError(f"a marker's size must be > 0 m, got {self.size}")

    @property
    def corners(self) -> Float64[np.ndarray, "4 3"]:
        """Its corners in the object's frame [m]: top left, top right, bottom right, bottom left."""
        square = self.size / 2 * np.array([[-1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, -1.0, 0.0]])
        return self.T_object_marker.apply(square)


@final
class FiducialSight:
    """Finds the corners of ArUco or AprilTag markers by OpenCV; each frame by itself.

    Corners are where lines through a marker's edges meet; of a marker too small or too oblique for that they are found
    one by one, with four times the deviation. Of a number that is seen twice in a frame nothing is told.

    Args:
        dictionary: OpenCV's name of it, such as `DICT_4X4_50` or `DICT_APRILTAG_36h11`.
        markers: The object's markers; a mapping {number, size, translation, quaternion_wxyz} is taken too, the pose
            being the marker's in the object's frame, by default the object's own.
        pixel_std: Standard deviation of the coordinate of a corner between edges [px].

    Raises:
        ValueError: An unknown dictionary, no marker, one twice or with a number that the dictionary does not have, a
            deviation that is not positive.
    """

    def __init__(
        self, *, dictionary: str, markers: Sequence[Marker | Mapping[str, Any]], pixel_std: float = 0.2
    ) -> None:
        self._markers = tuple(each if isinstance(each, Marker) else _marker(each) for each in markers)
        known = sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_"))
        if dictionary not in known:
            raise ValueError(f"unknown dictionary '{dictionary}'; available: {', '.join(known)}")
        book = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, dictionary))
        numbers = [marker.number for marker in self._markers]
        if not numbers or len(set(numbers)) != len(numbers) or max(numbers) >= len(book.bytesList):
            raise ValueError(
                f"markers must be at least one, none twice, with numbers in [0, {len(book.bytesList) - 1}]; "
                f"got {numbers}"
            )
        if not pixel_std > 0:
            raise ValueError(f"pixel_std must be > 0 px, got {pixel_std}")
        self._fine = _detector(book, cv2.aruco.CORNER_REFINE_APRILTAG)
        self._coarse = _detector(book, cv2.aruco.CORNER_REFINE_SUBPIX)
        self._dictionary, self._pixel_std = dictionary, float(pixel_std)
        self._points = np.concatenate([marker.corners for marker in self._markers])

    @property
    def points(self) -> Float64[np.ndarray, "point 3"]:
        """Four corners of each marker in the object's frame [m]."""
        return self._points

    @property
    def version(self) -> str:
        """Identifies dictionary, markers and deviation."""
        numbers = [marker.number for marker in self._markers]
        return _digest(["FiducialSight", self._dictionary, numbers, self._points.tolist(), self._pixel_std])

    def see(
        self,
        camera: str,
        frames: UInt8[Tensor, "time 3 height width"],
        present: Bool[Tensor, " time"],
        memory: None,
    ) -> tuple[Seen, None]:
        """Find the markers in each frame."""
        pixels = np.full((len(frames), len(self._markers), 4, 2), np.nan)
        std = np.full((len(frames), len(self._markers), 4), np.nan)
        for t, (frame, shown) in enumerate(zip(frames, present.tolist(), strict=True)):
            if shown:
                grey = grey_of(frame)
                coarse, fine = _corners(self._coarse, grey), _corners(self._fine, grey)
                for index, marker in enumerate(self._markers):
                    if marker.number in fine:
                        pixels[t, index], std[t, index] = fine[marker.number] - _EDGE, self._pixel_std
                    elif marker.number in coarse:
                        pixels[t, index], std[t, index] = coarse[marker.number], _COARSE * self._pixel_std
        return Seen(pixels=pixels.reshape(len(frames), -1, 2), std=std.reshape(len(frames), -1)), None


@final
class KeyPointSight:
    """Follows key points of an object's surface by their looks, each camera from a picture of its own.

    Args:
        points: The key points in the object's frame [m]; see `key_points_from_views` for those of a rig's pictures.
        trackers: Camera name to the tracker of these points, in their order. A camera without one sees nothing.

    Raises:
        ValueError: No tracker, or one of another number of points.
    """

    def __init__(self, *, points: Float64[np.ndarray, "point 3"], trackers: Mapping[str, PointTracker]) -> None:
        wrong = {name: tracker.num_points for name, tracker in trackers.items() if tracker.num_points != len(points)}
        if not trackers or wrong:
            raise ValueError(
                f"each camera's tracker must follow the object's {len(points)} points, got {wrong or 'none'}"
            )
        self._points, self._trackers = points, dict(trackers)

    @property
    def points(self) -> Float64[np.ndarray, "point 3"]:
        """The key points in the object's frame [m]."""
        return self._points

    @property
    def version(self) -> str:
        """Identifies points and trackers."""
        trackers = {name: tracker.version for name, tracker in sorted(self._trackers.items())}
        return _digest(["KeyPointSight", self._points.tolist(), trackers])

    def see(
        self,
        camera: str,
        frames: UInt8[Tensor, "time 3 height width"],
        present: Bool[Tensor, " time"],
        memory: Any | None,
    ) -> tuple[Seen, Any]:
        """Follow the points through the frames."""
        if camera not in self._trackers:
            nothing = np.full((len(frames), len(self._points)), np.nan)
            return Seen(pixels=np.repeat(nothing[..., None], 2, axis=-1), std=nothing), None
        tracked, memory = self._trackers[camera].follow(frames, present, memory)
        variance = (tracked.covariance[..., 0, 0] + tracked.covariance[..., 1, 1]) / 2
        return Seen(pixels=tracked.pixels, std=np.sqrt(variance)), memory


def _detector(book: cv2.aruco.Dictionary, refinement: int) -> cv2.aruco.ArucoDetector:
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = refinement
    return cv2.aruco.ArucoDetector(book, settings)


def _corners(detector: cv2.aruco.ArucoDetector, grey: np.ndarray) -> dict[int, np.ndarray]:
    """Corners by number; a number that is seen twice is not told."""
    corners, numbers, _ = detector.detectMarkers(grey)
    seen = [] if numbers is None else [int(each) for each in np.ravel(numbers)]
    return {
        number: np.asarray(each, np.float64).reshape(4, 2)
        for number, each in zip(seen, corners, strict=True)
        if seen.count(number) == 1
    }


def _marker(values: Mapping[str, Any]) -> Marker:
    if not {"number", "size"} <= set(values) <= set(_MARKER_KEYS):
        raise ValueError(f"a marker has the keys {', '.join(_MARKER_KEYS)}; got {dict(values)}")
    pose = Pose.from_quaternion_wxyz(
        np.array(values.get("translation", (0.0, 0.0, 0.0)), np.float64),
        np.array(values.get("quaternion_wxyz", (1.0, 0.0, 0.0, 0.0)), np.float64),
    )
    return Marker(number=int(values["number"]), size=float(values["size"]), T_object_marker=pose)


def _digest(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


_: tuple[type[ObjectSight], ...] = (FiducialSight, KeyPointSight)  # the type checker holds the protocol
