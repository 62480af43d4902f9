"""When is a robot fit to go on? Conditions on what its driver publishes, in one line each. No ROS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

FORM = "TOPIC PACKAGE/msg/TYPE FIELD VALUES [latched]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A field of a topic's newest message must have one of some values."""

    topic: str
    type: str
    """Such as `std_msgs/msg/Bool`."""
    field: str
    """Path into the message, such as `status.mode`."""
    values: tuple[Any, ...]
    """Allowed values."""
    latched: bool = False
    """The publisher keeps its last message for those who come later (transient local), and may be silent for long."""

    def holds(self, message: Any) -> bool:
        """Say whether a message fulfils it.

        Raises:
            AttributeError: The message has no such field.
        """
        for name in self.field.split("."):
            message = getattr(message, name)
        # True == 1 in Python: a Bool fulfils [true] and [1] alike
        return message in self.values


def condition_of(text: str) -> Condition:
    """Read a condition, such as `arm/mode ur_dashboard_msgs/msg/SafetyMode mode 1,2 latched`.

    Raises:
        ValueError: Another form.
    """
    words = text.split() if isinstance(text, str) else []
    if len(words) not in (4, 5) or words[4:] not in ([], ["latched"]) or words[1].count("/") != 2:
        raise ValueError(
            f"a condition has the form '{FORM}', such as 'arm/ok std_msgs/msg/Bool data true'; got {text!r}"
        )
    topic, kind, field, values = words[:4]
    allowed = tuple(yaml.safe_load(each) for each in values.split(","))
    return Condition(topic=topic, type=kind, field=field, values=allowed, latched=len(words) == 5)


class RobotWatch:
    """Is the robot fit to go on? Only while every condition holds, and none of them is silent for too long.

    Args:
        conditions: What must hold.
        timeout: A condition whose message is older does not hold [s]; latched ones do not age.
    """

    def __init__(self, conditions: Sequence[Condition], *, timeout: float) -> None:
        self._conditions, self._timeout = tuple(conditions), timeout
        self._newest: dict[int, tuple[Any, float]] = {}

    def heard(self, number: int, message: Any, *, now: float) -> None:
        """Take the newest message of a condition; `now` is of a clock that nobody adjusts [s]."""
        self._newest[number] = (message, now)

    def problems(self, *, now: float) -> list[str]:
        """Say which conditions do not hold; empty = the robot is fit to go on."""
        found = []
        for number, condition in enumerate(self._conditions):
            problem = self._problem(condition, self._newest.get(number), now)
            found += [problem] if problem else []
        return found

    def _problem(self, condition: Condition, newest: tuple[Any, float] | None, now: float) -> str:
        if newest is None:
            return f"{condition.topic} said nothing yet"
        message, then = newest
        if not condition.latched and now - then > self._timeout:
            return f"{condition.topic} is silent for {now - then:.1f} s"
        if not condition.holds(message):
            return f"{condition.topic}: {condition.field} is none of {', '.join(map(str, condition.values))}"
        return ""
