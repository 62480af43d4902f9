"""What a training on the simulated arm is rewarded by, and what its reward node is told for it. No ROS."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from robo_reward.camera.rig_file import write_rig
from robo_reward.plans.plan_file import plan_from, write_plan
from robo_reward_ros.demo_ros_model import CAMERAS, GROUND_TRUTH, fit_to_demonstrations
from robo_reward_sim.table_top.rig import STANDING, table_top_rig

GEOMETRY, PROCESS = "geometry", "process"
SIZE = 112  # of a picture [px]
TASKS_BY_GEOMETRY = ("reach",)
_PREFIX = "observation.images."
_TEXTS = ("reward_model", "instruction", "rig", "sim_arm_node.task", "task")
_OF_ARM = ("sim_arm_node.task", "sim_arm_node.cameras")
_OF_REWARD = (
    "reward_model",
    "overrides",
    "instruction",
    "rig",
    "cameras",
    "image_topics",
    "camera_info_topics",
    "state_names",
    "state_topics",
    "state_types",
    "state_fields",
    "discount",
    "success_reward",
)
_RED = [210, 30, 30]
_REACH = {
    "task": "move the gripper to the red ball",
    "base_frame": "base",
    "way_points": [
        {"name": "start", "position": [0.42, 0.0, 0.22]},
        {"name": "ball", "position": [0.0, 0.0, 0.0], "relative_to": "ball", "tolerance": 0.02},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotReward:
    """A reward model, and what the reward node needs for it."""

    model: Path
    """As the parameter `reward_model` takes it."""
    cameras: Sequence[str] = CAMERAS
    """Of the simulated arm, which the reward node looks through."""
    words: Sequence[str] = ()
    """Further arguments of the bring-up."""
    observation: str = "learner"
    """Of the policy; see `sim_arm_robot`."""


def robot_reward(folder: Path, *, model: str, task: str, demonstrations: int) -> RobotReward:
    """Give what rewards, made in `folder` where it was not made before.

    Args:
        folder: Takes what is made.
        model: `geometry`: calibrated cameras see where the ball is, the arm feels where its tool is; `process`: fitted
            to scripted demonstrations; `ground_truth`: the simulator tells; or a fitted folder, or a YAML file.
        task: Of the table top.
        demonstrations: That a process model is fitted to.

    Raises:
        ValueError: Geometry of a task for which there is none.
        ProcessError: A fit failed.
        OutputError: The folder cannot be written.
    """
    check_model(model, task=task)
    folder = folder.resolve()  # nodes may be started from elsewhere
    if model == GEOMETRY:
        return _by_geometry(folder)
    if model == PROCESS:
        fitted = fit_to_demonstrations(folder, task=task, demonstrations=demonstrations, everywhere=True)
        return RobotReward(model=fitted)
    return RobotReward(model=GROUND_TRUTH if model == str(GROUND_TRUTH) else Path(model))


def default_model(task: str) -> str:
    """Give the model that a task is learnt by unless another one is named."""
    return GEOMETRY if task in TASKS_BY_GEOMETRY else PROCESS


def node_parameters(words: Sequence[str]) -> dict[str, Any]:
    """Give what a bring-up was told of the reward and of the arm's task, as a `params_file` of ROS has it.

    How the simulation's time runs is left out: what was learnt is used in real time, too.

    Args:
        words: Of `bring_up_words`.
    """
    told = dict(word.split(":=", 1) for word in words if ":=" in word)
    arm = {name.partition(".")[2]: told[name] for name in _OF_ARM if name in told}
    reward = {name: told[name] for name in _OF_REWARD if told.get(name) not in (None, "[]")}
    return {
        f"/**/{node}": {"ros__parameters": {name: _value(name, text) for name, text in each.items()}}
        for node, each in (("reward_node", reward), ("sim_arm_node", arm))
    }


def _value(name: str, text: str) -> Any:
    return text if name in _TEXTS else yaml.safe_load(text)


def check_model(model: str, *, task: str) -> None:
    """Raise ValueError where there is no such model of a task."""
    if model == GEOMETRY and task not in TASKS_BY_GEOMETRY:
        raise ValueError(
            f"geometry is there for the task {', '.join(TASKS_BY_GEOMETRY)}; got '{task}': choose {PROCESS}"
        )


def _by_geometry(folder: Path) -> RobotReward:
    """Write down what a person would have: a measured rig, a plan, and a model that knows both."""
    folder.mkdir(parents=True, exist_ok=True)
    rig, plan, model = folder / "rig.yaml", folder / "plan.yaml", folder / "model.yaml"
    write_rig(table_top_rig(STANDING, height=SIZE, width=SIZE, prefix=_PREFIX), rig)
    write_plan(plan_from(_REACH), plan)
    model.write_text(yaml.safe_dump(_settings(rig=rig, plan=plan), sort_keys=False))
    return RobotReward(
        model=model,
        cameras=STANDING,
        observation="seen",
        words=(
            f"instruction:={_REACH['task']}",
            f"rig:={rig}",
            f"camera_info_topics:=[{', '.join(f'cameras/{camera}/camera_info' for camera in STANDING)}]",
            "state_names:=[tool_position]",
            "state_topics:=[tool_pose]",
            "state_types:=[PoseStamped]",
            "state_fields:=[pose.position]",
            "state_scales:=[]",
            # states carry the stamp of their pictures: one of the step before is of another place
            "state_max_age:=0.05",
        ),
    )


def _settings(*, rig: Path, plan: Path) -> dict[str, Any]:
    models = "robo_reward.models"
    ball = {"_target_": f"{models}.coloured_point.coloured_point", "rig": str(rig), "colour": _RED, "still": True}
    return {
        "_target_": f"{models}.keypoint_affordance.KeypointAffordance",
        "plan": str(plan),
        "point": {"_target_": f"{models}.tracked_point.ToolPoint"},
        "anchors": {"ball": ball},
        "start": "episode",
        "off_way": "costs",
        "instruction": "{instruction}",
    }
