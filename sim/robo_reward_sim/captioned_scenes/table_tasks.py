"""States of Meta-World's scenes that no policy led to: joints, objects and the arm are set at random."""

# pyright: reportAttributeAccessIssue=false
# mujoco 3.3, which Meta-World needs, comes without types

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import mujoco
import numpy as np
from jaxtyping import Float

from robo_reward_sim.captioned_scenes.facts import Fact, closeness

Point = Float[np.ndarray, "3"]

_START = np.array([0.0, 0.6, 0.2])  # where Meta-World's hand begins [m]
_LOW, _HIGH = np.array([-0.4, 0.42, 0.05]), np.array([0.35, 0.95, 0.42])  # where the hand may be [m]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTask:
    """A Meta-World scene, what may be set in it, and what it is called.

    Raises:
        ValueError: A model without a name.
    """

    model: str
    """File in Meta-World's `sawyer_xyz` folder."""
    joint: str = ""
    """Joint of the drawer, door or button; empty where a puck lies on the table."""
    full: float = 0.0
    """Position of the joint when the drawer or door is open, or the button pressed [m or rad]."""
    kind: str = ""
    """`open` or `pressed`."""
    noun: str = ""
    """What the joint moves."""
    handle: str = ""
    """What the gripper goes for."""
    colour: str = ""
    """Colour of the noun as Meta-World paints it."""
    materials: tuple[str, ...] = ()
    """Materials to repaint when the noun gets another colour."""
    body: str = ""
    """Body that is moved to lay the scene out."""
    low: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Lower corner of where that body may stand [m]."""
    high: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Upper corner."""
    handle_of: Callable[[mujoco.MjData], Point] | None = None
    """Where the handle is [m], as Meta-World's observation has it."""
    goal_colour: str = ""
    """Colour of the goal marker as Meta-World paints it, where the task has a goal."""

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("a scene needs the name of its model")


def _drawer_handle(data: mujoco.MjData) -> Point:
    return data.body("drawer_link").xpos + np.array([0.0, -0.16, 0.0])


def _door_handle(data: mujoco.MjData) -> Point:
    return data.geom("handle").xpos + np.array([-0.03, 0.0, 0.0])


def _button_top(data: mujoco.MjData) -> Point:
    return data.body("button").xpos + np.array([0.0, 0.0, 0.193])


TABLE_TASKS: Mapping[str, TableTask] = MappingProxyType(
    {
        "drawer": TableTask(
            model="sawyer_drawer", joint="goal_slidey", full=-0.16, kind="open", noun="drawer", handle="drawer handle",
            colour="green", materials=("drawer_beige",), body="drawer", low=(-0.15, 0.85, 0.0), high=(0.15, 0.93, 0.0),
            handle_of=_drawer_handle,
        ),
        "door": TableTask(
            model="sawyer_door_pull", joint="doorjoint", full=-1.4, kind="open", noun="door", handle="door handle",
            colour="black", materials=("dl_metal2",), body="door", low=(-0.03, 0.83, 0.15), high=(0.13, 0.97, 0.15),
            handle_of=_door_handle,
        ),
        "button": TableTask(
            model="sawyer_button_press_topdown", joint="btnbox_joint", full=-0.07, kind="pressed", noun="button",
            handle="button", colour="red", materials=("btn_red",), body="box", low=(-0.14, 0.78, 0.115),
            high=(0.14, 0.92, 0.115), handle_of=_button_top,
        ),
        "reach": TableTask(model="sawyer_reach_v3", goal_colour="red"),
        "pick-place": TableTask(model="sawyer_pick_place_v3", goal_colour="blue"),
    }
)  # fmt: skip
"""The scenes of the demo, by name."""


def hand_position(target: Point, rng: np.random.Generator) -> Point:
    """Draw a hand position: anywhere, at the target, or on a way from the start to it, perhaps from above."""
    case = rng.uniform()
    if case < 0.25:
        return rng.uniform(_LOW, _HIGH)
    if case < 0.6:
        return target + rng.normal(0.0, 0.025, 3)
    start = _START + rng.normal(0.0, 0.06, 3)
    via = target + np.array([0.0, 0.0, rng.uniform(0.05, 0.3)])
    along = rng.uniform()
    end = target
    if case >= 0.75:
        start, end = (start, via) if rng.uniform() < 0.5 else (via, target)
    return start + along * (end - start) + rng.normal(0.0, 0.015, 3)


def fraction(rng: np.random.Generator) -> float:
    """Draw from [0, 1] with the two ends more often."""
    case = rng.uniform()
    return 0.0 if case < 0.22 else 1.0 if case < 0.4 else float(rng.uniform())


def near_fact(noun: str, colour: str, tip: Point, target: Point) -> Fact:
    """State how near the gripper is to something."""
    distance = float(np.linalg.norm(tip - target))
    return Fact("near", noun, colour, closeness(distance, touching=0.035, reach=0.3))
