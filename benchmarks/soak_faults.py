"""What cameras, clocks and people do to a reward node in a soak, fault by fault; no ROS is needed."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from PIL import Image

SECOND = 1_000_000_000
PERIOD_NS = SECOND // 100
"""From one set of pictures to the next, on the clock of their stamps [ns]."""
FRONT, WRIST = "front", "wrist"
CAMERAS = (FRONT, WRIST)
SETTINGS = {"sync_tolerance": 0.002, "stale_after": 0.2, "use_robot_ok": True}
"""Parameters of the node that is soaked: beside them its defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture as it is sent: raw from the front camera, PNG from the wrist camera."""

    camera: str
    stamp_ns: int
    data: bytes
    height: int = 24
    width: int = 32
    step: int = 96
    encoding: str = "rgb8"
    format: str = "png"


@cache
def _pixels(share: int, height: int, width: int) -> np.ndarray:
    """Red at 0, green at 100."""
    grain = np.random.default_rng(share).integers(0, 7, (height, width, 3))
    return (np.array([2 * (100 - share), 2 * share, 40]) + grain).astype(np.uint8)


@cache
def _file(share: int, height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_pixels(share, height, width)).save(buffer, "PNG")
    return buffer.getvalue()


def shot(camera: str, number: int, stamp_ns: int, *, height: int = 24, width: int = 32) -> Shot:
    """Give a good picture; the task advances and begins anew every hundred pictures."""
    share, size = number % 100, (height, width)
    data = _pixels(share, *size).tobytes() if camera == FRONT else _file(share, *size)
    return Shot(camera=camera, stamp_ns=stamp_ns, data=data, height=height, width=width, step=3 * width)


def good(number: int, now_ns: int) -> list[Shot]:
    """Give a set without fault."""
    return [shot(camera, number, now_ns) for camera in CAMERAS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong for a while."""

    shots: Callable[[int, int, int], Sequence[Shot]] = lambda number, now_ns, began_ns: good(number, now_ns)
    """(number of the set, now [ns], when the fault began [ns]) to what the cameras send."""
    calls: Sequence[str] = ()
    """Services that are called, one with each set, in turn."""
    robot_ok: bool = True
    set_back: int = 0
    """By how much the clock jumps back when it begins [ns]."""
    forbids: bool = True
    """Whether no reward may be given once it has lasted for `stale_after` and a little."""


def _front(**changes: object) -> Callable[[int, int, int], list[Shot]]:
    """The front camera's picture with other fields."""
    return lambda number, now_ns, began_ns: [
        replace(shot(FRONT, number, now_ns), **changes),
        shot(WRIST, number, now_ns),
    ]  # pyright: ignore[reportArgumentType]


def _late_front(offset_ns: int) -> Callable[[int, int, int], list[Shot]]:
    return lambda number, now_ns, began_ns: [shot(FRONT, number, now_ns + offset_ns), shot(WRIST, number, now_ns)]


def _frozen(number: int, now_ns: int, began_ns: int) -> list[Shot]:
    return [shot(FRONT, 7, began_ns), shot(WRIST, number, now_ns)]


def _alone(number: int, now_ns: int, began_ns: int) -> list[Shot]:
    return [shot(WRIST, number, now_ns)]


def _damaged(number: int, now_ns: int, began_ns: int) -> list[Shot]:
    whole = shot(WRIST, number, now_ns)
    return [shot(FRONT, number, now_ns), replace(whole, data=whole.data[: len(whole.data) // 2])]


def _no_file(number: int, now_ns: int, began_ns: int) -> list[Shot]:
    return [shot(FRONT, number, now_ns), replace(shot(WRIST, number, now_ns), data=b"no picture at all")]


def _sizes(number: int, now_ns: int, began_ns: int) -> list[Shot]:
    size = {"height": 16 + number % 9, "width": 20 + number % 13}
    return [shot(camera, number, now_ns, **size) for camera in CAMERAS]


def _lossy(number: int, now_ns: int, began_ns: int) -> list[Shot]:
    return [each for place, each in enumerate(good(number, now_ns)) if (number >> place) % 2]


def _again(number: int, now_ns: int, began_ns: int) -> list[Shot]:
    """Each picture twice, and the one before once more after it."""
    return [*good(number, now_ns), *good(number, now_ns), *good(number - 1, now_ns - PERIOD_NS)]


SERVICES = (
    "reset_episode",
    "mark_success",
    "mark_truncated",
    "disable",
    "enable",
    "set_task",
    "enable",
    "mark_nonsense",
)
FAULTS: Mapping[str, Fault] = {
    "camera dies": Fault(shots=_alone),
    "all cameras die": Fault(shots=lambda number, now_ns, began_ns: []),
    "camera freezes": Fault(shots=_frozen),
    "camera jumps back in time": Fault(shots=_late_front(-30 * SECOND)),
    "camera from the future": Fault(shots=_late_front(10 * SECOND)),
    "camera without stamps": Fault(shots=_front(stamp_ns=0)),
    "cameras out of step": Fault(shots=_late_front(-PERIOD_NS // 2)),
    "unknown encoding": Fault(shots=_front(encoding="bayer_rggb8")),
    "garbage as encoding": Fault(shots=_front(encoding="\u2603 %s {}")),
    "rows too short": Fault(shots=_front(step=5)),
    "too few bytes": Fault(shots=_front(data=b"abc")),
    "empty picture": Fault(shots=_front(height=0, width=0, step=0, data=b"")),
    "damaged file": Fault(shots=_damaged),
    "no file": Fault(shots=_no_file),
    "robot stops": Fault(robot_ok=False),
    "pictures change size": Fault(shots=_sizes, forbids=False),
    "pictures are lost": Fault(shots=_lossy, forbids=False),
    "pictures come again": Fault(shots=_again, forbids=False),
    "clock is set back": Fault(set_back=60 * SECOND, forbids=False),
    "flood of services": Fault(calls=SERVICES, forbids=False),
}
"""Every fault class of the soak."""


@dataclass(eq=False, slots=True, kw_only=True)
class Watch:
    """Hears every message of the node and holds it to its laws."""

    heard: int = 0
    good: int = 0
    """Messages of status OK."""
    ok_at: float = -1.0
    """When the last of them was heard [s]."""
    broken: list[str] = field(default_factory=list)
    """Laws that were broken, at most a hundred."""
    _last: tuple[int, int] = (-1, -1)
    _stamp: tuple[int, int, int] = (-1, -1, 0)

    def hear(self, message: object, *, stamp_ns: int, now: float) -> None:
        """Take an `Answer`, or a message of the same fields.

        Args:
            message: It.
            stamp_ns: Of its oldest picture [ns].
            now: Of a clock that nobody adjusts [s].
        """
        said = {name: getattr(message, name) for name in ("status", "reward", "potential", "task_reward")}
        numbers = [said[name] for name in ("reward", "potential", "task_reward")]
        ok = int(said["status"]) == 1
        order = (message.session, message.sequence)  # pyright: ignore[reportAttributeAccessIssue]
        self.heard += 1
        if not (np.isfinite(numbers).all() if ok else np.isnan(numbers).all()):
            self._break(f"{said}")
        if order <= self._last:
            self._break(f"message {order} after {self._last}")
        self._last = order
        if ok:
            self.good, self.ok_at = self.good + 1, now
            self._in_order(message, stamp_ns)

    def _in_order(self, message: object, stamp_ns: int) -> None:
        session, episode, before = self._stamp
        now = (message.session, message.episode)  # pyright: ignore[reportAttributeAccessIssue]
        terminated: bool = message.terminated  # pyright: ignore[reportAttributeAccessIssue]
        if now < (session, episode):
            self._break(f"episode {now} after {(session, episode)}")
        if now == (session, episode) and stamp_ns <= before and not (terminated and stamp_ns == before):
            self._break(f"a reward of {stamp_ns} after one of {before}")
        self._stamp = (*now, stamp_ns)

    def _break(self, law: str) -> None:
        if len(self.broken) < 100:
            self.broken.append(law)
