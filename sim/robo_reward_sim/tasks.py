"""The fifty tasks of Meta-World, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

_BELIEF = {"object": (slice(4, 7), slice(22, 25)), "goal": (slice(36, 39),)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of Meta-World.

    Raises:
        ValueError: An empty name or instruction.
    """

    name: str
    """Meta-World's name without the version, such as `drawer-open`."""
    instruction: str
    """What is asked, in words."""
    target: Literal["object", "goal"]
    """What decides where the hand goes wrong when it is mistaken: the manipulated object, or the marked goal."""

    def __post_init__(self) -> None:
        if not self.name or not self.instruction:
            raise ValueError(f"a task needs a name and an instruction, got {self.name!r}, {self.instruction!r}")

    @property
    def belief(self) -> tuple[slice, ...]:
        """Where Meta-World's observation holds what the expert believes: the object now and before, or the goal."""
        return _BELIEF[self.target]

    @property
    def environment(self) -> str:
        """Name of the environment and of its expert in Meta-World."""
        return f"{self.name}-v3"


# Instructions of these name a goal, which is a ball in the air or on the table: it is shown.
_WITH_GOAL = {
    "reach": "move the gripper to the red goal",
    "reach-wall": "move the gripper past the wall to the red goal",
    "pick-place": "bring the puck to the goal",
    "pick-place-wall": "bring the puck over the wall to the goal",
    "push": "push the puck to the goal",
    "push-back": "push the puck back to the goal",
    "push-wall": "push the puck past the wall to the goal",
    "pick-out-of-hole": "lift the puck out of the hole to the goal",
    "stick-push": "push the thermos to the goal with the stick",
    "stick-pull": "pull the thermos to the goal with the stick",
    "sweep": "sweep the block to the goal",
}

_WITH_OBJECT = {
    "assembly": "put the ring on the peg",
    "basketball": "put the ball into the basket",
    "bin-picking": "move the block to the other bin",
    "box-close": "put the lid on the box",
    "button-press": "press the button in",
    "button-press-topdown": "press the button down",
    "button-press-topdown-wall": "press the button down behind the wall",
    "button-press-wall": "press the button in behind the wall",
    "coffee-button": "press the button of the coffee machine",
    "coffee-pull": "pull the mug away from the coffee machine",
    "coffee-push": "push the mug under the coffee machine",
    "dial-turn": "turn the dial",
    "disassemble": "take the ring off the peg",
    "door-close": "close the door",
    "door-lock": "lock the door",
    "door-open": "open the door",
    "door-unlock": "unlock the door",
    "drawer-close": "close the drawer",
    "drawer-open": "open the drawer",
    "faucet-close": "close the faucet",
    "faucet-open": "open the faucet",
    "hammer": "hammer the nail in",
    "hand-insert": "put the hand into the hole",
    "handle-press": "press the handle down",
    "handle-press-side": "press the handle down from the side",
    "handle-pull": "pull the handle up",
    "handle-pull-side": "pull the handle up from the side",
    "lever-pull": "pull the lever up",
    "peg-insert-side": "put the peg into the hole",
    "peg-unplug-side": "pull the peg out of the hole",
    "plate-slide": "slide the plate into the cabinet",
    "plate-slide-back": "slide the plate out of the cabinet",
    "plate-slide-back-side": "slide the plate out of the cabinet sideways",
    "plate-slide-side": "slide the plate into the cabinet sideways",
    "shelf-place": "put the block on the shelf",
    "soccer": "push the ball into the goal net",
    "sweep-into": "sweep the block into the hole",
    "window-close": "close the window",
    "window-open": "open the window",
}

TASKS: Mapping[str, Task] = MappingProxyType(
    {name: Task(name=name, instruction=words, target="goal") for name, words in _WITH_GOAL.items()}
    | {name: Task(name=name, instruction=words, target="object") for name, words in _WITH_OBJECT.items()}
)
"""Every task by name."""


def task_named(name: str) -> Task:
    """Return a task by its name, or raise ValueError with the names that there are."""
    if name not in TASKS:
        raise ValueError(f"unknown task '{name}'; available: {', '.join(sorted(TASKS))}")
    return TASKS[name]
