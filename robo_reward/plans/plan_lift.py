"""From marks in pictures to points in space, through a calibrated rig."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.plane import Plane, ray_plane
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.camera.triangulation import triangulate
from robo_reward.perception.visual_marks import HeightLine
from robo_reward.plans.tile_space import Shown, corner_reach, middle_of_tiles

_UP = np.array([0.0, 0.0, 1.0])


class LiftError(ValueError):
    """A point that was shown in pictures cannot be found in space; says why."""


@runtime_checkable
class Lift(Protocol):
    """Finds points in space from where they were shown."""

    @property
    def version(self) -> str:
        """Identifies cameras, base frame and settings."""
        ...

    @property
    def rig(self) -> Rig:
        """Cameras and base frame."""
        ...

    @property
    def cameras(self) -> tuple[str, ...]:
        """In which cameras each point must be shown."""
        ...

    @property
    def heights(self) -> tuple[float, ...]:
        """Heights [m] among which one must be chosen for each point; empty = none is needed."""
        ...

    def lines(self) -> Mapping[str, Sequence[HeightLine]]:
        """Give the height lines to draw, by camera; none where no height is needed."""
        ...

    def lift(self, shown: Mapping[str, Shown], height: float | None) -> Float64[np.ndarray, "3"]:
        """Give the point in the base frame [m].

        Args:
            shown: By camera, each of `cameras`.
            height: One of `heights`; None where none is needed.

        Raises:
            LiftError: There is no such point.
        """
        ...

    def reach(self, shown: Mapping[str, Shown], position: Float64[np.ndarray, "3"]) -> float:
        """Give how far from its lifted position a point that was shown by tiles alone may be [m]; else 0."""
        ...


@final
class TwoViews:
    """Triangulates a point that two or more cameras show.

    Args:
        rig: Cameras.
        cameras: At least two of the rig's.
        gate: Distance, in standard deviations, by which a camera may contradict the others.

    Raises:
        ValueError: Fewer than two cameras, one that the rig has not, or a gate that is not positive.
    """

    heights: tuple[float, ...] = ()

    def __init__(self, rig: Rig, *, cameras: Sequence[str], gate: float = 3.0) -> None:
        if len(set(cameras)) < 2:
            raise ValueError(f"two views need two different cameras, got {list(cameras)}")
        if not gate > 0:
            raise ValueError(f"gate must be > 0 standard deviations, got {gate}")
        self.rig, self.cameras, self._gate = rig, tuple(cameras), gate
        self._seen_by = [rig.camera(name) for name in cameras]
        self.version = _version("TwoViews", rig, self.cameras, gate)

    def lines(self) -> Mapping[str, Sequence[HeightLine]]:
        """Give none: heights are not asked for."""
        return {}

    def lift(self, shown: Mapping[str, Shown], height: float | None) -> Float64[np.ndarray, "3"]:
        """Give the point in the base frame [m]: of tiles alone the middle of the space that lies in all of them.

        Raises:
            LiftError: The lines of sight pass each other by more than the pixels' uncertainty explains.
        """
        seen = [shown[name] for name in self.cameras]
        pixels = np.array([each.pixel for each in seen], dtype=np.float64)
        std = np.array([each.std for each in seen])
        only_tiles = all(each.reach is not None for each in seen)
        position = triangulate(self._seen_by, pixels, pixel_std=std, gate=self._gate).position
        if only_tiles and np.isfinite(position).all():
            position, _ = middle_of_tiles(self._seen_by, seen, near=position)
        if not np.isfinite(position).all():
            places = ", ".join(
                f"{name} ({at[0]:.0f}, {at[1]:.0f})" for name, at in zip(self.cameras, pixels, strict=True)
            )
            raise LiftError(f"the marks chosen in the pictures do not show one point: lines of sight miss: {places}")
        return position

    def reach(self, shown: Mapping[str, Shown], position: Float64[np.ndarray, "3"]) -> float:
        """Give how far the farthest point that lies in all tiles is [m]; 0 where some mark is no tile."""
        seen = [shown[name] for name in self.cameras]
        if any(each.reach is None for each in seen):
            return 0.0
        return middle_of_tiles(self._seen_by, seen, near=position)[1]


@final
class ViewAndHeight:
    """Meets the line of sight of one camera with the horizontal plane at the chosen height.

    Args:
        rig: Cameras; the base frame's z axis points up.
        camera: Of the rig, looking down: the steeper, the more exact.
        heights: Heights [m] in the base frame, increasing.
        side_camera: Where lines of these heights are drawn; None = heights are told in numbers only.
        lines_at: Place (x, y) [m] at whose distance from the side camera the lines are right, such as the middle of the
            workspace; nearer things stand higher in the picture than their line, farther ones lower.

    Raises:
        ValueError: A camera that the rig has not, or heights that are none or do not increase.
    """

    def __init__(
        self,
        rig: Rig,
        *,
        camera: str,
        heights: Sequence[float],
        side_camera: str | None = None,
        lines_at: Sequence[float] = (0.0, 0.0),
    ) -> None:
        self.rig, self.cameras = rig, (camera,)
        self.heights = tuple(float(each) for each in heights)
        if not self.heights or any(low >= high for low, high in zip(self.heights, self.heights[1:], strict=False)):
            raise ValueError(f"heights must be one or more increasing numbers [m], got {list(heights)}")
        if len(lines_at) != 2:
            raise ValueError(f"lines_at must be (x, y) [m], got {list(lines_at)}")
        self._camera = rig.camera(camera)
        self._side = None if side_camera is None else (side_camera, rig.camera(side_camera))
        self._lines_at = np.array([*lines_at, 0.0], dtype=np.float64)
        self.version = _version("ViewAndHeight", rig, self.cameras, self.heights, side_camera, self._lines_at.tolist())

    def lines(self) -> Mapping[str, Sequence[HeightLine]]:
        """Give the height lines of the side camera, if there is one."""
        if self._side is None:
            return {}
        name, camera = self._side
        return {name: height_lines(camera, self.heights, through=self._lines_at)}

    def lift(self, shown: Mapping[str, Shown], height: float | None) -> Float64[np.ndarray, "3"]:
        """Give the point in the base frame [m].

        Raises:
            LiftError: The line of sight does not come to this height in front of the camera.
        """
        if height is None:
            raise LiftError("a height is needed, and none was given")
        origin, direction = self._camera.rays(np.array(shown[self.cameras[0]].pixel, dtype=np.float64))
        found = ray_plane(origin, direction, Plane(normal=_UP, offset=height))
        if not np.isfinite(found).all():
            raise LiftError(f"the line of sight of camera '{self.cameras[0]}' does not come to height {height:g} m")
        return found

    def reach(self, shown: Mapping[str, Shown], position: Float64[np.ndarray, "3"]) -> float:
        """Give how far the tile's farthest corner is on the plane of the point's height [m]; 0 for other marks."""
        plane = Plane(normal=_UP, offset=float(position[2]))
        return corner_reach(
            shown[self.cameras[0]], position, meet=lambda corner: ray_plane(*self._camera.rays(corner), plane)
        )


@final
class ViewAndDepth:
    """Follows the line of sight of one camera as far as its depth image says.

    Args:
        rig: Cameras.
        camera: Of the rig.
        depth: Distance along the camera's optical axis [m] of each pixel; NaN or 0 where unknown.
        window: Half width [px] of the square whose known pixels' median counts.

    Raises:
        ValueError: A camera that the rig has not, a depth image of another size than the camera's, a negative window.
    """

    heights: tuple[float, ...] = ()

    def __init__(self, rig: Rig, *, camera: str, depth: Float64[np.ndarray, "height width"], window: int = 2) -> None:
        self.rig, self.cameras, self._camera = rig, (camera,), rig.camera(camera)
        size = (self._camera.intrinsics.height, self._camera.intrinsics.width)
        if depth.shape != size:
            raise ValueError(f"the depth image of camera '{camera}' must be {size} px, got {depth.shape}")
        if window < 0:
            raise ValueError(f"window must be >= 0 px, got {window}")
        self._depth, self._window = depth, window
        self.version = _version("ViewAndDepth", rig, self.cameras, window, sha256(depth.tobytes()).hexdigest())

    def lines(self) -> Mapping[str, Sequence[HeightLine]]:
        """Give none: heights are not asked for."""
        return {}

    def lift(self, shown: Mapping[str, Shown], height: float | None) -> Float64[np.ndarray, "3"]:
        """Give the point in the base frame [m].

        Raises:
            LiftError: The depth image knows nothing there.
        """
        pixel = np.array(shown[self.cameras[0]].pixel, dtype=np.float64)
        right, down = (round(each) for each in pixel.tolist())
        rows, columns = (slice(max(0, at - self._window), at + self._window + 1) for at in (down, right))
        near = self._depth[rows, columns]
        known = near[np.isfinite(near) & (near > 0)]
        if known.size == 0:
            raise LiftError(f"camera '{self.cameras[0]}' has no depth at pixel ({right}, {down})")
        return self._at(pixel, float(np.median(known)))

    def reach(self, shown: Mapping[str, Shown], position: Float64[np.ndarray, "3"]) -> float:
        """Give how far the tile's farthest corner is at the point's own depth [m]; 0 for other marks."""
        depth = float(self._camera.T_base_camera.inverse().apply(position)[2])
        return corner_reach(shown[self.cameras[0]], position, meet=lambda corner: self._at(corner, depth))

    def _at(self, pixel: Float64[np.ndarray, "2"], depth: float) -> Float64[np.ndarray, "3"]:
        ray = self._camera.intrinsics.unproject(pixel)
        return self._camera.T_base_camera.apply(ray * (depth / ray[2]))


def height_lines(
    camera: RigCamera, heights: Sequence[float], *, through: Float64[np.ndarray, "3"]
) -> tuple[HeightLine, ...]:
    """Give how a camera sees horizontal lines of these heights, across its picture.

    They lie in the upright plane through a point and along the picture's horizontal: at that distance, and only there,
    the line of a height is where things of that height are.

    Args:
        camera: Not looking straight down.
        heights: [m] in the base frame.
        through: A point of the plane [m]; its own height does not matter.

    Returns:
        Lines labelled h1, h2, …; without those that the camera does not see.
    """
    across = camera.T_base_camera.rotation[:, 0] * np.array([1.0, 1.0, 0.0])
    across = across / max(float(np.linalg.norm(across)), 1e-9)
    found = []
    for number, height in enumerate(heights, start=1):
        middle = np.array([through[0], through[1], height])
        ends = camera.project(np.stack([middle - 0.1 * across, middle + 0.1 * across]))
        slope = (ends[1] - ends[0]) / (ends[1, 0] - ends[0, 0]) if ends[1, 0] != ends[0, 0] else np.full(2, np.nan)
        edges = np.array([0.0, camera.intrinsics.width - 1.0])
        ends = ends[0] + (edges - ends[0, 0])[:, None] * slope
        if np.isfinite(ends).all() and bool(camera.intrinsics.contains(ends.mean(axis=0))):
            found.append(HeightLine(label=f"h{number}", height=float(height), ends=ends))
    return tuple(found)


def _version(kind: str, rig: Rig, cameras: Sequence[str], *settings: object) -> str:
    parts = [list(cameras), [camera_numbers(rig.camera(name)) for name in cameras], rig.base_frame, *settings]
    return f"{kind} {sha256(json.dumps(parts).encode()).hexdigest()[:16]}"


def camera_numbers(camera: RigCamera) -> list[object]:
    """Give lens and pose of a camera as plain numbers, to tell cameras apart."""
    lens, pose = camera.intrinsics, camera.T_base_camera
    numbers = [lens.width, lens.height, lens.focal_x, lens.focal_y, lens.centre_x, lens.centre_y]
    return [*numbers, lens.distortion.tolist(), pose.rotation.tolist(), pose.translation.tolist()]


_: tuple[type[Lift], ...] = (TwoViews, ViewAndHeight, ViewAndDepth)  # the type checker holds the protocol
