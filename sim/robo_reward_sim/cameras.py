"""Where the cameras of the Meta-World table stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPose:
    """A camera that looks at a point of the table, upright, with a vertical field of view of 45 degrees.

    Raises:
        ValueError: A distance that is not positive, or an elevation beyond straight up or down.
    """

    lookat: tuple[float, float, float]
    """Point in the centre of the picture, in the world's frame [m]: the robot stands at 0, y points away from it."""
    distance: float
    """Distance from the camera to `lookat` [m]."""
    azimuth: float
    """Heading of the line of sight [deg]: 0 looks along +x, 90 along +y."""
    elevation: float
    """Inclination of the line of sight [deg], in [-90, 90]: negative looks down."""

    def __post_init__(self) -> None:
        if self.distance <= 0:
            raise ValueError(f"distance must be > 0 m, got {self.distance}")
        if not -90 <= self.elevation <= 90:
            raise ValueError(f"elevation must be in [-90, 90] degrees, got {self.elevation}")


# The workspace spans x in [-0.4, 0.2], y in [0.4, 1.0], z in [0, 0.35]; objects face the robot, so it is seen from
# both sides a little from the robot's end, past the arm.
POSES: Mapping[str, CameraPose] = MappingProxyType(
    {
        "left": CameraPose(lookat=(-0.05, 0.73, 0.14), distance=1.0, azimuth=25, elevation=-28),
        "right": CameraPose(lookat=(-0.08, 0.70, 0.13), distance=1.05, azimuth=150, elevation=-35),
        "side": CameraPose(lookat=(-0.05, 0.73, 0.14), distance=1.0, azimuth=180, elevation=-15),
        "top": CameraPose(lookat=(-0.05, 0.75, 0.1), distance=1.0, azimuth=90, elevation=-70),
    }
)
"""Our cameras, by name."""

STOCK_CAMERAS = ("corner", "corner2", "corner3", "corner4", "topview", "behindGripper", "gripperPOV")
"""Meta-World's own cameras; `UPSIDE_DOWN` ones are turned by 180 degrees."""

UPSIDE_DOWN = ("corner", "corner2", "corner3", "corner4")
"""Those of Meta-World's cameras that see the table above the sky."""

CAMERAS = (*POSES, *STOCK_CAMERAS)
"""Every camera that a scene can be seen through."""


def check_cameras(names: tuple[str, ...]) -> None:
    """Raise ValueError unless `names` are known cameras, at least one and none twice."""
    if not names:
        raise ValueError(f"at least one camera is needed; available: {', '.join(CAMERAS)}")
    for name in names:
        if name not in CAMERAS:
            raise ValueError(f"unknown camera '{name}'; available: {', '.join(CAMERAS)}")
    if len(set(names)) != len(names):
        raise ValueError(f"a camera is named twice: {', '.join(names)}")
