"""Where a model that follows points saw them last: in each camera's picture and in space. No ROS."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.triangulation import triangulate
from robo_reward.clip import Clip
from robo_reward.models.keypoint_affordance import AffordanceMemory, KeypointAffordance
from robo_reward.models.object_pose import ObjectPoseMemory, ObjectPoseReward
from robo_reward.models.still_point import StillMemory
from robo_reward.perception.colour_tracker import ColourMemory
from robo_reward.perception.point_tracker import TrackMemory
from robo_reward.reward_model import Estimate, RewardModel
from robo_reward_ros.camera_geometry import Geometry

PIXEL_STD = 0.5
"""Of the rig's own reprojection error where nobody measured it [px]."""
_Track = TrackMemory | ColourMemory
UNKNOWN_2D = np.full((2, 2), math.nan)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PicturePoint:
    """A point in the picture of one camera."""

    id: str
    pixel: Float64[np.ndarray, "2"]
    """(right, down) [px]; NaN = not seen."""
    covariance: Float64[np.ndarray, "2 2"] = field(default_factory=UNKNOWN_2D.copy)
    """[px²]; NaN = unknown."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SpacePoint:
    """A point in the rig's base frame."""

    id: str
    position: Float64[np.ndarray, "3"]
    """[m]; NaN = not located."""
    covariance: Float64[np.ndarray, "3 3"]
    """[m²]; NaN = unknown."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class KeyPointsSeen:
    """The key points of one set of pictures."""

    views: Mapping[str, Sequence[PicturePoint]]
    points: Sequence[SpacePoint]


@final
class Followed:
    """A model that answers exactly as the one inside, and whose memory of the newest frame can be looked at.

    Args:
        model: Follows points.
    """

    def __init__(self, model: KeypointAffordance | ObjectPoseReward) -> None:
        self.model = model
        self.memory: Any = None
        """After the newest frame; None before the first."""

    @property
    def version(self) -> str:
        """That of the model."""
        return self.model.version

    @property
    def context(self) -> int | None:
        """That of the model."""
        return self.model.context

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of an episode."""
        return self.resume(clip, None)[0]

    def resume(self, seen: Clip, memory: Any | None) -> tuple[Estimate, Any]:
        """Estimate the next frames of an episode."""
        estimate, self.memory = self.model.resume(seen, memory)
        return estimate, self.memory


def followed(model: RewardModel, geometry: Geometry | None) -> Followed | None:
    """Give the model with its memory open; None where it follows no points."""
    known = isinstance(model, KeypointAffordance | ObjectPoseReward)
    return Followed(model) if known and geometry is not None else None


def key_points(memory: Any, geometry: Geometry, *, known: bool) -> KeyPointsSeen:
    """Read the key points out of a model's memory after a set of pictures.

    Args:
        memory: Of a `Followed` model.
        geometry: Of the rig.
        known: The model gave an estimate of the set; otherwise nobody knows where in space the points are now.
    """
    if isinstance(memory, AffordanceMemory):
        followed_by = {"point": memory.point, **memory.anchors}
        return _together([_of_source(name, each, geometry) for name, each in followed_by.items()])
    if isinstance(memory, tuple) and memory and isinstance(memory[0], ObjectPoseMemory):
        return _objects(memory[0], geometry, known=known)
    return KeyPointsSeen(views={}, points=())


def _of_source(name: str, memory: Any, geometry: Geometry) -> KeyPointsSeen:
    """One point that a point source located; none where cameras played no part in it."""
    if isinstance(memory, StillMemory):
        seen, sightings = _of_source(name, memory.point, geometry), memory.seen[0]
        at = SpacePoint(id=name, position=sightings.position, covariance=sightings.covariance)
        return KeyPointsSeen(views=seen.views, points=(at,))
    return _tracked(name, dict(memory[0]) if isinstance(memory, tuple) and memory else {}, geometry)


def _together(seen: Sequence[KeyPointsSeen]) -> KeyPointsSeen:
    cameras = dict.fromkeys(camera for each in seen for camera in each.views)
    return KeyPointsSeen(
        views={camera: [point for each in seen for point in each.views.get(camera, ())] for camera in cameras},
        points=[point for each in seen for point in each.points],
    )


def _tracked(name: str, tracks: Mapping[str, _Track | None], geometry: Geometry) -> KeyPointsSeen:
    """One point that several cameras follow."""
    views = {camera: [_picture_point(name, track, 0)] for camera, track in tracks.items() if track is not None}
    if len(views) < 2:
        return KeyPointsSeen(views=views, points=())
    residual = geometry.rig.measured.residual_px
    located = triangulate(
        [geometry.rig.camera(camera) for camera in views],
        np.stack([points[0].pixel for points in views.values()]),
        pixel_std=PIXEL_STD if math.isnan(residual) or residual == 0 else residual,
        pixel_covariance=np.stack([points[0].covariance for points in views.values()]),
    )
    return KeyPointsSeen(
        views=views, points=[SpacePoint(id=name, position=located.position, covariance=located.covariance)]
    )


def _objects(memory: ObjectPoseMemory, geometry: Geometry, *, known: bool) -> KeyPointsSeen:
    """Origins of objects, and the points of theirs that are followed in pictures."""
    names = list(dict.fromkeys(name for name, _ in memory.sights))
    cameras = list(dict.fromkeys(camera for _, camera in memory.sights))
    views: dict[str, list[PicturePoint]] = {camera: [] for camera in cameras}
    points = []
    for name, pose in zip(names, memory.poses, strict=False):
        origin = np.full(3, math.nan) if pose is None or not known else pose.translation
        points.append(SpacePoint(id=name, position=origin, covariance=np.full((3, 3), math.nan)))
        for camera in cameras:
            views[camera].append(PicturePoint(id=name, pixel=geometry.rig.camera(camera).project(origin)))
            views[camera] += _followed_in(memory.sights.get((name, camera)), name)
    return KeyPointsSeen(views=views, points=points)


def _followed_in(track: Any, name: str) -> Iterator[PicturePoint]:
    if isinstance(track, TrackMemory):
        for index in range(len(track.pixels)):
            yield _picture_point(f"{name}.{index}", track, index)


def _picture_point(name: str, track: _Track, index: int) -> PicturePoint:
    return PicturePoint(id=name, pixel=track.pixels[index], covariance=track.covariance[index])
