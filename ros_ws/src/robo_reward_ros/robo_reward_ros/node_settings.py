"""From the reward node's parameters to the settings of its parts. No ROS."""

from collections.abc import Mapping
from typing import Any

from robo_reward_ros.core_settings import CoreSettings
from robo_reward_ros.task_settings import TaskSettings


def topics_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Give camera to image topic.

    Raises:
        ValueError: No camera, a name twice, or another number of topics than of cameras.
    """
    cameras, topics = given["cameras"], given["image_topics"]
    if not cameras:
        raise ValueError("cameras is empty: name the cameras as the model knows them")
    if len(set(cameras)) != len(cameras) or len(set(topics)) != len(topics):
        raise ValueError(f"cameras and image_topics must not repeat, got {list(cameras)} and {list(topics)}")
    if len(cameras) != len(topics):
        raise ValueError(f"image_topics must have one topic for each of {list(cameras)}, got {list(topics)}")
    return dict(zip(cameras, topics, strict=True))


def info_topics(given: Mapping[str, Any]) -> dict[str, str]:
    """Give camera to its topic of CameraInfo, for those that have one.

    Raises:
        ValueError: Another number of topics than of cameras.
    """
    return _per_camera(given, "camera_info_topics")


def camera_frames(given: Mapping[str, Any]) -> dict[str, str]:
    """Give camera to its optical frame in TF, for those that have one.

    Raises:
        ValueError: Another number of frames than of cameras.
    """
    return _per_camera(given, "camera_frames")


def _per_camera(given: Mapping[str, Any], name: str) -> dict[str, str]:
    cameras, values = given["cameras"], given[name]
    if values and len(values) != len(cameras):
        raise ValueError(f"{name} must be empty or have one entry for each of {list(cameras)}, got {list(values)}")
    return {camera: value for camera, value in zip(cameras, values, strict=False) if value}


def check_cameras(given: Mapping[str, Any]) -> None:
    """Refuse cameras and topics that make no sense.

    Raises:
        ValueError: As `topics_of` and `core_settings`.
    """
    topics_of(given)
    info_topics(given)
    core_settings(given, session=0)
    if unknown := sorted(set(given["reliable_cameras"]) - set(given["cameras"])):
        raise ValueError(f"reliable_cameras {unknown} are none of the cameras {list(given['cameras'])}")


def core_settings(given: Mapping[str, Any], *, session: int) -> CoreSettings:
    """Give what the core needs.

    Raises:
        ValueError: An optional camera that is none of the cameras, or no required one.
    """
    names = [name for name in CoreSettings.__dataclass_fields__ if name != "session"]
    settings = CoreSettings(**{name: given[name] for name in names}, session=session)
    unknown = sorted(set(settings.optional_cameras) - set(settings.cameras))
    if unknown:
        raise ValueError(f"optional_cameras {unknown} are none of the cameras {list(settings.cameras)}")
    if not settings.required:
        raise ValueError(f"optional_cameras {list(settings.optional_cameras)}: at least one camera must be required")
    return settings


def task_settings(given: Mapping[str, Any]) -> TaskSettings:
    """Give what names the model and its task."""
    return TaskSettings(
        reward_model=given["reward_model"],
        instruction=given["instruction"],
        overrides=given["overrides"],
        demonstrations=given["demonstrations"],
        shaping=given["shaping"],
        discount=given["discount"],
        success_reward=given["success_reward"],
        cameras=given["cameras"],
    )
