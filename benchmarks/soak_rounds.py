"""Rounds of a soak: good pictures, a fault, good pictures until rewards are back; no ROS is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

from soak_faults import FAULTS, Fault, Shot, Watch, good

GRACE = 0.15
"""How long after `stale_after` a reward may still come that was on its way [s]."""
GIVE_UP = 5.0
"""How long rewards may take to come back before the soak goes on without them [s]."""


class Soaked(Protocol):
    """A reward node, or its core, and the clocks that it lives by."""

    watch: Watch

    @property
    def now_ns(self) -> int:
        """Time on the clock of the stamps [ns]."""
        ...

    @property
    def steady(self) -> float:
        """Time on a clock that nobody adjusts [s]."""
        ...

    def send(self, shots: Sequence[Shot], *, answered: bool) -> None:
        """Let a period go by and send pictures; `answered` = wait a little for the answer."""
        ...

    def call(self, service: str) -> None:
        """Call a service and do not wait."""
        ...

    def robot_said(self, *, ok: bool) -> None:
        """Say whether the robot is well."""
        ...

    def set_back(self, by_ns: int) -> None:
        """Have the clock jump back [ns]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What became of one fault."""

    fault: str
    sets: int
    """Sets of pictures that were sent from the end of the round before to the end of this one."""
    recovery: float
    """From the fault's end to the first reward [s]; infinite = none came."""
    forbidden: int
    """Rewards that came while there could be none."""


def rounds(soaked: Soaked, *, stale_after: float, good_sets: int, lasting: float) -> Iterator[Round]:
    """Try every fault in turn, for ever.

    Args:
        soaked: Is heard by its own watch.
        stale_after: The node's parameter [s].
        good_sets: Sets between faults.
        lasting: How long each fault lasts [s].
    """
    number = 0
    for name, fault in cycle(FAULTS.items()):
        first = number
        for _ in range(good_sets):
            soaked.send(good(number, soaked.now_ns), answered=True)
            number += 1
        number, forbidden = _suffer(soaked, fault, number, lasting=lasting, silent_after=stale_after + GRACE)
        ended = soaked.steady
        while soaked.watch.ok_at < ended and soaked.steady - ended < GIVE_UP:
            soaked.send(good(number, soaked.now_ns), answered=True)
            number += 1
        back = soaked.watch.ok_at - ended
        yield Round(fault=name, sets=number - first, recovery=back if back >= 0 else float("inf"), forbidden=forbidden)


def _suffer(soaked: Soaked, fault: Fault, number: int, *, lasting: float, silent_after: float) -> tuple[int, int]:
    """Have the fault last; gives the number of the next set, and the rewards that could not be."""
    began, began_ns, calls = soaked.steady, soaked.now_ns, cycle(fault.calls or ("",))
    if not fault.robot_ok:
        soaked.robot_said(ok=False)
    if fault.set_back:
        soaked.set_back(fault.set_back)
        return number, 0
    before = -1
    while soaked.steady - began < lasting:
        service = next(calls)
        if service:
            soaked.call(service)
        soaked.send(fault.shots(number, soaked.now_ns, began_ns), answered=False)
        number += 1
        if before < 0 and soaked.steady - began > silent_after:
            before = soaked.watch.good
    forbidden = soaked.watch.good - before if fault.forbids and before >= 0 else 0
    if fault.calls:
        soaked.call("enable")
    soaked.robot_said(ok=True)
    return number, forbidden
