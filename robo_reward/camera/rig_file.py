"""One YAML file per camera rig: what was measured, with its units, frames, date and residual."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import NOT_MEASURED, Measurement, Rig, RigCamera
from robo_reward.durable import atomic_file
from robo_reward.errors import DataSetError

FORMAT = "robo_reward rig 1"
UNITS = {"length": "m", "image": "px"}

_HEADER = """\
# A rig: cameras that stand still around one robot, and how they were measured.
# Pixel (0, 0) is the centre of the top left pixel. Distortion is OpenCV's: k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty.
# A pose takes points of `child` to `parent`; child is the optical frame: x right, y down, z forward.
"""
_CAMERA_KEYS = ("width", "height", "focal_x", "focal_y", "centre_x", "centre_y", "distortion", "pose")
_POSE_KEYS = ("parent", "child", "translation", "quaternion_wxyz")


def write_rig(rig: Rig, path: Path) -> None:
    """Write a rig; the file appears whole or not at all, and replaces an older one.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    text = _HEADER + yaml.safe_dump(_as_plain(rig), sort_keys=False, default_flow_style=None, width=120)
    with atomic_file(path) as temporary:
        temporary.write_text(text)


def read_rig(path: Path) -> Rig:
    """Read a rig that `write_rig`, or a person, wrote.

    `measured: nan` says that nobody measured it; a `residual_px` that nobody knows is `nan`, too.

    Raises:
        DataSetError: No such file, no YAML, a key that is missing, unknown or of a wrong kind, other units or another
            parent frame, or numbers that are no rotation or no lens. Names the file, the key, and what is allowed.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise DataSetError(f"rig {path} cannot be read: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataSetError(f"rig {path} is no YAML: {error}") from error
    try:
        return _as_rig(content)
    except ValueError as error:
        raise DataSetError(f"rig {path}: {error}") from error


def _as_plain(rig: Rig) -> dict[str, Any]:
    measured = rig.measured
    return {
        "format": FORMAT,
        "units": dict(UNITS),
        "base_frame": rig.base_frame,
        "measured": {"date": measured.date, "how": measured.how, "residual_px": float(measured.residual_px)},
        "cameras": {name: _camera_as_plain(name, camera, rig.base_frame) for name, camera in rig.cameras.items()},
    }


def _camera_as_plain(name: str, camera: RigCamera, base_frame: str) -> dict[str, Any]:
    lens, pose = camera.intrinsics, camera.T_base_camera
    return {
        "width": int(lens.width),
        "height": int(lens.height),
        **{key: float(getattr(lens, key)) for key in ("focal_x", "focal_y", "centre_x", "centre_y")},
        "distortion": lens.distortion.tolist(),
        "pose": {
            "parent": base_frame,
            "child": f"{name}_optical_frame",
            "translation": pose.translation.tolist(),
            "quaternion_wxyz": pose.quaternion_wxyz.tolist(),
        },
    }


def _as_rig(content: Any) -> Rig:
    top = _mapping(content, "the file", ("format", "units", "base_frame", "measured", "cameras"))
    if top["format"] != FORMAT:
        raise ValueError(f"format must be '{FORMAT}', got {top['format']!r}")
    if top["units"] != UNITS:
        raise ValueError(f"units must be {UNITS}, got {top['units']!r}")
    base_frame = _text(top["base_frame"], "base_frame")
    if not isinstance(top["cameras"], Mapping):
        raise ValueError(f"cameras must be camera names with their settings, got {top['cameras']!r}")
    cameras = {str(name): _as_camera(each, f"cameras.{name}", base_frame) for name, each in top["cameras"].items()}
    return Rig(cameras=cameras, base_frame=base_frame, measured=_as_measurement(top["measured"]))


def _as_measurement(value: Any) -> Measurement:
    if not isinstance(value, Mapping) and math.isnan(_number(value, "measured")):
        return NOT_MEASURED
    given = _mapping(value, "measured", ("date", "how", "residual_px"))
    day = given["date"].isoformat() if isinstance(given["date"], date) else given["date"]
    return Measurement(
        date=_text(day, "measured.date"),
        how=_text(given["how"], "measured.how"),
        residual_px=_number(given["residual_px"], "measured.residual_px"),
    )


def _as_camera(value: Any, key: str, base_frame: str) -> RigCamera:
    given = _mapping(value, key, _CAMERA_KEYS)
    pose = _mapping(given["pose"], f"{key}.pose", _POSE_KEYS)
    if pose["parent"] != base_frame:
        raise ValueError(f"{key}.pose.parent must be base_frame, '{base_frame}', got {pose['parent']!r}")
    translation = _numbers(pose["translation"], f"{key}.pose.translation", size=3)
    quaternion = _numbers(pose["quaternion_wxyz"], f"{key}.pose.quaternion_wxyz", size=4)
    try:
        return RigCamera(
            intrinsics=Intrinsics(
                width=_whole(given["width"], f"{key}.width"),
                height=_whole(given["height"], f"{key}.height"),
                focal_x=_number(given["focal_x"], f"{key}.focal_x"),
                focal_y=_number(given["focal_y"], f"{key}.focal_y"),
                centre_x=_number(given["centre_x"], f"{key}.centre_x"),
                centre_y=_number(given["centre_y"], f"{key}.centre_y"),
                distortion=_numbers(given["distortion"], f"{key}.distortion"),
            ),
            T_base_camera=Pose.from_quaternion_wxyz(translation, quaternion),
        )
    except ValueError as error:
        told = str(error)
        raise ValueError(told if told.startswith(key) else f"{key}: {told}") from error


def _mapping(value: Any, key: str, keys: Sequence[str]) -> Mapping[str, Any]:
    allowed = ", ".join(keys)
    if not isinstance(value, Mapping):
        raise ValueError(f"{key} must hold the keys {allowed}; got {value!r}")
    missing, unknown = [each for each in keys if each not in value], [each for each in value if each not in keys]
    if missing or unknown:
        raise ValueError(f"{key} must hold the keys {allowed}; missing: {missing}, unknown: {unknown}")
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text, got {value!r}")
    return value


def _whole(value: Any, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} must be a whole number, got {value!r}")
    return value


def _number(value: Any, key: str) -> float:
    # YAML 1.1 reads `nan` and `1e-3` as text
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    raise ValueError(f"{key} must be a number, got {value!r}")


def _numbers(value: Any, key: str, *, size: int | None = None) -> np.ndarray:
    if not isinstance(value, list) or (size is not None and len(value) != size):
        raise ValueError(f"{key} must be a list of {'' if size is None else f'{size} '}numbers, got {value!r}")
    return np.array([_number(each, f"{key}[{index}]") for index, each in enumerate(value)], np.float64)
