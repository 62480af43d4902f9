"""One thread that works on the newest job only, and whose results are dropped once they are out of date. No ROS."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, RLock, Thread
from time import monotonic
from typing import Any, Generic, TypeVar, final

from robo_reward.errors import RoboRewardError
from robo_reward_ros.arrival_rhythm import ArrivalRhythm

Job = TypeVar("Job")
Result = TypeVar("Result")

MODEL_FAULTS = (
    RoboRewardError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # torch's too: out of memory, a lost device
    TypeError,
    ValueError,
)
"""What a model, its files or its pictures may raise; a robot's node outlives each of them."""


@final
class SlotWorker(Generic[Job, Result]):
    """Works on one job at a time; of jobs that come meanwhile the newest waits, so that none grows old in a queue.

    One that has waited while the next is due at once is left for the next (`ArrivalRhythm`).

    Every job belongs to the generation in which it was offered. `begin_generation` drops the job that waits and the
    result of the one at work: once it has returned, nothing of an earlier generation is delivered. Results are
    delivered in the order in which jobs were offered, by the thread of the worker, under a lock that
    `begin_generation` takes too: delivery must be short.

    Args:
        work: Called with a job by the worker's thread.
        deliver: Called with the result, if it is still wanted.

    An error that `work` or `deliver` does not catch ends the thread: `alive` is False then, and the error is on stderr.
    """

    def __init__(self, work: Callable[[Job], Result], deliver: Callable[[Result], None]) -> None:
        self._work, self._deliver = work, deliver
        self._wake, self._gate = Condition(), RLock()
        self._slot: tuple[int, Job] | None = None
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._rhythm = ArrivalRhythm()
        self._generation, self._dropped = 0, 0
        self._busy_since: float | None = None
        self._closing, self._idle = False, True
        self._thread = Thread(target=self._run, name="reward worker", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many jobs a newer one replaced before work on them began."""
        return self._dropped

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def busy_for(self) -> float:
        """How long the job at work has been worked on [s]; 0 = none."""
        since = self._busy_since
        return 0.0 if since is None else monotonic() - since

    @property
    def idle(self) -> bool:
        """Whether nothing is at work and nothing waits."""
        with self._wake:
            return self._idle and self._slot is None and not self._calls

    def offer(self, job: Job) -> None:
        """Hand over a job; one that still waits is dropped for it."""
        with self._wake:
            self._rhythm.heard(monotonic())
            if self._slot is not None:
                self._dropped += 1
            self._slot = (self._generation, job)
            self._wake.notify()

    def call(self, function: Callable[[], Result]) -> "Future[Result]":
        """Have a function called by the worker's thread, after the job at work and before the one that waits.

        Functions are called in their order. An error of the function is the future's.
        """
        future: Future[Result] = Future()
        with self._wake:
            self._calls.append((future, function))
            self._wake.notify()
        return future

    def drop_waiting(self) -> None:
        """Drop the job that waits; the one at work goes on and its result is delivered."""
        with self._wake:
            self._slot = None

    def begin_generation(self) -> None:
        """Drop the job that waits and the result of the one at work."""
        with self._gate, self._wake:
            self._generation += 1
            self._slot = None

    def close(self, timeout: float) -> bool:
        """Begin a generation, stop the thread, and wait for it; False = it was still busy after so many seconds."""
        self.begin_generation()
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._once():
            pass

    def _once(self) -> bool:
        with self._wake:
            self._busy_since, self._idle = None, True
            self._wake.wait_for(lambda: self._closing or self._calls or self._slot is not None)
            self._let_a_newer_one_come()
            call = self._calls.popleft() if self._calls else None
            if self._closing and call is None:
                return False
            taken, self._idle = None, False
            if call is None:
                taken, self._slot = self._slot, None
                self._busy_since = None if taken is None else monotonic()
        if call is not None:
            _answer(*call)
        elif taken is not None:
            self._do(*taken)
        return True

    def _let_a_newer_one_come(self) -> None:
        waiting, patience = self._slot, self._rhythm.patience(monotonic())
        if waiting is not None and patience:
            self._wake.wait_for(lambda: self._closing or self._calls or self._slot is not waiting, timeout=patience)

    def _do(self, generation: int, job: Job) -> None:
        result = self._work(job)
        with self._gate:
            if generation == self._generation:
                self._deliver(result)


def _answer(future: "Future[Any]", function: Callable[[], Any]) -> None:
    try:
        future.set_result(function())
    except MODEL_FAULTS as error:
        future.set_exception(error)
