"""Poses of a hand and of a board from two clocks, brought to one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial.transform import Rotation, Slerp

from robo_reward.calibration.refusal import CalibrationError
from robo_reward.camera.pose import Pose
from robo_reward.errors import DataSetError

_RATE = 50.0
"""At which angular speeds are compared [1/s]."""
_HALF_SPAN = 0.15
"""Half the span over which an angular speed is taken [s]; shorter ones are noise."""
_MIN_MOMENTS = 30
_SLOW = 1 / 3
"""Share of the moments that counts as slow."""
_MIN_OVERLAP = 0.5
"""Share of the shorter stream that must lie within the longer one."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PoseStream:
    """Poses of one frame in another over time.

    Raises:
        ValueError: Arrays of different length, fewer than two poses, stamps that do not increase, numbers that are not
            finite, or quaternions of a length other than 1.
    """

    stamp: Float64[np.ndarray, " time"]
    """[s], strictly increasing."""
    translation: Float64[np.ndarray, "time 3"]
    """[m]"""
    quaternion_xyzw: Float64[np.ndarray, "time 4"]

    def __post_init__(self) -> None:
        if not len(self.stamp) == len(self.translation) == len(self.quaternion_xyzw) >= 2:
            raise ValueError(f"a pose stream needs at least two poses, as many of each, got {len(self.stamp)} stamps")
        values = (self.stamp, self.translation, self.quaternion_xyzw)
        if not all(np.isfinite(each).all() for each in values):
            raise ValueError("stamps and poses must be finite")
        if (np.diff(self.stamp) <= 0).any():
            raise ValueError("stamps must increase strictly")
        if np.abs(np.linalg.norm(self.quaternion_xyzw, axis=1) - 1).max() > 1e-3:
            raise ValueError("quaternions must have length 1")

    @classmethod
    def of(cls, stamp: Float64[np.ndarray, " time"], poses: Sequence[Pose]) -> "PoseStream":
        """Make a stream of poses."""
        turned = Rotation.from_matrix([pose.rotation for pose in poses]).as_quat()
        return cls(stamp=stamp, translation=np.array([pose.translation for pose in poses]), quaternion_xyzw=turned)

    def at(self, stamp: Float64[np.ndarray, " time"]) -> list[Pose]:
        """Give poses at other times, within the stream's own: lines between positions, arcs between attitudes."""
        turned = Slerp(self.stamp, Rotation.from_quat(self.quaternion_xyzw))(stamp).as_matrix()
        moved = np.stack([np.interp(stamp, self.stamp, axis) for axis in self.translation.T], axis=1)
        return [Pose(rotation=turn, translation=move) for turn, move in zip(turned, moved, strict=True)]

    def inverse(self) -> "PoseStream":
        """Give the poses the other way round."""
        back = Rotation.from_quat(self.quaternion_xyzw).inv()
        return PoseStream(stamp=self.stamp, translation=-back.apply(self.translation), quaternion_xyzw=back.as_quat())

    def angular_speed(self, stamp: Float64[np.ndarray, " time"], half_span: float) -> Float64[np.ndarray, " time"]:
        """Give how fast the frame turns [rad/s], over a span around each time."""
        turned = Slerp(self.stamp, Rotation.from_quat(self.quaternion_xyzw))
        # the last moments of a grid may lie a rounding error beyond the stream's end
        before, after = (np.clip(stamp + way * half_span, self.stamp[0], self.stamp[-1]) for way in (-1, 1))
        return (turned(before).inv() * turned(after)).magnitude() / (after - before)


def read_pose_stream(path: str | Path) -> PoseStream:
    """Read a CSV without header: t [s], x, y, z [m], qx, qy, qz, qw; rows that repeat a stamp are dropped.

    Raises:
        FileNotFoundError: There is no such file.
        DataSetError: Other than eight numbers in a row, or no poses.
    """
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
        if rows.shape[1] != 8:
            raise DataSetError(f"{path}: eight columns t,x,y,z,qx,qy,qz,qw are needed, got {rows.shape[1]}")
        _, first = np.unique(rows[:, 0], return_index=True)
        return PoseStream(stamp=rows[first, 0], translation=rows[first, 1:4], quaternion_xyzw=rows[first, 4:])
    except ValueError as error:
        raise DataSetError(f"{path} is no pose stream: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How two clocks differ."""

    offset: float
    """Hand's time of an event minus the camera's time of it [s]."""
    correlation: float
    """Of the angular speeds at that offset, in [-1, 1]."""


def align_streams(hand: PoseStream, camera: PoseStream, *, min_correlation: float = 0.7) -> Alignment:
    """Find the offset of two clocks at which hand and camera turn equally fast.

    The angular speed of a rigid body is the same in every frame on it, so neither pose needs to be known.

    Args:
        hand: Pose of the hand in the base (or the other way round).
        camera: Pose of the camera in the board (or the other way round).
        min_correlation: Less than that is refused, in [-1, 1].

    Raises:
        CalibrationError: No offset makes them alike; the message says what to do.

    Source:
        Furrer et al. 2017, "Evaluation of combined time-offset estimation and hand-eye calibration".
    """
    grids = [np.arange(each.stamp[0] + _HALF_SPAN, each.stamp[-1] - _HALF_SPAN, 1 / _RATE) for each in (hand, camera)]
    if min(len(grid) for grid in grids) < _RATE:
        raise CalibrationError("the streams are shorter than a second: record a motion of half a minute")
    first, second = (each.angular_speed(grid, _HALF_SPAN) for each, grid in zip((hand, camera), grids, strict=True))
    lags, correlation = _correlations(first, second)
    best = int(np.argmax(correlation))
    if not correlation[best] >= min_correlation:
        raise CalibrationError(
            f"hand and camera never turn alike (best correlation {correlation[best]:.2f}, {min_correlation:g} needed): "
            "are both streams of one recording? Turn the hand faster and in all directions"
        )
    lag = lags[best] + _peak(correlation[max(best - 1, 0) : best + 2])
    return Alignment(offset=float(grids[0][0] - grids[1][0] + lag / _RATE), correlation=float(correlation[best]))


def paired_moments(
    hand: PoseStream, camera: PoseStream, alignment: Alignment, *, number: int, max_gap: float = 0.1
) -> tuple[Int64[np.ndarray, " pair"], Float64[np.ndarray, " pair"]]:
    """Pick moments at which the hand turned slowly, in attitudes that differ most.

    Where the hand turns fast, what is left of the clocks' difference weighs most; the slowest third of the moments is
    used. Farthest-point sampling on attitudes picks from these.

    Args:
        hand: Pose of the hand in the base, T_base_hand.
        camera: Pose of the board in the camera, T_camera_board.
        alignment: Of their clocks.
        number: How many moments are wanted.
        max_gap: Longest gap in the hand's stream that is bridged [s].

    Returns:
        Places in the camera's stream, and the same moments by the hand's clock [s].

    Raises:
        CalibrationError: The streams hardly overlap.
    """
    stamp = camera.stamp + alignment.offset
    inside = (stamp > hand.stamp[0] + _HALF_SPAN) & (stamp < hand.stamp[-1] - _HALF_SPAN)
    after = np.clip(np.searchsorted(hand.stamp, stamp), 1, len(hand.stamp) - 1)
    inside &= hand.stamp[after] - hand.stamp[after - 1] <= max_gap
    if inside.sum() < _MIN_MOMENTS:
        raise CalibrationError(f"the streams share {inside.sum()} moments, at least {_MIN_MOMENTS} are needed")
    moments = np.flatnonzero(inside)
    speed = hand.angular_speed(stamp[moments], _HALF_SPAN)
    slow = moments[speed <= np.quantile(speed, _SLOW)]
    picked = slow[_spread(Rotation.from_quat(camera.quaternion_xyzw[slow]), number)]
    return picked.astype(np.int64), stamp[picked]


def _correlations(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's correlation at every lag at which the streams overlap enough."""
    least = int(_MIN_OVERLAP * min(len(first), len(second)))
    lags = np.arange(least - len(second), len(first) - least + 1)
    found = []
    for lag in lags:
        start, end = max(0, lag), min(len(first), lag + len(second))
        one, other = first[start:end], second[start - lag : end - lag]
        moving = one.std() > 0 and other.std() > 0
        found.append(np.corrcoef(one, other)[0, 1] if moving else -1.0)
    return lags, np.array(found)


def _peak(three: np.ndarray) -> float:
    """Where the parabola through three equidistant values has its top, from the middle one."""
    if len(three) < 3 or (bend := three[0] - 2 * three[1] + three[2]) >= 0:
        return 0.0
    return float(0.5 * (three[0] - three[2]) / bend)


def _spread(attitudes: Rotation, number: int) -> np.ndarray:
    picked = [0]
    distance = (attitudes[0].inv() * attitudes).magnitude()
    while len(picked) < min(number, len(attitudes)):
        picked.append(int(np.argmax(distance)))
        distance = np.minimum(distance, (attitudes[picked[-1]].inv() * attitudes).magnitude())
    return np.sort(picked)
