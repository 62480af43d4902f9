"""Poses of the cameras from TF, where tf2_ros is installed."""

from collections.abc import Mapping
from importlib import import_module
from time import monotonic
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time

from robo_reward.camera.camera_info import pose_from_transform
from robo_reward.camera.pose import Pose


def tf_poses(node: Node, frames: Mapping[str, str], *, base_frame: str, timeout: float) -> dict[str, Pose]:
    """Ask TF once where cameras that stand still are; waits at most `timeout` [s] for it.

    A node of its own listens: this may be called in a callback of `node`.

    Args:
        node: Whose context and namespace count.
        frames: Camera to its optical frame.
        base_frame: Of the rig.
        timeout: [s].

    Returns:
        Camera to `T_base_camera`.

    Raises:
        ModuleNotFoundError: tf2_ros is not installed.
        ValueError: A transform did not come.
    """
    tf2 = import_module("tf2_ros")
    listener = rclpy.create_node(f"{node.get_name()}_tf", context=node.context, namespace=node.get_namespace())
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(listener)
    buffer, end = tf2.Buffer(), monotonic() + timeout
    hearing = tf2.TransformListener(buffer, listener, spin_thread=False)
    try:
        while missing := _missing(buffer, frames, base_frame):
            if monotonic() > end:
                raise ValueError(
                    f"TF has no transform from '{base_frame}' to {sorted(missing)} within {timeout:g} s; "
                    "camera_poses=rig takes the rig's own"
                )
            executor.spin_once(timeout_sec=0.05)
        return {name: _pose(buffer.lookup_transform(base_frame, frame, Time())) for name, frame in frames.items()}
    finally:
        hearing.unregister()
        executor.shutdown()
        listener.destroy_node()


def _missing(buffer: Any, frames: Mapping[str, str], base_frame: str) -> list[str]:
    return [frame for frame in frames.values() if not buffer.can_transform(base_frame, frame, Time())]


def _pose(stamped: Any) -> Pose:
    told = stamped.transform
    return pose_from_transform(
        {
            "translation": {axis: getattr(told.translation, axis) for axis in "xyz"},
            "rotation": {axis: getattr(told.rotation, axis) for axis in "xyzw"},
        }
    )
