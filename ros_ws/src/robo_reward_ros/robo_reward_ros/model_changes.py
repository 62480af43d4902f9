"""What a task changes in a reward model's settings: prompts, goal pictures, plan and rig. No ROS."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from inspect import signature
from typing import Any

from hydra.utils import get_object

from robo_reward_ros.task_settings import TaskSettings

Settings = dict[str, Any]
GOAL_POSE = "robo_reward.models.object_pose_goal.goal_pose"
GOAL_IN_PICTURES = "robo_reward.models.object_pose_pictures.goal_in_pictures"
GOAL_PICTURES: Mapping[str, str] = {"robo_reward.models.vlm_hops.VlmHops": "goal", GOAL_IN_PICTURES: "pictures"}
"""What takes pictures of the task completed, camera to file, and under which name."""


def changed_settings(settings: Settings, task: TaskSettings) -> Settings:
    """Give a model's settings, a `_target_` and what it takes, with what a task says instead.

    Raises:
        ValueError: The model takes no such prompts, goal pictures or plan.
    """
    changed = deepcopy(settings)
    for name, texts in task.prompts.items():
        _check_taken(changed, name, f"prompts '{name}'")
        if any("${" in text for text in texts):
            raise ValueError(f"prompts '{name}' must not contain '${{', got {list(texts)}")
        changed[name] = list(texts)
    if task.plan:
        _check_taken(changed, "plan", "plan")
        changed["plan"] = task.plan
    if task.rig:
        for part in _parts_taking(changed, "rig"):
            part["rig"] = task.rig
    if task.goal_pictures:
        _show_goal(changed, dict(task.goal_pictures))
    return changed


def rig_of(settings: Settings) -> str:
    """Give the file of the rig that a model counts on; empty = it counts on none."""
    given = [part.get("rig") for part in _parts_taking(settings, "rig")]
    return next((str(rig) for rig in given if rig), "")


def _show_goal(settings: Settings, pictures: dict[str, str]) -> None:
    """Put pictures of the goal where the model takes them; a goal that is typed in gives way to one that is shown."""
    for part in _parts(settings):
        if part.get("_target_") == GOAL_POSE and len(settings.get("objects", ())) == 1:
            kept = {name: part[name] for name in ("box", "key_points", "symmetry") if part.get(name, "???") != "???"}
            (sight,) = settings["objects"].values()
            part.clear()
            part |= {"_target_": GOAL_IN_PICTURES, "rig": settings["rig"], "sight": deepcopy(sight), **kept}
    takers = [part for part in _parts(settings) if part.get("_target_") in GOAL_PICTURES]
    if not takers:
        raise ValueError(
            f"{_named(settings)} takes no goal images; vlm_process does, and object_pose of a single object"
        )
    for part in takers:
        part[GOAL_PICTURES[part["_target_"]]] = pictures


def _check_taken(settings: Settings, name: str, what: str) -> None:
    if name not in signature(get_object(settings["_target_"])).parameters:
        taken = {"plan": "keypoint_affordance does"}.get(name, "prompt_similarity does")
        raise ValueError(f"{_named(settings)} takes no {what}; {taken}")


def _parts_taking(settings: Settings, name: str) -> list[Settings]:
    """Parts whose target takes an argument of this name, outermost first."""
    return [part for part in _parts(settings) if name in signature(get_object(part["_target_"])).parameters]


def _parts(value: Any) -> Iterator[Settings]:
    """Everything with a `_target_`, at any depth, outermost first."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield value
        for each in list(value.values()):
            yield from _parts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _parts(each)


def _named(settings: Settings) -> str:
    return str(settings["_target_"]).rpartition(".")[2]
