"""The pose of an object in the rig's base frame, from its points in the pictures of one or several cameras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.pose_from_points import MIN_POINTS, best_and_rival, candidate_poses
from robo_reward.camera.pose_refinement import RefinedPose, refine_pose
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.camera.triangulation import triangulate

GATE = 5.0
"""Distance of a pixel from its point's picture beyond which the point is dropped, in standard deviations."""

_FAR = 100.0
"""Error that counts as wrong, however much larger it is, in standard deviations."""

_TURNED = 0.1
"""Angle from which on two proposals may lead to two poses [rad]."""

_KEPT = 2 / 3
"""Share of the sightings that must agree, and count."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LocatedObject:
    """Where an object is, and how well that is known."""

    T_base_object: Pose
    covariance: Float64[np.ndarray, "6 6"]
    """Of (translation [m], rotation vector [rad]) along the axes of the base frame."""
    rival: Pose | None
    """Another pose that the pixels do not rule out, as of a flat marker that one camera sees; None = there is none."""


def locate_object(
    points: Float64[np.ndarray, "point 3"],
    pixels: Float64[np.ndarray, "camera point 2"],
    std: Float64[np.ndarray, "camera point"],
    cameras: Sequence[RigCamera],
    *,
    near: Pose | None = None,
) -> LocatedObject | None:
    """Give the pose of an object that explains what all cameras see of it.

    Poses are proposed by each camera that sees `MIN_POINTS` points (PnP), by the points that several see
    (triangulation), and by the last known one; the likeliest is refined on all pixels together. Pixels that contradict
    it beyond `GATE` are dropped; where the rest does not fit well, its covariance is widened by χ² per degree of
    freedom. Of two poses that the pixels do not tell apart, that nearer to the last known one is given.

    Args:
        points: In the object's frame [m].
        pixels: Where each camera sees each; NaN where it does not.
        std: Standard deviation of a pixel coordinate [px].
        cameras: Of one rig.
        near: The last known pose.

    Returns:
        The pose; None where too little is seen, or what is seen contradicts itself.
    """
    pixels = _within_lens(pixels, cameras)
    total = int(np.isfinite(pixels[..., 0]).sum())
    if total < MIN_POINTS:
        return None
    starts = _proposals(points, pixels, std, cameras) + ([] if near is None else [near])
    likely = _likeliest(starts, points, pixels, std, cameras)
    fits = [_agreed(start, points, pixels, std, cameras) for start in likely]
    found = [fit for fit in fits if fit is not None and np.isfinite(fit.distance).sum() >= _KEPT * total]
    if not found:
        return None
    best, rival = best_and_rival(found)
    pose = best.pose
    if rival is not None and near is not None and _nearer(rival, pose, near):
        pose, rival = rival, pose
    freedom = 2 * int(np.isfinite(best.distance).sum()) - 6
    return LocatedObject(
        T_base_object=pose, covariance=best.covariance * max(1.0, best.chi_squared / max(freedom, 1)), rival=rival
    )


def key_points_from_views(
    rig: Rig, pixels: Mapping[str, Float64[np.ndarray, "point 2"]], *, pixel_std: float
) -> Float64[np.ndarray, "point 3"]:
    """Give key points [m] that at least two cameras show, in the base frame: an object's frame where it stands there.

    An object that is measured so stands at the identity; its goal is how it has to move from there.

    Raises:
        ValueError: A camera that the rig does not have, or a point that fewer than two agree on; names it.
    """
    cameras = [rig.camera(name) for name in pixels]
    places = np.stack(list(pixels.values()), axis=1)
    found = [triangulate(cameras, each, pixel_std=pixel_std) for each in places]
    lost = [index for index, each in enumerate(found) if np.isnan(each.position).any()]
    if lost:
        raise ValueError(f"key points {lost} are not seen by two cameras of {list(pixels)} that agree on them")
    return np.stack([each.position for each in found])


def _within_lens(
    pixels: Float64[np.ndarray, "camera point 2"], cameras: Sequence[RigCamera]
) -> Float64[np.ndarray, "camera point 2"]:
    """Forget pixels that the lens model says nothing about."""
    rays = np.stack([camera.intrinsics.unproject(each) for camera, each in zip(cameras, pixels, strict=True)])
    return np.where(np.isfinite(rays[..., :1]), pixels, np.nan)


def _proposals(
    points: Float64[np.ndarray, "point 3"],
    pixels: Float64[np.ndarray, "camera point 2"],
    std: Float64[np.ndarray, "camera point"],
    cameras: Sequence[RigCamera],
) -> list[Pose]:
    proposed: list[Pose] = []
    for camera, own in zip(cameras, pixels, strict=True):
        seen = np.isfinite(own[:, 0])
        if seen.sum() >= MIN_POINTS and not _on_a_line(points[seen]):
            in_camera = candidate_poses(points[seen], own[seen], camera.intrinsics)
            proposed += [camera.T_base_camera @ each for each in in_camera]
    if proposed:
        return proposed
    shared = np.isfinite(pixels[..., 0]).sum(axis=0) >= 2
    places = np.full_like(points, np.nan)
    for index in np.nonzero(shared)[0]:
        deviation = np.where(np.isnan(std[:, index]), 1.0, std[:, index])
        places[index] = triangulate(cameras, pixels[:, index], pixel_std=deviation).position
    known = np.isfinite(places).all(axis=-1)
    return [] if known.sum() < 3 or _on_a_line(points[known]) else [_superposed(points[known], places[known])]


def _likeliest(
    starts: Sequence[Pose],
    points: Float64[np.ndarray, "point 3"],
    pixels: Float64[np.ndarray, "camera point 2"],
    std: Float64[np.ndarray, "camera point"],
    cameras: Sequence[RigCamera],
) -> list[Pose]:
    """The best of the proposals, and the best of those turned otherwise: what a flat marker leaves open."""
    costs = []
    for start in starts:
        shown = np.stack([camera.project(start.apply(points)) for camera in cameras])
        error = np.linalg.norm(shown - pixels, axis=-1) / std
        # one camera's proposal may have a point behind another one: as wrong as can be, no more
        costs.append(
            float(np.where(np.isnan(pixels[..., 0]), 0.0, np.nan_to_num(error, nan=_FAR).clip(max=_FAR)).sum())
        )
    order = sorted(range(len(starts)), key=lambda index: costs[index])
    first = [starts[index] for index in order[:1]]
    other = [starts[index] for index in order[1:] if pose_difference(starts[index], first[0])[1] > _TURNED]
    return first + other[:1]


def _agreed(
    start: Pose,
    points: Float64[np.ndarray, "point 3"],
    pixels: Float64[np.ndarray, "camera point 2"],
    std: Float64[np.ndarray, "camera point"],
    cameras: Sequence[RigCamera],
) -> RefinedPose | None:
    """Refine a pose, dropping the worst contradiction until there is none; None where too few sightings are left."""
    kept = pixels.copy()
    total = int(np.isfinite(pixels[..., 0]).sum())
    while True:
        fit = refine_pose(start, points, kept, cameras, pixel_std=np.where(np.isnan(std), 1.0, std))
        if fit is None or np.nanmax(fit.distance) <= GATE:
            return fit
        worst = np.unravel_index(np.nanargmax(fit.distance), fit.distance.shape)
        kept[worst] = np.nan
        if np.isfinite(kept[..., 0]).sum() < max(MIN_POINTS, _KEPT * total):
            return None
        start = fit.pose


def _nearer(one: Pose, other: Pose, near: Pose) -> bool:
    return pose_difference(one, near)[1] < pose_difference(other, near)[1]


def _on_a_line(points: Float64[np.ndarray, "point 3"]) -> bool:
    extent = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(extent[1] < 1e-6 * extent[0] or extent[0] == 0)


def _superposed(points: Float64[np.ndarray, "point 3"], places: Float64[np.ndarray, "point 3"]) -> Pose:
    """The rigid motion that brings points nearest to places."""
    middle, target = points.mean(axis=0), places.mean(axis=0)
    turn = Rotation.align_vectors(places - target, points - middle)[0].as_matrix()
    return Pose(rotation=turn, translation=target - turn @ middle)
