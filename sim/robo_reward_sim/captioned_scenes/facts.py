"""What is true in a picture, before it is put into words."""

from dataclasses import astuple, dataclass
from typing import Literal, get_args

Kind = Literal["open", "pressed", "near", "held", "lifted", "at_goal", "present", "left_of", "right_of"]
"""What a fact is about: a quantity (up to `at_goal`), a thing that is there, or a relation of two things."""

QUANTITIES = ("open", "pressed", "near", "held", "lifted", "at_goal")
"""Kinds whose value is a fraction; the others are either true or not listed."""

_LEVELS = {"none": (0.0, 0.08), "slight": (0.15, 0.38), "half": (0.42, 0.58), "most": (0.65, 0.85), "full": (0.93, 1.0)}
# "not open" and "slightly open" are not told apart in between: such a picture gets no words about this


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true in a picture.

    Raises:
        ValueError: An unknown kind, or a value outside [0, 1].
    """

    kind: Kind
    """What is stated."""
    noun: str
    """The thing it is stated of, such as `drawer`; with `near`, what the gripper is near to."""
    colour: str
    """Colour of the thing, or an empty string where it has no plain one."""
    value: float
    """How far it is true: 0 closed, released, far, on the table; 1 open, pressed, touching, lifted."""
    other: str = ""
    """The second thing of a relation, or the goal's colour."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown kind of fact '{self.kind}'; available: {', '.join(get_args(Kind))}")
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"value must be in [0, 1], got {self.value} of {self.kind} {self.noun}")

    @property
    def level(self) -> str | None:
        """The word for the value: none, slight, half, most or full; None in between."""
        for name, (low, high) in _LEVELS.items():
            if low <= self.value <= high:
                return name
        return None

    def row(self) -> list[str | float]:
        """Return the fields, as JSON can keep them."""
        return list(astuple(self))


def closeness(distance: float, *, touching: float, reach: float) -> float:
    """Map a distance [m] to [0, 1]: 1 up to `touching`, 0 from `touching + reach` on, linear in between."""
    return min(1.0, max(0.0, 1.0 - (distance - touching) / reach))
