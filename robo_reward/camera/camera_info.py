"""ROS's `sensor_msgs/CameraInfo` and transforms as plain values; no ROS is needed."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose

_SIZES: Mapping[str, tuple[int, ...]] = {"plumb_bob": (0, 4, 5), "rational_polynomial": (8,), "": (0,)}

T_LINK_OPTICAL = Pose.from_quaternion_wxyz(np.zeros(3), np.array([0.5, -0.5, 0.5, -0.5]))
"""Pose of the optical frame (x right, y down, z forward) in ROS's body frame (x forward, y left, z up), REP 103."""


def intrinsics_from_camera_info(fields: Mapping[str, Any], *, rectified: bool = False) -> Intrinsics:
    """Give the intrinsics that a CameraInfo message states for the pictures that come with it.

    Region of interest and binning are taken into account: they change the pictures, while K and P in the message stay
    those of the full sensor. Binning is taken as averaging, which moves pixel centres.

    Args:
        fields: `width`, `height`, `distortion_model`, `d`, `k`, `p`, `roi`, `binning_x`, `binning_y` as in ROS 2, or
            `D`, `K`, `P` as in ROS 1; `roi` as a mapping.
        rectified: The pictures are rectified (`image_rect`): P counts, without distortion. A rectified stereo camera's
            optical frame is turned by the message's `r`.

    Raises:
        ValueError: A field is missing, the camera is uncalibrated (K is zero or not finite), or its distortion model is
            another than plumb_bob and rational_polynomial.
    """
    width, height = int(_field(fields, "width")), int(_field(fields, "height"))
    matrix = _matrix(fields, "p", (3, 4)) if rectified else _matrix(fields, "k", (3, 3))
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or not math.isclose(matrix[2, 2], 1, rel_tol=1e-9):
        raise ValueError(
            f"the camera is not calibrated: {'p' if rectified else 'k'} is {matrix.tolist()}, "
            "focal lengths must be > 0 px and the last number 1"
        )
    if abs(matrix[0, 1]) > 1e-9:
        raise ValueError(f"a camera with skew is not supported, got k[1] = {matrix[0, 1]:g}")
    full = Intrinsics(
        width=width,
        height=height,
        focal_x=float(matrix[0, 0]),
        focal_y=float(matrix[1, 1]),
        centre_x=float(matrix[0, 2]),
        centre_y=float(matrix[1, 2]),
        distortion=np.zeros(0) if rectified else _distortion(fields),
    )
    return _binned(_cropped(full, fields.get("roi")), fields)


def camera_info_from_intrinsics(intrinsics: Intrinsics) -> dict[str, Any]:
    """Give the fields of a ROS 2 CameraInfo message of an unrectified camera.

    Raises:
        ValueError: More than 8 distortion coefficients, which ROS has no model for.
    """
    distortion = intrinsics.distortion.tolist()
    if len(distortion) > 8:
        raise ValueError(f"ROS knows 0, 4, 5 or 8 distortion coefficients, the camera has {len(distortion)}")
    return {
        "width": intrinsics.width,
        "height": intrinsics.height,
        "distortion_model": "rational_polynomial" if len(distortion) == 8 else "plumb_bob",
        "d": distortion if len(distortion) in (5, 8) else (distortion + [0.0] * 5)[:5],
        "k": intrinsics.matrix.ravel().tolist(),
        "r": np.eye(3).ravel().tolist(),
        "p": np.hstack([intrinsics.matrix, np.zeros((3, 1))]).ravel().tolist(),
        "binning_x": 0,
        "binning_y": 0,
        "roi": {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False},
    }


def pose_from_transform(fields: Mapping[str, Mapping[str, float]]) -> Pose:
    """Give the pose of a `geometry_msgs/Transform`, whose quaternion has its real part last; `T_parent_child`.

    Raises:
        ValueError: A field is missing, or a quaternion that has not length 1.
    """
    translation, rotation = _field(fields, "translation"), _field(fields, "rotation")
    return Pose.from_quaternion_wxyz(
        np.array([float(_field(translation, axis)) for axis in "xyz"]),
        np.array([float(_field(rotation, axis)) for axis in "wxyz"]),
    )


def transform_from_pose(pose: Pose) -> dict[str, dict[str, float]]:
    """Give the fields of a `geometry_msgs/Transform`."""
    return {
        "translation": dict(zip("xyz", pose.translation.tolist(), strict=True)),
        "rotation": dict(zip("wxyz", pose.quaternion_wxyz.tolist(), strict=True)),
    }


def _field(fields: Mapping[str, Any], name: str) -> Any:
    for each in (name, name.upper()):
        if each in fields:
            return fields[each]
    raise ValueError(f"the message has no field '{name}'; its fields: {', '.join(fields)}")


def _matrix(fields: Mapping[str, Any], name: str, shape: tuple[int, int]) -> Float64[np.ndarray, "row column"]:
    values = np.asarray(_field(fields, name), np.float64)
    if values.size != shape[0] * shape[1] or not np.isfinite(values).all():
        raise ValueError(
            f"the camera is not calibrated: {name} must be {shape[0] * shape[1]} finite numbers, "
            f"got {values.ravel().tolist()}"
        )
    return values.reshape(shape)


def _distortion(fields: Mapping[str, Any]) -> Float64[np.ndarray, " coefficient"]:
    model, values = str(_field(fields, "distortion_model")), np.asarray(_field(fields, "d"), np.float64).ravel()
    if model not in _SIZES:
        raise ValueError(f"distortion_model must be plumb_bob or rational_polynomial, got '{model}'")
    if len(values) not in _SIZES[model]:
        raise ValueError(
            f"distortion_model '{model}' has {' or '.join(map(str, _SIZES[model]))} coefficients, got {values.tolist()}"
        )
    return values


def _cropped(full: Intrinsics, roi: Mapping[str, int] | None) -> Intrinsics:
    if roi is None or not (roi["width"] or roi["height"]):  # zeros stand for the whole sensor
        return full
    return Intrinsics(
        width=int(roi["width"]),
        height=int(roi["height"]),
        focal_x=full.focal_x,
        focal_y=full.focal_y,
        centre_x=full.centre_x - int(roi["x_offset"]),
        centre_y=full.centre_y - int(roi["y_offset"]),
        distortion=full.distortion,
    )


def _binned(full: Intrinsics, fields: Mapping[str, Any]) -> Intrinsics:
    across, down = (max(1, int(fields.get(name, 0))) for name in ("binning_x", "binning_y"))
    if across == down == 1:
        return full
    return full.scaled(width=full.width // across, height=full.height // down)
