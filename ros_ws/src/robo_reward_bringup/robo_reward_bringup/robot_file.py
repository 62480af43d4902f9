"""A robot's file: where its cameras and its state are heard, and what says that it may go on. No ROS."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from robo_reward_bringup.relay_conditions import Condition, condition_of

KEYS = ("about", "cameras", "robot_ok", "parameters", "simulated")
CAMERA_KEYS = ("topic", "info", "optional", "driver")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """One camera of a robot."""

    topic: str
    """Image topic, relative to the robot's namespace; one that ends in `/compressed` is a `CompressedImage`."""
    info: str = ""
    """Its `CameraInfo` topic, compared with the rig where there is one; empty = none."""
    optional: bool = False
    """Rewards go on without it."""
    driver: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of its `realsense2_camera_node`, for `start_cameras`; empty = somebody else starts it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Robot:
    """What reward nodes need to know of an arm.

    Raises:
        ValueError: No camera, or no required one.
    """

    name: str
    about: str
    """Which drivers, of which version, publish these names."""
    cameras: Mapping[str, Camera]
    """By the name under which the model knows them."""
    robot_ok: tuple[str, ...] = ()
    """Conditions (see `Condition`) that must all hold for the robot to be fit to go on; empty = nobody says."""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Node to its parameters."""
    simulated: bool = False
    """The simulated arm is started, too, and publishes `robot_ok` itself."""

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("cameras is empty: a robot needs at least one camera")
        if all(each.optional for each in self.cameras.values()):
            raise ValueError(f"cameras {list(self.cameras)} are all optional: at least one must be required")

    @property
    def conditions(self) -> list[Condition]:
        """What must hold for the robot to be fit to go on."""
        return [condition_of(each) for each in self.robot_ok]


def read_robot(path: Path) -> Robot:
    """Read a robot's file.

    Raises:
        ValueError: No YAML, a key that is missing or unknown, or a condition that cannot be read; names the file.
    """
    try:
        content = yaml.safe_load(path.read_text())
        return _as_robot(path.stem, content)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"robot {path}: {error}") from error


def _as_robot(name: str, content: Any) -> Robot:
    _check_keys(content, KEYS, needed=("about", "cameras"), what="a robot")
    cameras = {}
    for camera, given in (content["cameras"] or {}).items():
        _check_keys(given, CAMERA_KEYS, needed=("topic",), what=f"camera {camera}")
        cameras[camera] = Camera(**given)
    robot = Robot(
        name=name,
        about=content["about"],
        cameras=cameras,
        robot_ok=tuple(content.get("robot_ok", ())),
        parameters=content.get("parameters", {}),
        simulated=content.get("simulated", False),
    )
    robot.conditions  # noqa: B018 (a condition that cannot be read is said now)
    return robot


def _check_keys(given: Any, allowed: tuple[str, ...], *, needed: tuple[str, ...], what: str) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} must be a mapping with the keys {', '.join(allowed)}, got {given!r}")
    unknown, missing = sorted(set(given) - set(allowed)), sorted(set(needed) - set(given))
    if unknown or missing:
        raise ValueError(f"{what} has the keys {', '.join(allowed)}; unknown: {unknown}, missing: {missing}")
