"""Cameras that stand still around one robot, and how it was measured where they stand."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose

UNKNOWN_DATE = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """When and how a rig was measured, and how well.

    Raises:
        ValueError: A date that is neither `YYYY-MM-DD` nor `unknown`, an empty `how`, or a negative residual.
    """

    date: str
    """Day of the measurement, `YYYY-MM-DD`; `unknown` where nobody wrote it down."""
    how: str
    """By what means, in words: method, board, number of images."""
    residual_px: float = math.nan
    """Root mean square reprojection error of held-out images [px]; NaN = not measured."""

    def __post_init__(self) -> None:
        if self.date != UNKNOWN_DATE:
            try:
                date.fromisoformat(self.date)
            except ValueError as error:
                raise ValueError(f"date must be YYYY-MM-DD or '{UNKNOWN_DATE}', got '{self.date}'") from error
        if not self.how.strip():
            raise ValueError("how must say in words how the rig was measured, got an empty text")
        if self.residual_px < 0:
            raise ValueError(f"residual_px must be >= 0 px or NaN, got {self.residual_px:g}")


NOT_MEASURED = Measurement(date=UNKNOWN_DATE, how="not measured")
"""Of a rig that was drawn up, not measured."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RigCamera:
    """One camera of a rig: its lens and where it stands."""

    intrinsics: Intrinsics
    T_base_camera: Pose
    """Pose of the camera's OpenCV optical frame (x right, y down, z forward) in the rig's base frame."""

    def project(self, points_base: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 2"]:
        """Give the pixels where points [m] of the base frame are seen; NaN behind the camera."""
        return self.intrinsics.project(self.T_base_camera.inverse().apply(points_base))

    def rays(self, pixels: Float64[np.ndarray, "*n 2"]) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "*n 3"]]:
        """Give the lines of sight through pixels, in the base frame: (common origin [m], unit directions)."""
        directions = self.intrinsics.unproject(pixels)
        turned = (directions[..., None, :] * self.T_base_camera.rotation).sum(axis=-1)
        return self.T_base_camera.translation, turned


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Rig:
    """Every camera that watches one robot, in the robot's base frame.

    Raises:
        ValueError: No camera, an empty name, or an empty name of the base frame.
    """

    cameras: Mapping[str, RigCamera]
    """By name, as in `Clip.views`."""
    base_frame: str
    """Name of the frame that all poses are in, as the robot's software calls it, such as `base_link`."""
    measured: Measurement = NOT_MEASURED

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("a rig needs at least one camera; cameras is empty")
        if any(not name.strip() for name in self.cameras):
            raise ValueError(f"a camera of the rig has an empty name: {list(self.cameras)}")
        if not self.base_frame.strip():
            raise ValueError("base_frame must name the frame that the cameras' poses are in, got an empty text")

    def camera(self, name: str) -> RigCamera:
        """Give a camera by its name.

        Raises:
            ValueError: The rig has no such camera.
        """
        if name not in self.cameras:
            raise ValueError(f"the rig has no camera '{name}'; its cameras: {', '.join(sorted(self.cameras))}")
        return self.cameras[name]
