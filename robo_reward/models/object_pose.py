"""Progress of objects toward where they shall be, as calibrated cameras see their poses."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float64

from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.camera.rig_file import read_rig
from robo_reward.clip import Clip
from robo_reward.models.object_pose_fit import LocatedObject, locate_object
from robo_reward.models.object_pose_progress import PoseProgress
from robo_reward.models.object_pose_sight import ObjectSight
from robo_reward.reward_model import Estimate, RecurrentRewardModel


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ObjectPoseMemory:
    """What the model carries along of one episode."""

    sights: Mapping[tuple[str, str], Any]
    """(Object, camera) to what the object's sight remembers of it."""
    poses: tuple[Pose | None, ...]
    """Last known pose of each object."""
    progress: Any
    """What the progress remembers."""


@final
class ObjectPoseReward:
    """Progress of one or several tracked objects toward a target.

    Every camera of the rig that is in the clip looks for each object's points; what all see together gives the object's
    pose (`locate_object`), and the poses give progress. Cameras of the clip that the rig does not have are not looked
    at. Where an object is not seen well enough to place it, the model abstains.

        spread² = mean_± (p(d_i) − p(d))² + (p(d_0) − p(d))² + ((p(d_rival) − p(d)) / 2)²
        d_i = d(T ± √n L_i),   L Lᵀ = covariance of the n = 6 coordinates per object,   d_0² = (d² − (mean d_i² − d²))₊

    which holds at the goal, too, where the distance has no derivative, and noise makes any object look farther away
    than it is: d_0 is the distance without that. The pixels' deviation is that of the sight and
    the rig's own residual together; an error that all cameras share, as of a base that was measured wrongly, is not in
    it. Success is told by something else.

    Args:
        rig: Measured cameras, or their YAML file.
        objects: A name for each object, and what finds its points, in the order in which `progress` takes their poses.
        progress: From poses to progress; it knows the target.

    Raises:
        ValueError: Another number of objects than `progress` takes.
        DataSetError: The rig's file cannot be read.

    Source:
        Human2Sim2Robot for one object and its goal; OmniManip for relations of two; spread is this project's own.
    """

    def __init__(self, rig: Rig | str | Path, *, objects: Mapping[str, ObjectSight], progress: PoseProgress) -> None:
        if len(objects) != progress.num_objects:
            raise ValueError(f"progress takes the poses of {progress.num_objects} objects, got {list(objects)}")
        self._rig = rig if isinstance(rig, Rig) else read_rig(Path(rig))
        self._objects, self._progress = dict(objects), progress
        residual = self._rig.measured.residual_px
        self._rig_std = 0.0 if math.isnan(residual) else residual

    @property
    def context(self) -> None:
        """All frames since the episode began, by way of its memory."""
        return None

    @property
    def version(self) -> str:
        """Identifies the rig, how the objects are found, and the target."""
        rig = {name: _described(camera) for name, camera in sorted(self._rig.cameras.items())}
        objects = {name: each.version for name, each in self._objects.items()}
        parts = ["ObjectPoseReward", rig, self._rig_std, objects, self._progress.description]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of an episode."""
        return self.resume(clip, None)[0]

    def resume(
        self, seen: Clip, memory: tuple[ObjectPoseMemory, ...] | None
    ) -> tuple[Estimate, tuple[ObjectPoseMemory, ...]]:
        """Estimate the next frames of an episode; see `RecurrentRewardModel`.

        Raises:
            ValueError: No camera of the clip is one of the rig, or frames of another size than the rig's camera.
        """
        cameras = self._cameras(seen)
        start = ObjectPoseMemory(sights={}, poses=(None,) * len(self._objects), progress=None)
        known = (start,) * len(seen.stamp) if memory is None else memory
        rows = [self._row(seen, row, cameras, before) for row, before in enumerate(known)]
        told = torch.tensor([found for found, _ in rows], dtype=torch.float64)
        estimate = Estimate(progress=told[..., 0].float(), spread=told[..., 1].float())
        return estimate, tuple(after for _, after in rows)

    def _cameras(self, seen: Clip) -> list[str]:
        cameras = [name for name in seen.cameras if name in self._rig.cameras]
        if not cameras:
            raise ValueError(
                f"the rig has none of the clip's cameras {list(seen.cameras)}; it has {sorted(self._rig.cameras)}"
            )
        for name in cameras:
            lens, (height, width) = self._rig.cameras[name].intrinsics, seen.views[name].shape[-2:]
            if (lens.width, lens.height) != (width, height):
                raise ValueError(
                    f"camera '{name}' was measured with {lens.width} x {lens.height} px, its frames have {width} x "
                    f"{height} px; give the rig of these frames (`Intrinsics.scaled`)"
                )
        return cameras

    def _row(
        self, seen: Clip, row: int, cameras: Sequence[str], memory: ObjectPoseMemory
    ) -> tuple[list[tuple[float, float]], ObjectPoseMemory]:
        """Give progress and spread of each frame of one episode, and what to remember of it."""
        sights, sightings = self._sightings(seen, row, cameras, memory)
        poses, remembered, told = list(memory.poses), memory.progress, []
        looking = [self._rig.cameras[name] for name in cameras]
        for t, stamp in enumerate(seen.stamp[row].tolist()):
            placed = [
                locate_object(each.points, pixels[:, t], std[:, t], looking, near=poses[index])
                for index, (each, (pixels, std)) in enumerate(zip(self._objects.values(), sightings, strict=True))
            ]
            poses = [last if now is None else now.T_base_object for last, now in zip(poses, placed, strict=True)]
            found = [each for each in placed if each is not None]
            whole = len(found) == len(placed)
            now = [each.T_base_object for each in found] if whole else None
            remembered = self._progress.after(remembered, now, stamp=stamp)
            told.append(read_progress(found, self._progress, remembered) if whole else (math.nan, math.nan))
        return told, ObjectPoseMemory(sights=sights, poses=tuple(poses), progress=remembered)

    def _sightings(
        self, seen: Clip, row: int, cameras: Sequence[str], memory: ObjectPoseMemory
    ) -> tuple[dict[tuple[str, str], Any], list[tuple[np.ndarray, np.ndarray]]]:
        """Give each object's pixels (camera, time, point, 2) and their deviations."""
        sights, sightings = {}, []
        for thing, each in self._objects.items():
            views = []
            for name in cameras:
                frames, present = seen.views[name][row], seen.present[row, :, seen.cameras.index(name)]
                view, sights[thing, name] = each.see(name, frames, present, memory.sights.get((thing, name)))
                views.append(view)
            std = np.stack([view.std for view in views])
            sightings.append((np.stack([view.pixels for view in views]), np.hypot(std, self._rig_std)))
        return sights, sightings


def read_progress(found: Sequence[LocatedObject], progress: PoseProgress, memory: Any) -> tuple[float, float]:
    """Give progress and spread of located objects; see `ObjectPoseReward`.

    Args:
        found: One per object.
        progress: From poses to progress.
        memory: What it remembers after this frame.
    """
    poses = [each.T_base_object for each in found]
    size = 6 * len(found)

    def distance(index: int, other: Pose) -> float:
        return progress.distance([*poses[:index], other, *poses[index + 1 :]], memory)

    around: list[float] = []
    rivals: list[float] = []
    for index, each in enumerate(found):
        root = np.linalg.cholesky(each.covariance) * math.sqrt(size)
        around += [distance(index, moved(poses[index], step)) for step in (*root.T, *-root.T)]
        rivals += [] if each.rival is None else [distance(index, each.rival)]
    here = progress.distance(poses, memory)
    without_noise = math.sqrt(max(2 * here**2 - float(np.mean(np.square(around))), 0.0))
    value = progress.progress(here, memory)

    def off(other: float) -> float:
        return (progress.progress(other, memory) - value) ** 2

    variance = float(np.mean([off(each) for each in around])) + off(without_noise) + sum(map(off, rivals)) / 4
    return value, math.sqrt(variance)


def moved(pose: Pose, step: Float64[np.ndarray, "6"]) -> Pose:
    """Give a pose moved by (translation [m], rotation vector [rad]), both along the axes of its parent frame."""
    turn = Pose.from_rotation_vector(np.zeros(3), step[3:])
    return Pose(rotation=turn.rotation @ pose.rotation, translation=pose.translation + step[:3])


def _described(camera: RigCamera) -> list[object]:
    lens = camera.intrinsics
    size = [lens.width, lens.height]
    return [size, lens.matrix.tolist(), lens.distortion.tolist(), camera.T_base_camera.matrix.tolist()]


_: type[RecurrentRewardModel] = ObjectPoseReward  # the type checker holds the protocol
