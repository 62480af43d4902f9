"""The most likely pose of an object near a first guess, from the pixels of one or several cameras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import least_squares

from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import RigCamera

_SINGULAR = 1e-14
"""Ratio of the information about the worst known direction to that about the best below which nothing is known."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RefinedPose:
    """The pose with the least reprojection error near a first guess."""

    pose: Pose
    """Of the object in the frame that the cameras' poses are in."""
    covariance: Float64[np.ndarray, "6 6"]
    """Of (translation [m], rotation vector [rad]), both along the axes of that frame."""
    residual_px: float
    """Root mean square distance of the pixels from the points' pictures [px]."""
    chi_squared: float
    """Sum of squared errors in standard deviations."""
    distance: Float64[np.ndarray, "camera point"]
    """Of each pixel from its point's picture, in standard deviations; NaN where the point was not seen."""


def refine_pose(
    start: Pose,
    points_object: Float64[np.ndarray, "point 3"],
    pixels: Float64[np.ndarray, "camera point 2"],
    cameras: Sequence[RigCamera],
    *,
    pixel_std: float | Float64[np.ndarray, " point"] | Float64[np.ndarray, "camera point"],
) -> RefinedPose | None:
    """Refine a pose until the sum of squared errors [standard deviations] is least.

    Args:
        start: The first guess.
        points_object: The points in the object's own frame [m].
        pixels: Where each camera sees each; NaN where it does not.
        cameras: Poses in one frame.
        pixel_std: Standard deviation of a pixel coordinate, > 0 [px].

    Returns:
        The pose; None where the guess has a seen point behind its camera, or the pixels leave it undetermined.

    Raises:
        ValueError: A deviation that is not positive.
    """
    std = np.broadcast_to(np.asarray(pixel_std, np.float64), pixels.shape[:2])
    seen = np.asarray(np.isfinite(pixels).all(axis=-1))
    if not (std[seen] > 0).all():
        raise ValueError(f"pixel_std must be > 0 px, got {std[seen].min():g}")
    sights = _Sights(points_object, pixels, cameras, std, seen)
    if not np.isfinite(sights.errors(start)).all():
        return None
    fit = least_squares(
        lambda step: sights.errors(_moved(start, step)),
        np.zeros(6),
        # that of a step from where it has come to: equal to this one's but for the curvature, and zero where it is
        jac=lambda step: sights.slopes(_moved(start, step)),  # pyright: ignore[reportArgumentType]
        x_scale="jac",
        xtol=1e-10,
        ftol=1e-10,
        gtol=1e-10,
    )
    return _judged(_moved(start, fit.x), sights)


def _judged(pose: Pose, sights: "_Sights") -> RefinedPose | None:
    """Covariance and residuals of a pose; None where the pixels leave it undetermined."""
    slopes, errors = sights.slopes(pose), sights.errors(pose)
    information = slopes.T @ slopes
    known = np.sqrt(np.diag(information))
    if not (known > 0).all() or np.linalg.eigvalsh(information / np.outer(known, known))[0] < _SINGULAR:
        return None
    seen = sights.seen
    distance = np.full(seen.shape, np.nan)
    distance[seen] = np.linalg.norm(errors.reshape(-1, 2), axis=-1)
    return RefinedPose(
        pose=pose,
        covariance=np.linalg.inv(information),
        residual_px=float(np.sqrt(np.mean((distance[seen] * sights.std[seen]) ** 2))),
        chi_squared=float(errors @ errors),
        distance=distance,
    )


def _moved(pose: Pose, step: Float64[np.ndarray, "6"]) -> Pose:
    turn = Pose.from_rotation_vector(np.zeros(3), step[3:])
    return Pose(rotation=turn.rotation @ pose.rotation, translation=pose.translation + step[:3])


@dataclass(frozen=True, eq=False, slots=True)
class _Sights:
    points: np.ndarray
    pixels: np.ndarray
    cameras: Sequence[RigCamera]
    std: np.ndarray
    seen: np.ndarray

    def errors(self, pose: Pose) -> Float64[np.ndarray, " equation"]:
        placed, found = pose.apply(self.points), []
        for index, camera in enumerate(self.cameras):
            seen = self.seen[index]
            difference = camera.project(placed[seen]) - self.pixels[index, seen]
            found.append(difference / self.std[index, seen][:, None])
        return np.concatenate(found).ravel()

    def slopes(self, pose: Pose) -> Float64[np.ndarray, "equation 6"]:
        placed, found = pose.apply(self.points), []
        turned = placed - pose.translation
        by_step = np.concatenate([np.broadcast_to(np.eye(3), (len(placed), 3, 3)), -_cross(turned)], axis=-1)
        for index, camera in enumerate(self.cameras):
            seen, towards = self.seen[index], camera.T_base_camera.inverse()
            bent = camera.intrinsics.jacobian(towards.apply(placed[seen])) @ towards.rotation
            found.append(bent @ by_step[seen] / self.std[index, seen][:, None, None])
        return np.concatenate(found).reshape(-1, 6)


def _cross(vectors: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """[v]×, so that [v]× w = v × w."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
