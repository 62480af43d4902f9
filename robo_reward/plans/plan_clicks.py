"""Plans from clicks: what a person showed in pictures, found in space through the rig."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.plane import Plane, ray_plane
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.camera.triangulation import triangulate
from robo_reward.plans.way_points import Gripper, Plan, Sighting, WayPoint

Pixel = tuple[float, float]
CLICK_STD = 2.0
"""One standard deviation of a click [px]."""
GATE = 5.0
"""Clicks that contradict each other by more standard deviations than this do not show one point."""
_DEPTHS = np.geomspace(0.05, 10.0, 200)
"""Distances [m] at which a line of sight is drawn in other cameras."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Click:
    """One way point as a person gave it: clicks in pictures, or a position that is kept."""

    name: str
    gripper: Gripper
    tolerance: float
    """[m]"""
    shown: Mapping[str, Pixel]
    """Camera to the pixel that was clicked."""
    height: float | None
    """Height in the base frame [m] for a click in one camera only."""
    position: Float64[np.ndarray, "3"] | None
    """Of a point that was in the plan before and was not clicked since."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ClickedPoint:
    """What clicks say."""

    position: Float64[np.ndarray, "3"] | None
    """In the base frame [m]; None while they do not say."""
    problem: str
    """Why there is no position, for the person; empty where there is one."""
    std: float
    """One standard deviation of the position in its worst direction [m]; NaN where unknown."""
    pixels: Mapping[str, Pixel]
    """Where each camera sees the position; without those that do not."""
    lines: Mapping[str, tuple[Pixel, ...]]
    """In each camera that was not clicked: where the point must lie by the first click, as a line of pixels."""


def locate_clicks(rig: Rig, shown: Mapping[str, Pixel], *, height: float | None) -> ClickedPoint:
    """Find what was clicked: in two or more views by triangulation, in one by its height.

    Args:
        rig: Cameras.
        shown: Camera to pixel.
        height: Height of the point in the base frame [m], if it is known; used with one click.

    Raises:
        ValueError: A camera that the rig has not.
    """
    cameras = {name: rig.camera(name) for name in shown}
    position, std, problem = np.full(3, np.nan), float("nan"), ""
    if len(shown) >= 2:
        pixels = np.array([shown[name] for name in cameras], dtype=np.float64)
        found = triangulate(list(cameras.values()), pixels, pixel_std=CLICK_STD, gate=GATE)
        position = found.position
        if np.isfinite(position).all():
            std = float(np.sqrt(np.linalg.eigvalsh(found.covariance).max()))
        problem = "the clicks do not show one point: move one of them onto the line that the others give"
    elif len(shown) == 1 and height is not None:
        (name,) = shown
        origin, direction = cameras[name].rays(np.array(shown[name], dtype=np.float64))
        position = ray_plane(origin, direction, Plane(normal=np.array([0.0, 0.0, 1.0]), offset=height))
        problem = f"the line of sight of camera '{name}' does not come to height {height:g} m"
    else:
        problem = "click the point in a second camera, on the line, or give its height" if shown else "click the point"
    known = bool(np.isfinite(position).all())
    return ClickedPoint(
        position=position if known else None,
        problem="" if known else problem,
        std=std,
        pixels=seen_by(rig, position) if known else {},
        lines={} if not shown else _lines(rig, shown),
    )


def plan_of_clicks(rig: Rig, clicks: Sequence[Click], *, task: str, grasp: int | None) -> Plan:
    """Make a plan of what a person showed.

    Args:
        rig: Cameras and base frame.
        clicks: Way points in order.
        task: In words.
        grasp: Index of the way point where the object is touched; None = not said.

    Raises:
        ValueError: A point that the clicks do not tell, or way points that are no plan.
    """
    return Plan(
        task=task,
        base_frame=rig.base_frame,
        way_points=tuple(_way_point(rig, click) for click in clicks),
        grasp=grasp,
        made_by="click",
    )


def seen_by(rig: Rig, position: Float64[np.ndarray, "3"]) -> dict[str, Pixel]:
    """Give where each camera sees a point [m]; without those in whose picture it is not."""
    found = {}
    for name, camera in rig.cameras.items():
        pixel = camera.project(position)
        if bool(camera.intrinsics.contains(pixel)):
            found[name] = (float(pixel[0]), float(pixel[1]))
    return found


def _way_point(rig: Rig, click: Click) -> WayPoint:
    if click.shown:
        found = locate_clicks(rig, click.shown, height=click.height)
        if found.position is None:
            raise ValueError(f"way point '{click.name}': {found.problem}")
        position = found.position
    elif click.position is not None:
        position = click.position
    else:
        raise ValueError(f"way point '{click.name}': nobody showed where it is")
    return WayPoint(
        name=click.name,
        position=position,
        gripper=click.gripper,
        tolerance=click.tolerance,
        sightings=tuple(Sighting(camera=camera, pixel=pixel) for camera, pixel in click.shown.items()),
    )


def _lines(rig: Rig, shown: Mapping[str, Pixel]) -> dict[str, tuple[Pixel, ...]]:
    first = next(iter(shown))
    origin, direction = rig.camera(first).rays(np.array(shown[first], dtype=np.float64))
    points = origin + _DEPTHS[:, None] * direction
    return {name: _in_picture(camera, points) for name, camera in rig.cameras.items() if name not in shown}


def _in_picture(camera: RigCamera, points: Float64[np.ndarray, "point 3"]) -> tuple[Pixel, ...]:
    pixels = camera.project(points)
    lens = camera.intrinsics
    near = np.isfinite(pixels).all(axis=1) & (np.abs(pixels) < 3 * max(lens.width, lens.height)).all(axis=1)
    return tuple((float(right), float(down)) for right, down in pixels[near])
