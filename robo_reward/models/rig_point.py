"""A key point that the cameras of a rig follow: image tracks triangulated into the base frame, with covariance."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float64, UInt8
from torch import Tensor

from robo_reward.camera.rig import Rig
from robo_reward.camera.rig_file import read_rig
from robo_reward.camera.triangulation import triangulate
from robo_reward.clip import Clip
from robo_reward.models.tracked_point import Located, PointSource
from robo_reward.perception.point_tracker import PointTracker, TrackedPoints
from robo_reward.perception.vlm_pictures import read_pictures
from robo_reward.plans.plan_lift import camera_numbers

RigPointMemory = tuple[Mapping[str, Any], ...]
"""Of each episode of a batch: camera to its tracker's own memory."""


@runtime_checkable
class ImageTracker(Protocol):
    """Follows key points through the frames of one camera; `PointTracker` is one."""

    @property
    def version(self) -> str:
        """Identifies what is followed and how."""
        ...

    @property
    def num_points(self) -> int:
        """How many points are followed."""
        ...

    def follow(
        self, frames: UInt8[Tensor, "time 3 height width"], present: Bool[Tensor, " time"], memory: Any | None = None
    ) -> tuple[TrackedPoints, Any | None]:
        """Follow the points through the next frames; causal, and piece by piece the same as whole."""
        ...


@final
class RigPoint:
    """One point of the scene, followed by each camera and triangulated.

    Where fewer than two cameras see it, or those that do contradict each other, nobody knows where it is. The
    covariance is that of the image tracks and of the rig's own error, through the triangulation.

    Args:
        rig: Cameras.
        trackers: Camera to what follows the point in its frames; two or more, of one point each.
        pixel_std: One standard deviation of the rig's reprojection error [px]: its held-out residual.

    Raises:
        ValueError: Fewer than two cameras, one that the rig has not, a tracker of several points, a deviation that is
            not positive.
    """

    def __init__(self, rig: Rig, *, trackers: Mapping[str, ImageTracker], pixel_std: float = 0.5) -> None:
        if len(trackers) < 2:
            raise ValueError(f"a point is triangulated from two cameras or more, got {sorted(trackers)}")
        if not pixel_std > 0:
            raise ValueError(f"pixel_std must be > 0 px, got {pixel_std}")
        if several := sorted(name for name, tracker in trackers.items() if tracker.num_points != 1):
            raise ValueError(f"each tracker must follow one point; those of {several} do not")
        self._cameras = {name: rig.camera(name) for name in trackers}
        self._trackers, self._pixel_std = dict(trackers), float(pixel_std)
        lenses = [camera_numbers(camera) for camera in self._cameras.values()]
        parts = ["RigPoint", {name: each.version for name, each in trackers.items()}, lenses, self._pixel_std]
        self.version = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def locate(self, seen: Clip, memory: RigPointMemory | None) -> tuple[Located, RigPointMemory]:
        """Follow the point through the next frames of each episode.

        Raises:
            ValueError: The clip lacks a camera, or its frames are not of the size that the rig was measured at.
        """
        self._check(seen)
        batch, time = seen.stamp.shape
        before = memory if memory is not None else ({},) * batch
        position, covariance = np.full((batch, time, 3), np.nan), np.full((batch, time, 3, 3), np.nan)
        after = []
        for row in range(batch):
            tracks, kept = self._followed(seen, row, before[row])
            after.append(kept)
            for t in range(time):
                position[row, t], covariance[row, t] = self._triangulated(tracks, t)
        located = Located(position=torch.from_numpy(position), covariance=torch.from_numpy(covariance))
        return located, tuple(after)

    def _followed(self, seen: Clip, row: int, before: Mapping[str, Any]) -> tuple[list[TrackedPoints], dict[str, Any]]:
        tracks, kept = [], {}
        for name, tracker in self._trackers.items():
            present = seen.present[row, :, seen.cameras.index(name)]
            track, kept[name] = tracker.follow(seen.views[name][row], present, before.get(name))
            tracks.append(track)
        return tracks, kept

    def _triangulated(
        self, tracks: Sequence[TrackedPoints], t: int
    ) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3 3"]]:
        pixels = np.stack([track.pixels[t, 0] for track in tracks])
        noise = np.stack([track.covariance[t, 0] for track in tracks])
        found = triangulate(list(self._cameras.values()), pixels, pixel_std=self._pixel_std, pixel_covariance=noise)
        return found.position, found.covariance

    def _check(self, seen: Clip) -> None:
        if missing := sorted(set(self._trackers) - set(seen.cameras)):
            raise ValueError(f"the clip has no camera {missing} that the point is followed by; it has {seen.cameras}")
        for name, camera in self._cameras.items():
            size, lens = tuple(seen.views[name].shape[-2:]), camera.intrinsics
            if size != (lens.height, lens.width):
                raise ValueError(
                    f"frames of camera '{name}' are {size[1]} x {size[0]} px, the rig was measured at "
                    f"{lens.width} x {lens.height}"
                )


def rig_point(
    rig: Rig | str | Path,
    *,
    references: Mapping[str, Tensor | str | Path],
    pixels: Mapping[str, Sequence[float]],
    pixel_std: float = 0.5,
    window: int = 21,
) -> RigPoint:
    """Follow the point that each camera's reference picture shows at a pixel.

    Args:
        rig: Cameras, or their YAML file.
        references: Camera to a picture, or its file.
        pixels: Camera to (right, down) of the point in it [px].
        pixel_std: Of the rig's reprojection error [px].
        window: Side of the square that is followed [px], odd.

    Raises:
        ValueError: Other cameras in `pixels` than in `references`, and as `RigPoint` and `PointTracker`.
        FileNotFoundError: No such picture.
        DataSetError: No such rig, or none that can be read.
    """
    if set(references) != set(pixels):
        raise ValueError(f"references are of {sorted(references)}, pixels of {sorted(pixels)}: both must name the same")
    pictures = read_pictures(references)
    trackers = {
        name: PointTracker(picture, np.array([pixels[name]], dtype=np.float64), window=window)
        for name, picture in pictures.items()
    }
    return RigPoint(rig if isinstance(rig, Rig) else read_rig(Path(rig)), trackers=trackers, pixel_std=pixel_std)


_: type[PointSource] = RigPoint  # the type checker holds the protocol
_tracker: type[ImageTracker] = PointTracker
