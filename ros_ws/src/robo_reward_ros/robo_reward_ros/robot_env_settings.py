"""What an environment or a policy needs to know of a robot and of its episodes. No ROS."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from robo_reward.cli.build import build
from robo_reward_ros.robot_env_actions import ActionMap


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSource:
    """Which numbers of a topic's messages are part of an observation: `scale · (fields − relative_to)`.

    Raises:
        ValueError: No field, or a type that is no name of a message.
    """

    topic: str
    type: str = "sensor_msgs/msg/JointState"
    fields: Sequence[str] = ("data",)
    """Paths into the message, as `robo_reward.episodes.ros_fields.numbers_of_message` reads them."""
    scale: float = 1.0
    """What the numbers are multiplied with: policies learn best from numbers near 1."""
    relative_to: str = ""
    """Another state that is subtracted, as it is, before scaling: where a goal is as seen from the tool."""

    def __post_init__(self) -> None:
        if not self.fields or isinstance(self.fields, str):
            raise ValueError(f"the fields of '{self.topic}' must be a list of at least one, got {self.fields!r}")
        if len(self.type.split("/")) != 3:
            raise ValueError(f"the type of '{self.topic}' must be such as std_msgs/msg/Float64, got '{self.type}'")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RobotSettings:
    """The robot as its topics show it, and what an action does to it.

    Raises:
        ValueError: Nothing to observe, no joint, a joint twice, a time or a count that is not positive.
    """

    joints: Sequence[str]
    """Joints that are commanded, in the order of the actions' targets."""
    states: Mapping[str, StateSource]
    """Name to source; an observation is their numbers, in this order."""
    actions: ActionMap
    cameras: Mapping[str, str] = field(default_factory=dict)
    """Camera to image topic, for policies that look at pictures themselves; the reward node's cameras are its own."""
    joint_topic: str = "joint_states"
    command_topic: str = "joint_trajectory"
    robot_ok_topic: str = "robot_ok"
    """std_msgs/Bool; empty = nobody says whether the robot runs as it should."""
    robot_ok_timeout: float = math.inf
    """Age at which the robot's last word counts as no [s]."""
    step_duration: float = 0.1
    """A step of the policy [s]."""
    steps_per_action: int = 1
    """Steps that one action holds: an action is a chunk of (steps, numbers), its transition discounted by γ^steps."""
    lockstep: bool = False
    """The robot is a simulation that stands still until it is commanded."""
    max_state_age: float = 0.5
    """A state that is older than this is none [s]; not judged in lockstep."""
    max_lead: float = 0.1
    """How far a commanded joint position may be ahead of the joint [rad] or [m]: further, something is in the way."""
    use_sim_time: bool = False
    """Time is that of /clock."""

    def __post_init__(self) -> None:
        if not self.joints or len(set(self.joints)) != len(self.joints):
            raise ValueError(f"joints must be at least one, none of them twice, got {list(self.joints)}")
        if not self.states and not self.cameras:
            raise ValueError("states and cameras are empty: name what a policy observes")
        unknown = sorted({each.relative_to for each in self.states.values() if each.relative_to} - set(self.states))
        if unknown:
            raise ValueError(f"states are relative to {', '.join(unknown)}; there are {', '.join(self.states)}")
        _check_positive(self, "robot_ok_timeout", "step_duration", "steps_per_action", "max_state_age", "max_lead")

    @property
    def action_duration(self) -> float:
        """Time between two observations [s]."""
        return self.step_duration * self.steps_per_action


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSettings:
    """How episodes begin and end, and what a reward must be.

    Raises:
        ValueError: A time or a count that is not positive.
    """

    horizon: int = 100
    """Steps of the policy after which an episode is truncated."""
    discount: float = 0.99
    """The learner's γ per step; must be the reward node's."""
    reward_node: str = "reward_node"
    """Name of the reward node."""
    success_topic: str = ""
    """std_msgs/Bool, a person or a detector: true ends the episode in success; empty = nobody says so."""
    end_on_success: bool = True
    """The reward node's own success latch ends the episode in success."""
    success_reward: float = 1.0
    """Task reward of an episode's success, where the reward node did not say it."""
    reset_service: str = ""
    """std_srvs/Trigger that brings the arm back; empty = a person does, and calls `~/ready`."""
    seed_node: str = ""
    """A node, such as a simulation, whose parameter `seed` is set by `reset(seed=…)`; empty = seeds do nothing."""
    reward_wait: float = 1.0
    """How long a step waits for the reward of its own observation [s]; then the last potential is held."""
    max_hold: float = 2.0
    """How long a potential may be held [s]; then the episode is truncated."""
    tolerance: float = 0.02
    """How far the stamps of an observation and of its pictures may be apart [s]."""
    max_reward_age: float = 1.0
    """Largest age of the oldest picture when its reward arrives [s]."""
    max_future: float = 0.05
    """How far a reward's stamp may lie ahead of now [s]."""
    max_spread: float = math.inf
    """Largest standard deviation of progress of a reward that is used."""
    arm_timeout: float = 5.0
    """Silence of the arm after which an episode is truncated [s]."""
    reset_timeout: float = 60.0
    """How long a reset may take before it fails [s]; infinite = a person may take all day."""

    def __post_init__(self) -> None:
        positive = ("horizon", "max_hold", "max_reward_age", "max_spread", "arm_timeout", "reset_timeout")
        _check_positive(self, *positive)
        for name in ("reward_wait", "tolerance", "max_future"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be >= 0 s, got {getattr(self, name)}")


def read_robot(file: Path) -> tuple[RobotSettings, EpisodeSettings]:
    """Read a YAML file with a mapping `robot` and, where it is wanted, one `episodes`.

    Raises:
        ValueError: No such file, unknown or missing keys, values that the settings refuse.
    """
    if not file.is_file():
        raise ValueError(f"robot={file}: there is no such file")
    return robot_of(yaml.safe_load(file.read_text()), name=str(file))


def robot_of(given: Any, *, name: str = "robot") -> tuple[RobotSettings, EpisodeSettings]:
    """Build settings of plain values, as a YAML file has them; `_target_` names what makes joint positions of actions.

    Raises:
        ValueError: As `read_robot`.
    """
    if not isinstance(given, Mapping) or "robot" not in given:
        raise ValueError(f"{name}: must be a mapping with `robot`, and `episodes` where it is wanted")
    robot = dict(given["robot"])
    _check_keys(robot, RobotSettings, f"{name}: robot")
    states = dict(robot.get("states") or {})
    for key, source in states.items():
        _check_keys(source, StateSource, f"{name}: robot.states.{key}")
        states[key] = StateSource(**source)
    episodes = dict(given.get("episodes") or {})
    _check_keys(episodes, EpisodeSettings, f"{name}: episodes")
    settings = RobotSettings(**(robot | {"states": states, "actions": build(dict(robot["actions"]))}))
    return settings, EpisodeSettings(**episodes)


def _check_keys(given: Any, kind: type, where: str) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} must be a mapping, got {given!r}")
    known = [each.name for each in fields(kind)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; there are {', '.join(known)}")
    needed = {RobotSettings: ("joints", "states", "actions"), StateSource: ("topic",)}.get(kind, ())
    missing = [key for key in needed if key not in given]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} must be given")


def _check_positive(settings: Any, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name} must be > 0, got {getattr(settings, name)}")
