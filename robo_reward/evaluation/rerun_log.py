"""An episode with its plan as a Rerun recording: cameras, pictures, way points, tracked point, progress."""

import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from robo_reward.camera.rig import Rig
from robo_reward.clip import Clip
from robo_reward.errors import OutputError
from robo_reward.evaluation.plan_overlay import DEVIATIONS
from robo_reward.models.tracked_point import Located
from robo_reward.plans.way_points import Plan
from robo_reward.reward_model import Estimate

APPLICATION = "robo_reward"
TIMELINE = "stamp"
_WAY, _GRASP, _POINT = (86, 180, 233), (230, 120, 60), (255, 210, 0)
JPEG_QUALITY = 85


def log_plan(path: Path, clip: Clip, *, rig: Rig, plan: Plan, located: Located, estimate: Estimate) -> Path:
    """Write one episode as a .rrd file for Rerun's viewer; needs no screen.

    Entities: `world/cameras/NAME` (pose and lens) with `/picture`, `world/plan/way`, `world/plan/points`,
    `world/point` with `/covariance` (two standard deviations) and `/trail`, `progress/value`, `progress/low` and
    `progress/high` (one spread below and above). Time is the frames' own stamp. What nobody knows is cleared, not held.

    Args:
        path: The file; it appears whole or not at all.
        clip: One episode, batch 1.
        rig: Cameras; those that are not in the clip are drawn without pictures.
        plan: In the rig's base frame.
        located: Where the tracked point was.
        estimate: Progress and its spread.

    Raises:
        ModuleNotFoundError: Rerun is not installed.
        OutputError: The file cannot be written.
        ValueError: More than one episode, or a plan relative to what is seen.
    """
    plan.check_still()
    if clip.stamp.shape[0] != 1:
        raise ValueError(f"one episode is logged at a time, got a batch of {clip.stamp.shape[0]}")
    rr = _rerun()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".unfinished")
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
    unfinished = Path(name)
    try:
        recording = rr.RecordingStream(APPLICATION, recording_id=f"{plan.task} {path.stem}")
        recording.save(unfinished)
        _log_still(rr, recording, rig, plan)
        for t in range(clip.stamp.shape[1]):
            recording.set_time(TIMELINE, duration=float(clip.stamp[0, t]))
            _log_pictures(rr, recording, clip, rig, t)
            _log_point(rr, recording, located, t)
            _log_progress(rr, recording, estimate, t)
        recording.disconnect()  # flushes
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _rerun() -> ModuleType:
    try:
        import rerun  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("Rerun is not installed: pip install 'robo-reward[rerun]'", name="rerun") from error
    return rerun


def _log_still(rr: Any, recording: Any, rig: Rig, plan: Plan) -> None:
    recording.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    recording.log("plan", rr.TextDocument(f"{plan.task}\n\nmade by {plan.made_by}"), static=True)
    for name, camera in rig.cameras.items():
        entity, pose, lens = f"world/cameras/{name}", camera.T_base_camera, camera.intrinsics
        recording.log(entity, rr.Transform3D(translation=pose.translation, mat3x3=pose.rotation), static=True)
        # Rerun's pinhole has no distortion: drawn lines bend away from the picture near its edge
        pinhole = rr.Pinhole(
            image_from_camera=lens.matrix,
            resolution=[lens.width, lens.height],
            camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=0.15,
        )
        recording.log(f"{entity}/picture", pinhole, static=True)
    way = plan.positions
    colours = [_GRASP if index == plan.grasp else _WAY for index in range(len(way))]
    recording.log("world/plan/way", rr.LineStrips3D([way], colors=[_WAY], radii=0.002), static=True)
    points = rr.Points3D(
        way, labels=[point.name for point in plan.way_points], colors=colours, radii=0.006, show_labels=True
    )
    recording.log("world/plan/points", points, static=True)


def _log_pictures(rr: Any, recording: Any, clip: Clip, rig: Rig, t: int) -> None:
    for view, name in enumerate(clip.cameras):
        entity = f"world/cameras/{name}/picture" if name in rig.cameras else f"pictures/{name}"
        if not bool(clip.present[0, t, view]):
            recording.log(entity, rr.Clear(recursive=False))
            continue
        picture = clip.views[name][0, t].permute(1, 2, 0).contiguous().numpy()
        recording.log(entity, rr.Image(picture).compress(jpeg_quality=JPEG_QUALITY))


def _log_point(rr: Any, recording: Any, located: Located, t: int) -> None:
    position, covariance = located.position[0, t].numpy(), located.covariance[0, t].numpy()
    if not (np.isfinite(position).all() and np.isfinite(covariance).all()):
        recording.log("world/point", rr.Clear(recursive=True))
        return
    variances, axes = np.linalg.eigh(covariance)
    axes[:, 0] *= np.sign(np.linalg.det(axes))  # a rotation, not a mirror
    half = DEVIATIONS * np.sqrt(np.maximum(variances, 0.0))
    turned = rr.Quaternion(xyzw=_quaternion_xyzw(axes))
    recording.log("world/point", rr.Points3D([position], colors=[_POINT], radii=0.008))
    ellipsoid = rr.Ellipsoids3D(
        centers=[position], half_sizes=[half], quaternions=[turned], colors=[_POINT], fill_mode="majorwireframe"
    )
    recording.log("world/point/covariance", ellipsoid)
    so_far = located.position[0, : t + 1].numpy()
    known = so_far[np.isfinite(so_far).all(axis=1)]
    if len(known) > 1:
        recording.log("world/point/trail", rr.LineStrips3D([known], colors=[_POINT], radii=0.001))


def _log_progress(rr: Any, recording: Any, estimate: Estimate, t: int) -> None:
    progress, spread = float(estimate.progress[0, t]), float(estimate.spread[0, t])
    if np.isnan(progress):
        recording.log("progress", rr.Clear(recursive=True))
        return
    for name, value in (("value", progress), ("low", progress - spread), ("high", progress + spread)):
        recording.log(f"progress/{name}", rr.Scalars(value))


def _quaternion_xyzw(rotation: np.ndarray) -> list[float]:
    return Rotation.from_matrix(rotation).as_quat().tolist()
