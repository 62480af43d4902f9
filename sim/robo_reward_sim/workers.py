"""Episodes played by several processes, handed over in the order of the plan."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.util import Finalize

from robo_reward_sim.playing import HowRecorded, PlayedScene
from robo_reward_sim.rollout import EpisodePlan, RecordedEpisode, play


def play_here(plans: Sequence[EpisodePlan], settings: HowRecorded) -> Generator[RecordedEpisode, None, None]:
    """Play the plans one after the other in this process."""
    stage = _Stage(settings)
    try:
        for plan in plans:
            yield stage.play(plan)
    finally:
        stage.clear()


def play_in_processes(
    plans: Sequence[EpisodePlan], settings: HowRecorded, *, num_workers: int
) -> Generator[RecordedEpisode, None, None]:
    """Play the plans in `num_workers` new processes, and yield the same episodes in the same order as `play_here`.

    At most two episodes per process are under way or wait for their turn. Leaving the iterator ends the processes as
    soon as the episodes that they have begun are over; Ctrl-C reaches only the process that iterates.
    """
    pool = ProcessPoolExecutor(
        num_workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(settings,)
    )
    waiting: deque[Future[RecordedEpisode]] = deque()
    try:
        for plan in plans:
            waiting.append(pool.submit(_play, plan))
            if len(waiting) >= 2 * num_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Stage:
    """Keeps the scene of the last task: plans of one task follow each other."""

    def __init__(self, settings: HowRecorded) -> None:
        self._settings = settings
        self._scene: PlayedScene | None = None

    def play(self, plan: EpisodePlan) -> RecordedEpisode:
        if self._scene is None or self._scene.task != plan.task:
            self.clear()
            self._scene = self._settings.open_scene(plan.task)
        return play(self._scene, plan, settings=self._settings)

    def clear(self) -> None:
        if self._scene is not None:
            self._scene.close()
            self._scene = None


_stage: _Stage | None = None  # of a worker process; set once, when the process begins


def _begin(settings: HowRecorded) -> None:
    global _stage  # noqa: PLW0603
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["LP_NUM_THREADS"] = "1"  # Mesa's rasteriser: the processes share the cores already
    _stage = _Stage(settings)
    Finalize(None, _stage.clear, exitpriority=10)


def _play(plan: EpisodePlan) -> RecordedEpisode:
    if _stage is None:
        raise RuntimeError("a worker process was given a plan before it began")
    return _stage.play(plan)
