"""From a request of `~/set_task` to settings of a task. No ROS."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from robo_reward.durable import atomic_file
from robo_reward.episodes.ros_images import encoded_picture, rgb_of_message
from robo_reward.perception.cache_folder import cache_folder
from robo_reward.plans.plan_folder import PLAN
from robo_reward_ros.task_settings import TaskSettings


def task_of_request(request: Any, settings: TaskSettings) -> TaskSettings:
    """Give the settings with another task.

    What a request leaves empty is as configured; its words are never carried over to demonstrations or a plan of
    another task.

    Args:
        request: With the fields of `SetTask`.
        settings: As configured.

    Raises:
        ValueError: A request that asks for nothing, or something that is not there.
        OutputError: Goal images cannot be kept.
    """
    asked = (request.instruction, request.goal, request.goal_images, request.demonstrations, request.plan)
    if not any(map(len, asked)):
        raise ValueError(
            "the request is empty: give instruction, goal, goal_images, demonstrations or plan, at least one of them"
        )
    goes_by = request.demonstrations or request.plan  # these say themselves what the task is
    prompts = {name: tuple(texts) for name, texts in (("goal", request.goal), ("baseline", request.baseline)) if texts}
    return replace(
        settings,
        instruction=request.instruction or ("" if goes_by else settings.instruction),
        prompts=prompts,
        goal_pictures=_kept_pictures(request.goal_images, request.goal_image_cameras, settings.cameras),
        plan=_plan_file(request.plan) if request.plan else settings.plan,
        demonstrations=_folder(request.demonstrations) if request.demonstrations else settings.demonstrations,
    )


def _kept_pictures(images: Sequence[Any], cameras: Sequence[str], known: Sequence[str]) -> Mapping[str, str]:
    """Check goal images and keep them under their digest, so that the model's configuration names what it shows."""
    if len(images) != len(cameras) or len(set(cameras)) != len(cameras):
        raise ValueError(
            f"goal_image_cameras must name a camera for each of the {len(images)} goal_images, none twice; "
            f"got {list(cameras)}"
        )
    if unknown := sorted(set(cameras) - set(known)):
        raise ValueError(f"goal_image_cameras {unknown} are none of the cameras {list(known)}")
    return {camera: _kept(camera, image) for camera, image in zip(cameras, images, strict=True)}


def _kept(camera: str, image: Any) -> str:
    try:
        rgb_of_message(image)
    except ValueError as error:
        raise ValueError(f"goal image of camera '{camera}': {error}") from error
    content = encoded_picture(image)
    file = cache_folder("goal_images") / hashlib.sha256(content).hexdigest()
    if not file.is_file():
        with atomic_file(file) as temporary:
            temporary.write_bytes(content)
    return str(file)


def _plan_file(plan: str) -> str:
    given = Path(plan).expanduser()
    file = given / PLAN if given.is_dir() else given
    if not file.is_file():
        raise ValueError(f"plan: there is no {file}; name a plan's YAML file, or the folder that holds {PLAN}")
    return str(file)


def _folder(demonstrations: str) -> str:
    folder = Path(demonstrations).expanduser()
    if not folder.is_dir():
        raise ValueError(f"demonstrations: there is no folder {folder}; name that of a LeRobot data set")
    return str(folder)
