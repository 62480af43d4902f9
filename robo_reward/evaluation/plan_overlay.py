"""The plan over the video: way points, the tracked point with its covariance and trail, and the progress below."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float64, UInt8

from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.clip import Clip, Episode
from robo_reward.evaluation.episode_evaluation import evaluate_episode
from robo_reward.evaluation.overlay import overlay_video
from robo_reward.evaluation.recording import Recording
from robo_reward.models.tracked_point import Located
from robo_reward.plans.way_points import Plan
from robo_reward.reward_model import Estimate

_WAY, _GRASP, _POINT, _TRAIL = (86, 180, 233), (230, 120, 60), (255, 210, 0), (240, 228, 140)
_SUBPIXEL = 4
"""Binary digits behind the point of the coordinates that OpenCV draws at."""
DEVIATIONS = 2.0
"""The ellipse round the tracked point holds it with 86 % probability: two standard deviations in the plane."""
_FINEST = 0.35
"""Half axes of an ellipse below this [px] are drawn as long: it would not be seen."""


def plan_video(
    path: Path, clip: Clip, *, rig: Rig, plan: Plan, located: Located, estimate: Estimate, fps: float
) -> None:
    """Write a video of one episode with its plan drawn in every camera of the rig, and progress as it comes.

    Args:
        path: The mp4 file; it appears whole or not at all.
        clip: One episode, batch 1; cameras that are not in the rig are shown as they are.
        rig: Cameras, for pictures of the clip's size or of another size with the same view.
        plan: In the rig's base frame.
        located: Where the tracked point was.
        estimate: Progress and its spread.
        fps: Frame rate of the video [1/s].

    Raises:
        OutputError: The file cannot be written.
        ValueError: More than one episode, or no camera of the clip in the rig.
    """
    painted = paint_plan(clip, rig=rig, plan=plan, located=located)
    episode = Episode(
        index=0,
        instruction=plan.task,
        cameras=clip.cameras,
        stamp=clip.stamp[0],
        terminated=False,
        success=None,
    )
    recording = Recording(
        progress=estimate.progress[0],
        spread=estimate.spread[0],
        potential=None,
        shaped=None,
        true_reward=None,
        success=None,
        outcome=None,
    )
    evaluation = evaluate_episode(episode, recording, task=plan.task, fitted=False, controls={})
    with overlay_video(path, evaluation, outcome=None, fps=fps) as add:
        add(painted)


def paint_plan(clip: Clip, *, rig: Rig, plan: Plan, located: Located) -> Clip:
    """Draw plan, tracked point, covariance and trail into the frames of an episode; give a new clip.

    Raises:
        ValueError: More than one episode, no camera of the clip in the rig, or a plan relative to what is seen.
    """
    plan.check_still()
    if clip.stamp.shape[0] != 1:
        raise ValueError(f"one episode is painted at a time, got a batch of {clip.stamp.shape[0]}")
    if not set(clip.cameras) & set(rig.cameras):
        raise ValueError(f"no camera of the clip {list(clip.cameras)} is in the rig, which has {sorted(rig.cameras)}")
    position, covariance = located.position[0].numpy(), located.covariance[0].numpy()
    views = dict(clip.views)
    for name in set(clip.cameras) & set(rig.cameras):
        height, width = clip.views[name].shape[-2:]
        camera = _of_size(rig.camera(name), width=width, height=height)
        frames = [
            paint_frame(
                np.ascontiguousarray(frame.permute(1, 2, 0).numpy()),
                camera=camera,
                plan=plan,
                trail=position[: t + 1],
                covariance=covariance[t],
            )
            for t, frame in enumerate(clip.views[name][0])
        ]
        views[name] = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].contiguous()
    return replace(clip, views=views)


def paint_frame(
    picture: UInt8[np.ndarray, "height width 3"],
    *,
    camera: RigCamera,
    plan: Plan,
    trail: Float64[np.ndarray, "time 3"],
    covariance: Float64[np.ndarray, "3 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw plan and tracked point into one picture of a camera; the picture given is not changed.

    Args:
        picture: RGB.
        camera: Lens of the picture's size.
        plan: In the base frame.
        trail: Where the point was so far [m], the last one now; NaN where unknown.
        covariance: Of the last one [m²].
    """
    drawn, size = picture.copy(), max(2.0, picture.shape[0] / 110)
    way, seen = camera.project(plan.positions), camera.project(trail)
    _polyline(drawn, seen, _TRAIL, thickness=1)
    _polyline(drawn, way, _WAY, thickness=max(1, round(size / 2)))
    for index, pixel in enumerate(way):
        _dot(drawn, pixel, size, _GRASP if index == plan.grasp else _WAY)
    _ellipse(drawn, seen[-1], _picture_covariance(camera, trail[-1], covariance), _POINT)
    _dot(drawn, seen[-1], size, _POINT)
    return drawn


def _picture_covariance(
    camera: RigCamera, position: Float64[np.ndarray, "3"], covariance: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "2 2"]:
    """Covariance [px²] of where the camera sees the point: J Σ Jᵀ."""
    from_base = camera.T_base_camera.inverse()
    slope = camera.intrinsics.jacobian(from_base.apply(position)) @ from_base.rotation
    return slope @ covariance @ slope.T


def _of_size(camera: RigCamera, *, width: int, height: int) -> RigCamera:
    return replace(camera, intrinsics=camera.intrinsics.scaled(width=width, height=height))


def _at(pixel: np.ndarray) -> tuple[int, int]:
    right, down = np.round(np.clip(pixel, -30_000, 30_000) * 2**_SUBPIXEL).astype(int).tolist()
    return right, down


def _dot(picture: np.ndarray, pixel: np.ndarray, radius: float, colour: tuple[int, int, int]) -> None:
    if np.isfinite(pixel).all():
        cv2.circle(picture, _at(pixel), round(radius * 2**_SUBPIXEL), colour, -1, cv2.LINE_AA, _SUBPIXEL)


def _polyline(picture: np.ndarray, pixels: np.ndarray, colour: tuple[int, int, int], *, thickness: int) -> None:
    for before, after in pairwise(pixels):
        if np.isfinite(before).all() and np.isfinite(after).all():
            cv2.line(picture, _at(before), _at(after), colour, thickness, cv2.LINE_AA, _SUBPIXEL)


def _ellipse(picture: np.ndarray, pixel: np.ndarray, covariance: np.ndarray, colour: tuple[int, int, int]) -> None:
    if not (np.isfinite(pixel).all() and np.isfinite(covariance).all()):
        return
    variances, axes = np.linalg.eigh(covariance)
    half = np.maximum(DEVIATIONS * np.sqrt(np.maximum(variances, 0.0)), _FINEST)
    half = np.minimum(half, 10 * max(picture.shape[:2]))
    size = (round(float(half[1]) * 2**_SUBPIXEL), round(float(half[0]) * 2**_SUBPIXEL))
    angle = float(np.rad2deg(np.arctan2(axes[1, 1], axes[0, 1])))
    cv2.ellipse(picture, _at(pixel), size, angle, 0, 360, colour, 1, cv2.LINE_AA, _SUBPIXEL)
