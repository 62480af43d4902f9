"""Sets of frames out of single ones: what a robot's node and a replayed bag must do alike. No clock, no ROS."""

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar, final

import numpy as np

Frame = TypeVar("Frame")

# What a set is unless somebody says otherwise, on the robot and in its bags alike [s].
TOLERANCE = 0.02  # between the stamps of one set: half a period of cameras at 25 Hz
MAX_AGE = 0.5  # of a frame on arrival
MAX_FUTURE = 0.05  # of a stamp ahead of now: clocks differ a little
JUMP = 1.0  # a stamp, or now, that falls back by more is a clock that was set back, not disorder


class Drop(StrEnum):
    """Why a frame became part of no set."""

    NO_STAMP = "no stamp"
    """Stamp zero or negative: the driver did not set it."""
    FUTURE = "future"
    """Stamped later than now, by more than clocks may differ."""
    TOO_OLD = "too old"
    """Stamped earlier than `max_age` before now, on arrival or while it waited for other cameras."""
    OUT_OF_ORDER = "out of order"
    """Not later than the camera's newest frame, or than the oldest image of a set that went out."""
    SUPERSEDED = "superseded"
    """A set with a newer frame of this camera went out, or too many waited."""
    RESET = "reset"
    """Waited while a clock jumped back, or while somebody called `reset`."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FrameSet(Generic[Frame]):
    """At most one frame per camera, all captured within the tolerance."""

    frames: Mapping[str, Frame | None]
    """Camera to frame, in the order of the cameras; None where an optional camera gave none."""
    stamp_ns: int
    """Capture time of the OLDEST frame used [ns]: what a reward of this set is stamped with."""
    newest_stamp_ns: int
    """Capture time of the newest frame used [ns]."""
    generation: int
    """Number of resets before it; stamps increase within one. Another is another episode."""

    @property
    def spread(self) -> float:
        """Capture time between oldest and newest frame [s]."""
        return (self.newest_stamp_ns - self.stamp_ns) * 1e-9


@dataclass(frozen=True, eq=False, slots=True)
class _Waiting(Generic[Frame]):
    stamp_ns: int
    frame: Frame


@final
class FrameSets(Generic[Frame]):
    """Turns single frames, as they arrive, into the newest set of all cameras within a tolerance.

    A set is complete when every required camera has an unused frame and all of them lie within the tolerance; of
    several such sets the one with the newest oldest frame goes out. A set waits for an optional camera that is alive
    (in the last set, or heard of since) until its frame comes or the next frame of a required camera does; one that is
    silent costs no time. For every sequence of arrivals:

        spread <= tolerance;  stamps of sets strictly increase within a generation;  no frame is used twice;
        arrived = used + dropped + waiting   for each camera.

    Where required cameras are triggered together and the tolerance is below half their period, how long frames
    travelled changes nothing. The same arrivals give the same sets, live or from a bag.

    Args:
        cameras: Names, in the order that sets have them.
        tolerance: Largest capture time between frames of a set [s], >= 0; half a period of the cameras is a good one.
        optional: Those of `cameras` without which a set is complete; the others are required.
        max_age: Frames older than this when they arrive, or while they wait, are dropped [s]; None = never.
        max_future: How far stamps may lie ahead of now [s]: clocks differ a little.
        jump: Where a camera's stamp, or now, fell back by more [s], all that waits is forgotten: a new generation.
        depth: Frames that wait per camera; the oldest goes when there are more.

    Raises:
        ValueError: No camera, a name twice, an optional camera that is none of them, no required one, or a negative
            time.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        tolerance: float,
        *,
        optional: Collection[str] = (),
        max_age: float | None = None,
        max_future: float = MAX_FUTURE,
        jump: float = JUMP,
        depth: int = 16,
    ) -> None:
        _check(cameras, optional, depth)
        self._cameras = tuple(cameras)
        self._required = tuple(name for name in cameras if name not in optional)
        self._optional = tuple(name for name in cameras if name in optional)
        self._tolerance = _nanoseconds("tolerance", tolerance)
        self._max_age = None if max_age is None else _nanoseconds("max_age", max_age)
        self._max_future, self._jump = _nanoseconds("max_future", max_future), _nanoseconds("jump", jump)
        self._depth = depth
        self._counts: dict[str, Counter[Drop]] = {name: Counter() for name in cameras}
        self._arrived: Counter[str] = Counter()
        self._used: Counter[str] = Counter()
        self._generation = 0
        self._now: int | None = None
        self._forget()

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names in the order that sets have them."""
        return self._cameras

    @property
    def generation(self) -> int:
        """How often everything was forgotten."""
        return self._generation

    @property
    def dropped(self) -> Mapping[str, Mapping[Drop, int]]:
        """Camera to reason to number of frames that no set used; reasons that occurred only."""
        return {name: dict(counts) for name, counts in self._counts.items()}

    @property
    def arrived(self) -> Mapping[str, int]:
        """Camera to number of frames that arrived."""
        return {name: self._arrived[name] for name in self._cameras}

    @property
    def used(self) -> Mapping[str, int]:
        """Camera to number of frames that are in a set."""
        return {name: self._used[name] for name in self._cameras}

    @property
    def waiting(self) -> Mapping[str, int]:
        """Camera to number of frames that wait for others."""
        return {name: len(queue) for name, queue in self._queues.items()}

    def reset(self) -> None:
        """Forget what waits: the next set is the first of another episode. Counts go on."""
        for name, queue in self._queues.items():
            self._drop(name, Drop.RESET, len(queue))
        self._generation += 1
        self._forget()

    def add(self, camera: str, frame: Frame, *, stamp_ns: int, now_ns: int | None = None) -> FrameSet[Frame] | None:
        """Take one frame, and give the set that it completes.

        Args:
            camera: One of `cameras`.
            frame: Anything; it is only handed on.
            stamp_ns: Capture time in the header [ns].
            now_ns: The time now on the clock of the stamps [ns]; None = ages are not judged.

        Raises:
            ValueError: An unknown camera.
        """
        if camera not in self._queues:
            raise ValueError(f"unknown camera '{camera}'; the cameras are {', '.join(self._cameras)}")
        self._arrived[camera] += 1
        self._advance(now_ns)
        reason = self._fault(stamp_ns, now_ns) or self._disorder(camera, stamp_ns)
        if reason is not None:
            self._drop(camera, reason)
            return None
        queue = self._queues[camera]
        queue.append(_Waiting(stamp_ns, frame))
        if len(queue) > self._depth:
            queue.popleft()
            self._drop(camera, Drop.SUPERSEDED)
        return self._complete(pressing=camera in self._required)

    def _advance(self, now_ns: int | None) -> None:
        """Look at the clock: it may have been set back, and what waits may have grown too old."""
        if now_ns is None:
            return
        if self._now is not None and now_ns < self._now - self._jump:
            self.reset()
        self._now = now_ns
        if self._max_age is not None:
            for name in self._cameras:
                self._drop_before(name, now_ns - self._max_age, Drop.TOO_OLD)

    def _fault(self, stamp_ns: int, now_ns: int | None) -> Drop | None:
        if stamp_ns <= 0 or now_ns is None:
            return Drop.NO_STAMP if stamp_ns <= 0 else None
        if stamp_ns > now_ns + self._max_future:
            return Drop.FUTURE
        if self._max_age is not None and stamp_ns < now_ns - self._max_age:
            return Drop.TOO_OLD
        return None

    def _disorder(self, camera: str, stamp_ns: int) -> Drop | None:
        """Compare with what came before; a camera's clock may have been set back."""
        newest = self._newest[camera]
        if newest is not None and stamp_ns < newest - self._jump:
            self.reset()
        elif newest is not None and stamp_ns <= newest:
            return Drop.OUT_OF_ORDER
        self._newest[camera] = stamp_ns
        if camera in self._optional:
            self._alive.add(camera)
        return Drop.OUT_OF_ORDER if stamp_ns <= self._sent else None

    def _complete(self, *, pressing: bool) -> FrameSet[Frame] | None:
        """Find the set that goes out; `pressing` = a required camera gave a frame, so what was held is held no more."""
        found = self._newest_complete()
        self._holding = found is not None and self._awaited(found) and not (self._holding and pressing)
        return None if found is None or self._holding else self._send(found)

    def _newest_complete(self) -> dict[str, int] | None:
        """Stamps of the required cameras in the newest complete set: the largest possible oldest stamp."""
        queues = [self._queues[name] for name in self._required]
        if not all(queues):
            return None
        for oldest in sorted({item.stamp_ns for queue in queues for item in queue}, reverse=True):
            # the first frame of each camera from then on; none, and an older begin is needed
            firsts = [next((item.stamp_ns for item in queue if item.stamp_ns >= oldest), None) for queue in queues]
            chosen = {name: stamp for name, stamp in zip(self._required, firsts, strict=True) if stamp is not None}
            if len(chosen) == len(queues) and max(chosen.values()) - oldest <= self._tolerance:
                return chosen
        return None

    def _awaited(self, chosen: Mapping[str, int]) -> bool:
        """Whether an optional camera that is alive may still give a frame that fits."""
        latest = min(chosen.values()) + self._tolerance
        joined = self._joined(chosen)
        return any(name not in joined and (self._newest[name] or 0) <= latest for name in self._alive)

    def _joined(self, chosen: Mapping[str, int]) -> dict[str, int]:
        """The chosen stamps and those of optional cameras' frames that fit, each the nearest to the middle."""
        joined = dict(chosen)
        for name in self._optional:
            low, high = min(joined.values()), max(joined.values())
            waiting = [item.stamp_ns for item in self._queues[name]]
            fitting = [stamp for stamp in waiting if high - self._tolerance <= stamp <= low + self._tolerance]
            if fitting:
                joined[name] = min(fitting, key=lambda stamp: abs(2 * stamp - low - high))
        return joined

    def _send(self, chosen: Mapping[str, int]) -> FrameSet[Frame]:
        joined = self._joined(chosen)
        frames: dict[str, Frame | None] = dict.fromkeys(self._cameras)
        oldest = min(joined.values())
        for name, stamp_ns in joined.items():
            self._drop_before(name, stamp_ns, Drop.SUPERSEDED)
            frames[name] = self._queues[name].popleft().frame
            self._used[name] += 1
        for name in self._optional:
            # an older frame in a later set would turn time back
            self._drop_before(name, oldest + 1, Drop.OUT_OF_ORDER)
        self._alive = {name for name in self._optional if name in joined}
        self._holding, self._sent = False, oldest
        newest = max(joined.values())
        return FrameSet(frames=frames, stamp_ns=oldest, newest_stamp_ns=newest, generation=self._generation)

    def _drop_before(self, camera: str, stamp_ns: int, reason: Drop) -> None:
        queue = self._queues[camera]
        while queue and queue[0].stamp_ns < stamp_ns:
            queue.popleft()
            self._drop(camera, reason)

    def _drop(self, camera: str, reason: Drop, count: int = 1) -> None:
        if count:
            self._counts[camera][reason] += count

    def _forget(self) -> None:
        self._queues: dict[str, deque[_Waiting[Frame]]] = {name: deque() for name in self._cameras}
        self._newest: dict[str, int | None] = dict.fromkeys(self._cameras)
        self._alive: set[str] = set()  # cameras in the last set or heard of since
        self._holding = False  # a complete set waits for an optional camera
        self._sent = 0  # stamp of the last set


def _check(cameras: Sequence[str], optional: Collection[str], depth: int) -> None:
    names = ", ".join(cameras) or "none"
    if not cameras or len(set(cameras)) < len(cameras):
        raise ValueError(f"cameras must be at least one name, each once; got {names}")
    unknown = [name for name in optional if name not in cameras]
    if unknown:
        raise ValueError(f"unknown optional camera {', '.join(unknown)}; the cameras are {names}")
    if set(optional) == set(cameras):
        raise ValueError(f"at least one camera must be required; all of {names} are optional")
    if depth < 1:
        raise ValueError(f"depth must be >= 1, got {depth}")


def _nanoseconds(name: str, seconds: float) -> int:
    if not 0 <= seconds < np.inf:
        raise ValueError(f"{name} must be >= 0 s and finite, got {seconds:g}")
    return round(seconds * 1e9)
