"""The pose of an object whose points are known, from the pixels where they are seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float64

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.pose_refinement import RefinedPose, refine_pose
from robo_reward.camera.rig import RigCamera

MIN_POINTS = 4
"""Points that one camera must see: three leave up to four poses."""

_FLAT = 1e-6
"""Extent across a plane, relative to the extent within, below which points count as flat."""

_RIVAL = 9.0
"""Difference in χ² up to which the pixels do not tell two poses apart: three standard deviations."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ObjectPose:
    """Where an object is in a camera's optical frame, and how well that is known."""

    T_camera_object: Pose
    covariance: Float64[np.ndarray, "6 6"]
    """Of (translation [m], rotation vector [rad]), both along the camera's axes; from the pixels' noise alone.

    The true rotation is exp(δ) times the given one, δ drawn from the lower right block.
    """
    residual_px: float
    """Root mean square distance of the pixels from the points' pictures [px]."""
    rival: Pose | None
    """Another pose that explains the pixels about as well, as a flat target far away may have; None = there is none."""


def pose_from_points(
    points_object: Float64[np.ndarray, "point 3"],
    pixels: Float64[np.ndarray, "point 2"],
    intrinsics: Intrinsics,
    *,
    pixel_std: float | Float64[np.ndarray, " point"],
) -> ObjectPose:
    """Give the most likely pose of an object (PnP).

        T = argmin Σ_i ‖π(T p_i) − u_i‖² / std_i²,   covariance = (Σ_i J_iᵀ J_i / std_i²)⁻¹

    Args:
        points_object: The points in the object's own frame [m]; flat ones, as of a printed marker, are fine.
        pixels: Where each is seen; NaN where it is not.
        intrinsics: Of the camera.
        pixel_std: Standard deviation of a pixel coordinate, > 0, of all points or of each [px].

    Raises:
        ValueError: Fewer than `MIN_POINTS` points are seen, all on one line, or none of OpenCV's poses fits; numbers of
            points and pixels that differ, or a deviation that is not positive.
    """
    if points_object.shape[0] != pixels.shape[0]:
        raise ValueError(f"points and pixels must be as many, got {points_object.shape[0]} and {pixels.shape[0]}")
    camera = RigCamera(intrinsics=intrinsics, T_base_camera=Pose.identity())
    seen = visible(pixels, camera)
    _check_points(points_object[seen])
    refined = [
        refine_pose(start, points_object, pixels[None], [camera], pixel_std=pixel_std)
        for start in candidate_poses(points_object[seen], pixels[seen], intrinsics)
    ]
    best, rival = best_and_rival(refined)
    return ObjectPose(T_camera_object=best.pose, covariance=best.covariance, residual_px=best.residual_px, rival=rival)


def candidate_poses(
    points_object: Float64[np.ndarray, "point 3"], pixels: Float64[np.ndarray, "point 2"], intrinsics: Intrinsics
) -> list[Pose]:
    """Give OpenCV's closed-form poses of points that are all seen: two of flat ones (IPPE), else one (SQPNP)."""
    rays = intrinsics.unproject(pixels)
    flat = rays[:, :2] / rays[:, 2:]
    extent = np.linalg.svd(points_object - points_object.mean(axis=0), compute_uv=False)
    method = cv2.SOLVEPNP_IPPE if extent[2] < _FLAT * extent[0] else cv2.SOLVEPNP_SQPNP
    _, turns, shifts, _ = cv2.solvePnPGeneric(
        np.ascontiguousarray(points_object), np.ascontiguousarray(flat), np.eye(3), np.zeros(0), flags=method
    )
    poses = zip(shifts, turns, strict=True)
    return [
        Pose.from_rotation_vector(shift[:, 0], turn[:, 0])
        for shift, turn in poses
        if np.isfinite(shift).all() and np.isfinite(turn).all()
    ]


def best_and_rival(refined: Sequence[RefinedPose | None]) -> tuple[RefinedPose, Pose | None]:
    """Give the likeliest of several refined poses, and another one that the pixels do not rule out.

    Raises:
        ValueError: None fits.
    """
    found = sorted((each for each in refined if each is not None), key=lambda each: each.chi_squared)
    if not found:
        raise ValueError("no pose puts the points in front of the cameras; do the pixels belong to these points?")
    best = found[0]
    for other in found[1:]:
        _, angle = pose_difference(best.pose, other.pose)
        if angle > 1e-3 and other.chi_squared - best.chi_squared < _RIVAL:
            return best, other.pose
    return best, None


def visible(pixels: Float64[np.ndarray, "point 2"], camera: RigCamera) -> Bool[np.ndarray, " point"]:
    """Say which pixels were seen, and by the lens model at all."""
    return np.asarray(np.isfinite(camera.intrinsics.unproject(pixels)).all(axis=-1))


def _check_points(points: Float64[np.ndarray, "point 3"]) -> None:
    if len(points) < MIN_POINTS:
        raise ValueError(f"a pose needs at least {MIN_POINTS} points that are seen, got {len(points)}")
    extent = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if extent[1] < _FLAT * extent[0] or extent[0] == 0:
        raise ValueError("the points that are seen lie on one line: the turn about it cannot be seen")
