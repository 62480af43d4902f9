"""One camera's intrinsics in YAML, as ROS's camera drivers read it, with when and how it was measured."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from robo_reward.camera.camera_info import camera_info_from_intrinsics, intrinsics_from_camera_info
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.rig import Measurement
from robo_reward.camera.rig_file import FORMAT, read_rig
from robo_reward.durable import atomic_file
from robo_reward.errors import DataSetError

_SHAPES: Mapping[str, tuple[str, int]] = {
    "camera_matrix": ("k", 3),
    "distortion_coefficients": ("d", 1),
    "rectification_matrix": ("r", 3),
    "projection_matrix": ("p", 3),
}
"""Key of the file, field of the message, rows."""


def write_camera(intrinsics: Intrinsics, path: str | Path, *, name: str, measured: Measurement) -> None:
    """Write a camera's YAML, whole or not at all, as ROS's camera_calibration does, with one more key, `measured`.

    Raises:
        ValueError: A lens that ROS has no model for.
        OutputError: The file cannot be written.
    """
    fields = camera_info_from_intrinsics(intrinsics)
    values: dict[str, Any] = {
        "image_width": fields["width"],
        "image_height": fields["height"],
        "camera_name": name,
        "distortion_model": fields["distortion_model"],
    }
    for key, (field, rows) in _SHAPES.items():
        data = [float(value) for value in fields[field]]
        values[key] = {"rows": rows, "cols": len(data) // rows, "data": data}
    values["measured"] = {
        "date": measured.date,
        "how": measured.how,
        "residual_px": None if math.isnan(measured.residual_px) else float(measured.residual_px),
    }
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=120))


def read_camera(path: str | Path, *, name: str | None = None) -> Intrinsics:
    """Read a camera's intrinsics from its own YAML, or those of one camera of a rig's.

    Args:
        path: File of `write_camera`, of ROS's camera_calibration, or of `write_rig`.
        name: Which camera of a rig.

    Raises:
        FileNotFoundError: There is no such file.
        DataSetError: It is no camera; names the key.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise DataSetError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise DataSetError(f"{path} is no camera: a mapping is expected")
    if values.get("format") == FORMAT:
        return _of_rig(path, name)
    try:
        fields = {field: values[key]["data"] for key, (field, _) in _SHAPES.items()}
        size = {"width": values["image_width"], "height": values["image_height"]}
        return intrinsics_from_camera_info({**fields, **size, "distortion_model": values["distortion_model"]})
    except (KeyError, TypeError, ValueError) as error:
        raise DataSetError(f"{path} is no camera file of ROS: {error!r}") from error


def _of_rig(path: Path, name: str | None) -> Intrinsics:
    cameras = read_rig(path).cameras
    if name is None and len(cameras) == 1:
        return next(iter(cameras.values())).intrinsics
    if name is None or name not in cameras:
        raise DataSetError(f"{path} has no camera '{name}'; there are {', '.join(cameras)}")
    return cameras[name].intrinsics
