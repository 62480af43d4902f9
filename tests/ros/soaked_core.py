"""A reward core that a soak is tried on, with clocks of its own: seconds go by as fast as the core answers."""

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from robo_reward_ros.answer import Answer
from robo_reward_ros.core_settings import CoreSettings
from robo_reward_ros.reward_core import SUCCESS, TRUNCATED, RewardCore
from ros_pictures import Clocks, bound, until
from soak_faults import CAMERAS, FRONT, PERIOD_NS, SETTINGS, Shot, Watch


class SoakedCore:
    """As `soak_rounds.Soaked` wants it."""

    def __init__(self) -> None:
        self.watch, self.clocks, self._sent = Watch(), Clocks(), 0
        settings = CoreSettings(cameras=CAMERAS, session=7, **SETTINGS)
        self.core = RewardCore(bound(), settings, clocks=self.clocks, publish=self._hear)
        self._promises: list[Future[Any]] = []
        self.robot_said(ok=True)

    @property
    def now_ns(self) -> int:
        return self.clocks.ros

    @property
    def steady(self) -> float:
        return self.clocks.wall

    def send(self, shots: Sequence[Shot], *, answered: bool) -> None:
        for each in shots:
            self.core.picture(each.camera, message_of(each), stamp_ns=each.stamp_ns)
        until(lambda: self.core._worker.idle, seconds=20)
        self._sent += 1
        if self._sent % 5 == 0:
            self.core.tick()
        self.clocks.pass_by(PERIOD_NS * 1e-9)

    def call(self, service: str) -> None:
        core = self.core
        calls = {
            "reset_episode": core.reset_episode,
            "mark_success": lambda: core.mark(SUCCESS),
            "mark_truncated": lambda: core.mark(TRUNCATED),
            "set_task": lambda: core.set_task(bound),
            "enable": lambda: core.enable(enabled=True),
            "disable": lambda: core.enable(enabled=False),
            "mark_nonsense": lambda: self._refused(9),
        }
        promise = calls[service]()
        if isinstance(promise, Future):
            promise.add_done_callback(lambda done: done.exception())

    def robot_said(self, *, ok: bool) -> None:
        self.core.robot_said(ok=ok)

    def set_back(self, by_ns: int) -> None:
        self.clocks.ros -= by_ns

    def _refused(self, outcome: int) -> None:
        try:
            self.core.mark(outcome)
        except ValueError:
            return
        raise AssertionError(f"outcome {outcome} was taken")

    def _hear(self, answer: Answer) -> None:
        self.watch.hear(answer, stamp_ns=answer.stamp_ns, now=self.clocks.wall)


def message_of(shot: Shot) -> SimpleNamespace:
    """Give the picture as a message of its camera."""
    if shot.camera == FRONT:
        return SimpleNamespace(
            height=shot.height, width=shot.width, encoding=shot.encoding, is_bigendian=0, step=shot.step, data=shot.data
        )
    return SimpleNamespace(format=shot.format, data=shot.data)
