"""A point in space from the pixels where several cameras see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import least_squares

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import RigCamera

_SINGULAR = 1e-12
"""Ratio of the information about the worst known direction to that about the best below which nothing is known."""

_UNSEEN = 1e9
"""Error of a step that leads out of a camera's sight, in standard deviations: no minimum lies there."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Triangulation:
    """Where a point is, how well that is known, and which cameras agree on it."""

    position: Float64[np.ndarray, "3"]
    """In the rig's base frame [m]; NaN where fewer than two cameras see the point or agree on it."""
    covariance: Float64[np.ndarray, "3 3"]
    """Of the position [m²], from the pixels' noise alone; NaN where the position is."""
    inlier: Bool[np.ndarray, " camera"]
    """Cameras that agree; a camera that saw the point and is none is an outlier."""
    residual_px: Float64[np.ndarray, " camera"]
    """Distance of each camera's pixel from the position's picture [px]; NaN where it did not see the point."""


def triangulate(
    cameras: Sequence[RigCamera],
    pixels: Float64[np.ndarray, "camera 2"],
    *,
    pixel_std: float | Float64[np.ndarray, " camera"],
    pixel_covariance: Float64[np.ndarray, "camera 2 2"] | None = None,
    gate: float = 4.0,
) -> Triangulation:
    """Give the most likely position of a point that several cameras see, without those that contradict the others.

        p = argmin Σ_i ‖Σ_i^(-½) (π_i(p) − u_i)‖²,   covariance = (Σ_i J_iᵀ Σ_i⁻¹ J_i)⁻¹,   Σ_i = std_i² I + given_i

    Where all agree, all count. Otherwise each pair of cameras proposes a position and the one that most cameras agree
    with wins. Two cameras that contradict each other, or two pairs that do with nobody to decide, give NaN.

    Args:
        cameras: From one rig.
        pixels: Where each sees the point; NaN where it does not.
        pixel_std: Standard deviation of a pixel coordinate, > 0, of all cameras or of each [px].
        pixel_covariance: Each pixel's own covariance that comes on top [px²]; None = none.
        gate: Distance of a pixel from the position's picture up to which a camera agrees, in standard deviations.

    Raises:
        ValueError: Numbers of cameras, pixels and deviations that differ, or a deviation or gate that is not positive.
    """
    whitening = _whitening(cameras, pixels, pixel_std=pixel_std, pixel_covariance=pixel_covariance)
    if not gate > 0:
        raise ValueError(f"gate must be > 0 standard deviations, got {gate}")
    sightings = [
        _Sighting(
            index,
            camera.intrinsics,
            camera.T_base_camera.inverse(),
            pixels[index],
            whitening[index],
            *camera.rays(pixels[index]),
        )
        for index, camera in enumerate(cameras)
    ]
    seeing = [each for each in sightings if np.isfinite(each.direction).all()]
    position = _agreed(seeing, gate=gate)
    if position is None:
        return _nowhere(len(cameras))
    inlier = np.zeros(len(cameras), bool)
    for each in seeing:
        inlier[each.index] = each.distance(position) <= gate
    seen = np.array([camera.project(position) for camera in cameras])
    return Triangulation(
        position=position,
        covariance=np.linalg.inv(_information([each for each in seeing if inlier[each.index]], position)),
        inlier=inlier,
        residual_px=np.sqrt(((seen - pixels) ** 2).sum(axis=-1)),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Sighting:
    index: int
    lens: Intrinsics
    T_camera_base: Pose
    pixel: Float64[np.ndarray, "2"]
    whitening: Float64[np.ndarray, "2 2"]
    origin: Float64[np.ndarray, "3"]
    direction: Float64[np.ndarray, "3"]

    def error(self, position: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "2"]:
        """Difference of the position's picture and the pixel, in standard deviations; NaN where it has no picture."""
        return self.whitening @ (self.lens.project(self.T_camera_base.apply(position)) - self.pixel)

    def slope(self, position: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "2 3"]:
        """Derivative of `error` by the position."""
        return self.whitening @ self.lens.jacobian(self.T_camera_base.apply(position)) @ self.T_camera_base.rotation

    def distance(self, position: Float64[np.ndarray, "3"], covariance: np.ndarray | None = None) -> float:
        """Length of `error`; with the covariance of a position that others gave, in deviations of what they expect."""
        error = self.error(position)
        if not np.isfinite(error).all():
            return np.inf
        if covariance is None:
            return float(np.sqrt(error @ error))
        slope = self.slope(position)
        return float(np.sqrt(error @ np.linalg.solve(np.eye(2) + slope @ covariance @ slope.T, error)))


def _agreed(seeing: Sequence[_Sighting], *, gate: float) -> Float64[np.ndarray, "3"] | None:
    """The position that most sightings agree on; None where no two do."""
    everyone = _fitted(seeing)
    if everyone is not None and all(each.distance(everyone) <= gate for each in seeing):
        return everyone
    best: dict[tuple[int, ...], tuple[float, np.ndarray]] = {}
    for pair in combinations(seeing, 2) if len(seeing) > 2 else ():
        agreeing, fitted = _proposed(pair, seeing, gate=gate)
        if fitted is not None:
            cost = sum(min(each.distance(fitted), gate) ** 2 for each in seeing)
            best[tuple(each.index for each in agreeing)] = (cost, fitted)
    if not best:
        return None
    most = max(map(len, best))
    winners = [group for group in best if len(group) == most]
    if most == 2 and len(winners) > 1:
        return None  # two pairs that contradict each other: nobody can say which is right
    return min((best[group] for group in winners), key=lambda found: found[0])[1]


def _proposed(
    pair: Sequence[_Sighting], seeing: Sequence[_Sighting], *, gate: float
) -> tuple[Sequence[_Sighting], Float64[np.ndarray, "3"] | None]:
    """Sightings that agree with what a pair proposes, and the position that fits them; None where it disagrees."""
    proposed = _fitted(pair)
    if proposed is None or any(each.distance(proposed) > gate for each in pair):
        return pair, None
    covariance = np.linalg.inv(_information(pair, proposed))
    agreeing = [each for each in seeing if each in pair or each.distance(proposed, covariance) <= gate]
    fitted = _fitted(agreeing)
    while fitted is not None:
        distances = [each.distance(fitted) for each in agreeing]
        if max(distances) <= gate:
            break
        del agreeing[int(np.argmax(distances))]
        fitted = _fitted(agreeing)
    return agreeing, fitted


def _fitted(sightings: Sequence[_Sighting]) -> Float64[np.ndarray, "3"] | None:
    """The most likely position of sightings; None where their rays do not meet in front of all cameras."""
    start = _nearest_to_rays(sightings)
    if start is None or not all(np.isfinite(each.error(start)).all() for each in sightings):
        return None

    def errors(position: np.ndarray) -> np.ndarray:
        found = np.concatenate([each.error(position) for each in sightings])
        return np.where(np.isnan(found), _UNSEEN, found)

    def slopes(position: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.concatenate([each.slope(position) for each in sightings]))

    position = least_squares(errors, start, jac=slopes, method="lm").x  # pyright: ignore[reportArgumentType]
    if not all(np.isfinite(each.error(position)).all() for each in sightings):
        return None
    known = np.linalg.eigvalsh(_information(sightings, position))
    return position if known[0] > _SINGULAR * known[-1] else None


def _nearest_to_rays(sightings: Sequence[_Sighting]) -> Float64[np.ndarray, "3"] | None:
    """The point with the least sum of squared distances to the rays; None where they are parallel."""
    if len(sightings) < 2:
        return None
    across = [np.eye(3) - np.outer(each.direction, each.direction) for each in sightings]
    total = np.sum(across, axis=0)
    if np.linalg.eigvalsh(total)[0] <= _SINGULAR:
        return None
    return np.linalg.solve(total, np.sum([a @ each.origin for a, each in zip(across, sightings, strict=True)], axis=0))


def _information(sightings: Sequence[_Sighting], position: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    slope = np.concatenate([each.slope(position) for each in sightings])
    return slope.T @ slope


def _whitening(
    cameras: Sequence[RigCamera],
    pixels: Float64[np.ndarray, "camera 2"],
    *,
    pixel_std: float | Float64[np.ndarray, " camera"],
    pixel_covariance: Float64[np.ndarray, "camera 2 2"] | None,
) -> Float64[np.ndarray, "camera 2 2"]:
    number = len(cameras)
    std = np.broadcast_to(np.asarray(pixel_std, np.float64), (number,)) if np.ndim(pixel_std) == 0 else pixel_std
    given = np.zeros((number, 2, 2)) if pixel_covariance is None else pixel_covariance
    if pixels.shape != (number, 2) or np.shape(std) != (number,) or given.shape != (number, 2, 2):
        raise ValueError(
            f"{number} cameras need as many pixels, deviations and covariances, "
            f"got shapes {pixels.shape}, {np.shape(std)} and {given.shape}"
        )
    if not np.all(np.asarray(std) > 0):
        raise ValueError(f"pixel_std must be > 0 px, got {pixel_std}")
    total = np.asarray(std)[:, None, None] ** 2 * np.eye(2) + np.where(np.isnan(given), 0.0, given)
    return np.linalg.inv(np.linalg.cholesky(total))


def _nowhere(number: int) -> Triangulation:
    return Triangulation(
        position=np.full(3, np.nan),
        covariance=np.full((3, 3), np.nan),
        inlier=np.zeros(number, bool),
        residual_px=np.full(number, np.nan),
    )
