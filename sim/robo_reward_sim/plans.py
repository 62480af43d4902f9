"""True key-point plans of simulated tasks, told from the simulator's own state at the start of an episode."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from robo_reward.plans.way_points import Gripper, Plan, WayPoint
from robo_reward_sim.tasks import Task

BASE_FRAME = "world"
FINGER_GAP = 0.1
"""Distance of the fingers [m] that Meta-World calls an opening of 1."""

_DOOR_HINGE = (0.115, 0.35)
"""From the goal of door-open to its hinge [m]."""

_Point = tuple[str, Float[np.ndarray, "3"], Gripper]


def true_plan(task: Task, start: Float[np.ndarray, "39"]) -> Plan:
    """Tell from the first observation of an episode the way that the hand has to go.

    Args:
        task: One of `PLANNED_TASKS`.
        start: Meta-World's observation before the first action: hand, opening, object poses, goal.

    Raises:
        ValueError: A task whose way nobody wrote down.
    """
    if task.name not in _WAYS:
        raise ValueError(f"no way is written down for task '{task.name}'; there are {', '.join(sorted(_WAYS))}")
    hand, thing, goal = (np.array(start[part], dtype=np.float64) for part in (slice(3), slice(4, 7), slice(-3, None)))
    points, grasp = _WAYS[task.name](hand, thing, goal)
    return Plan(
        task=task.instruction,
        base_frame=BASE_FRAME,
        way_points=tuple(WayPoint(name=name, position=at, gripper=gripper) for name, at, gripper in points),
        grasp=grasp,
        made_by="simulator",
    )


def gripper_width(opening: Float[np.ndarray, "*time"]) -> Float[np.ndarray, "*time"]:
    """Give the distance of the fingers [m] from Meta-World's opening in [0, 1]."""
    return FINGER_GAP * opening


def _at(x: float, y: float, z: float) -> Float[np.ndarray, "3"]:
    return np.array([x, y, z], dtype=np.float64)


def _drawer_open(hand: np.ndarray, _handle: np.ndarray, goal: np.ndarray) -> tuple[list[_Point], int]:
    """Above the handle, down behind it, pulled towards the robot by the drawer's 20 cm."""
    # the first observation shows the drawer where it stood before it was placed; the goal is where the handle ends
    behind = goal + _at(0.0, 0.2, -0.02)
    return [
        ("start", hand, "any"),
        ("above the handle", behind + _at(0.0, 0.0, 0.15), "any"),
        ("handle", behind, "any"),
        ("handle pulled", behind + _at(0.0, -0.2, 0.0), "any"),
    ], 2


def _door_open(hand: np.ndarray, handle: np.ndarray, goal: np.ndarray) -> tuple[list[_Point], int]:
    """Above the handle, down beside it, and along its arc round the hinge: the chord would pass by the start."""
    beside = _at(0.01, 0.02, 0.0)
    hinge = goal + _at(*_DOOR_HINGE, 0.0)
    radius = float(np.hypot(*(handle - hinge)[:2]))
    begin, end = (float(np.arctan2(*(place - hinge)[1::-1])) for place in (handle, goal))
    # both at the robot's side of the hinge, where angles do not wrap when measured from -y
    begin, end = ((angle + np.pi / 2 + np.pi) % (2 * np.pi) - np.pi for angle in (begin, end))
    arc = [hinge + radius * _at(np.sin(angle), -np.cos(angle), 0.0) for angle in np.linspace(begin, end, 4)[1:]]
    return [
        ("start", hand, "any"),
        ("above the handle", handle + beside + _at(0.0, 0.0, 0.1), "any"),
        ("handle", handle + beside, "any"),
        ("a third open", arc[0] + beside, "any"),
        ("two thirds open", arc[1] + beside, "any"),
        ("door open", arc[2] + beside, "any"),
    ], 2


def _button_press_topdown(hand: np.ndarray, button: np.ndarray, _goal: np.ndarray) -> tuple[list[_Point], int]:
    """Above the button, and down."""
    return [
        ("start", hand, "any"),
        ("above the button", button + _at(0.0, 0.0, 0.1), "any"),
        ("button", button, "any"),
    ], 2


def _reach(hand: np.ndarray, _thing: np.ndarray, goal: np.ndarray) -> tuple[list[_Point], int]:
    """Straight to the goal."""
    return [("start", hand, "any"), ("goal", goal, "any")], 1


def _pick_place(hand: np.ndarray, puck: np.ndarray, goal: np.ndarray) -> tuple[list[_Point], int]:
    """Above the puck, down to it, grasped, and to the goal."""
    return [
        ("start", hand, "any"),
        ("above the puck", puck + _at(0.0, 0.0, 0.1), "any"),
        ("puck", puck + _at(0.0, 0.0, 0.03), "closed"),
        ("goal", goal, "any"),
    ], 2


_WAYS: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[list[_Point], int]]] = MappingProxyType(
    {
        "drawer-open": _drawer_open,
        "door-open": _door_open,
        "button-press-topdown": _button_press_topdown,
        "reach": _reach,
        "pick-place": _pick_place,
    }
)
PLANNED_TASKS = tuple(_WAYS)
"""Tasks with a way that is written down: those of the demo."""
