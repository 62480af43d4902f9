"""When a picture for people is drawn: on a thread of its own, while somebody looks. No ROS."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import final

from robo_reward_ros.answer import Answer
from robo_reward_ros.key_points import KeyPointsSeen
from robo_reward_ros.picture_decoding import Seen
from robo_reward_ros.slot_worker import SlotWorker

KEPT = 1500
"""Answers of the episode that the curve shows at most: the newest."""


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What is to be drawn."""

    seen: Seen
    marks: KeyPointsSeen | None
    answers: tuple[Answer, ...]


@final
class DebugView:
    """Draws on a thread of its own, and only while somebody looks: rewards never wait for it.

    Args:
        publish: Takes a JPEG and the stamp [ns] of its pictures, on that thread.
        wanted: Whether somebody looks.
        rate: Pictures per second at most, > 0.
    """

    def __init__(self, publish: Callable[[bytes, int], None], *, wanted: Callable[[], bool], rate: float) -> None:
        self._wanted, self._period, self._due = wanted, 1 / rate, 0.0
        self._answers: deque[Answer] = deque(maxlen=KEPT)
        self._worker: SlotWorker[Look, tuple[bytes, int]] = SlotWorker(_drawn, lambda made: publish(*made))

    def see(self, seen: Seen, marks: KeyPointsSeen | None) -> None:
        """Take an answer, and draw it if one is due."""
        if self._answers and self._answers[-1].episode != seen.answer.episode:
            self._answers.clear()
        self._answers.append(seen.answer)
        if monotonic() >= self._due and self._wanted():
            self._due = monotonic() + self._period
            self._worker.offer(Look(seen, marks, tuple(self._answers)))

    def close(self) -> None:
        """Draw no more."""
        self._worker.close(1.0)


def _drawn(look: Look) -> tuple[bytes, int]:
    # what draws takes a while to load: nobody waits for it who does not look
    return import_module("robo_reward_ros.debug_drawing").drawn(look)
