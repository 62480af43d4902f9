"""The consumer's half: lets a reward through only if it is good, new, in order, and of the episode at hand. No ROS."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from robo_reward_ros.answer import Answer, Status


class Refusal(StrEnum):
    """Why a reward does not pass."""

    STATUS = "status"
    """The reward node itself says that it is none."""
    ROBOT = "robot"
    """The robot does not say that it runs as it should."""
    OLD_SESSION = "old session"
    """Of an activation of the reward node before the latest known one."""
    OUT_OF_ORDER = "out of order"
    """Not later than the last message: repeated, overtaken, or of an episode that is over."""
    STALE = "stale"
    """Its pictures are older than allowed, or from the future."""
    DOUBTFUL = "doubtful"
    """Its spread is larger than allowed, or unknown."""
    MODEL = "model"
    """Of another model than the one that the learner counts on."""
    DISCOUNT = "discount"
    """Discounted by another γ than the learner's: shaping would change the optimal policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """What a reward must be to pass.

    Raises:
        ValueError: A limit out of its range.
    """

    max_age: float
    """Age of the oldest picture when the reward arrives [s], > 0."""
    max_future: float = 0.05
    """How far its stamp may lie ahead of now: clocks differ [s], >= 0."""
    max_spread: float = math.inf
    """Largest standard deviation of progress, > 0; infinite = any."""
    silent_after: float = 1.0
    """Time without a good reward after which the gate is closed [s], > 0."""
    discount: float | None = None
    """The learner's γ per step; None = any."""
    model_id: str | None = None
    """The model that the learner counts on; None = any."""
    heed_robot: bool = False
    """Whether the robot must say that it runs as it should."""
    robot_timeout: float = math.inf
    """Age at which the robot's last word counts as no [s], > 0."""

    def __post_init__(self) -> None:
        for name in ("max_age", "max_spread", "silent_after", "robot_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if not self.max_future >= 0:
            raise ValueError(f"max_future must be >= 0 s, got {self.max_future}")
        if self.discount is not None and not 0 < self.discount <= 1:
            raise ValueError(f"discount must be in (0, 1], got {self.discount}")


@final
class RewardGate:
    """Refuses rewards that are stale, out of order, doubtful or stopped, and counts them.

    For every sequence of messages, delayed, lost, repeated, or exchanged:

        what passes has status OK; (session, sequence) strictly increases; within an episode stamps strictly increase,
        but for its end, which pays for the last picture; no episode is taken up again after its end or after a later
        one; ages lie in [−max_future, max_age], but for the end of an episode, which somebody may mark late.

    A learner that takes what passes, and nothing else, cannot be fed a doubtful reward; one that asks `open` before it
    acts stops when rewards do.

    Args:
        limits: What a reward must be.
    """

    def __init__(self, limits: GateLimits) -> None:
        self._limits = limits
        self._last: Answer | None = None  # latest message of good order, whatever its status
        self._stamp_ns = 0  # of the latest that passed in this episode
        self._over = -1  # latest episode of the session that has ended
        self._passed_at: float | None = None
        self._robot: tuple[float, bool] | None = None
        self._refused: Counter[Refusal] = Counter()
        self._cut: Answer | None = None
        self.passed = 0
        """Rewards that passed."""

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Reason to number of messages that did not pass."""
        return dict(self._refused)

    def robot_said(self, *, ok: bool, now: float) -> None:
        """Take the robot's word on whether it runs as it should.

        Args:
            ok: It does.
            now: Of a clock that nobody adjusts [s].
        """
        self._robot = (now, ok)

    def passes(self, answer: Answer, *, now_ns: int, now: float) -> bool:
        """Tell whether a reward may be used.

        Args:
            answer: The message.
            now_ns: Time on the clock of the stamps [ns].
            now: Time on a clock that nobody adjusts [s].
        """
        return self.judge(answer, now_ns=now_ns, now=now) is None

    def judge(self, answer: Answer, *, now_ns: int, now: float) -> Refusal | None:
        """Tell whether a reward may be used, as `passes`, and if not why.

        Args:
            answer: The message.
            now_ns: Time on the clock of the stamps [ns].
            now: Time on a clock that nobody adjusts [s].

        Returns:
            Why it may not; None = it passes.
        """
        reason = self.refusal(answer, now_ns=now_ns, now=now)
        if reason is not None:
            self._refused[reason] += 1
            return reason
        self.passed += 1
        self._passed_at, self._stamp_ns = now, answer.stamp_ns
        return None

    def refusal(self, answer: Answer, *, now_ns: int, now: float) -> Refusal | None:
        """Say why a message does not pass, and take note of it; None = it does."""
        reason = self._disorder(answer)
        if reason is not None:
            return reason
        if self._last is None or answer.episode != self._last.episode:
            self._stamp_ns = 0  # a clock that was set back begins another episode
        over, self._last = self._over, answer
        if answer.terminated or answer.truncated:
            self._over = max(self._over, answer.episode)
        if answer.episode <= over:
            return Refusal.OUT_OF_ORDER
        self._over = max(self._over, answer.episode - 1)
        if answer.status != Status.OK or not math.isfinite(answer.total_reward):
            return Refusal.STATUS
        if not self._robot_well(now):
            return Refusal.ROBOT
        return self._unfit(answer, now_ns)

    def cut(self) -> Answer | None:
        """Give, once, the truncated end of an episode that nobody ended: the reward node was started anew meanwhile."""
        cut, self._cut = self._cut, None
        return cut

    def open(self, *, now: float) -> bool:
        """Tell whether good rewards come: if not, a controller should go to its safe state.

        Args:
            now: Of a clock that nobody adjusts [s].
        """
        last = self._last
        well = last is not None and last.status == Status.OK and self._robot_well(now)
        return well and self._passed_at is not None and now - self._passed_at <= self._limits.silent_after

    def _disorder(self, answer: Answer) -> Refusal | None:
        last = self._last
        if last is None:
            return None
        if answer.session < last.session:
            return Refusal.OLD_SESSION
        if answer.session > last.session:
            # a heartbeat before the first picture belongs to no episode yet
            if last.episode > self._over and self._stamp_ns:
                self._cut = _truncated(last)
            self._over, self._stamp_ns = -1, 0
            return None
        return Refusal.OUT_OF_ORDER if answer.sequence <= last.sequence else None

    def _unfit(self, answer: Answer, now_ns: int) -> Refusal | None:
        limits, age = self._limits, (now_ns - answer.stamp_ns) * 1e-9
        # the end of an episode pays for its last picture, which was answered already
        new = answer.stamp_ns > self._stamp_ns or (answer.terminated and answer.stamp_ns == self._stamp_ns)
        wanted = None if limits.discount is None else limits.discount**answer.steps
        if limits.model_id is not None and answer.model_id != limits.model_id:
            return Refusal.MODEL
        if wanted is not None and not math.isclose(answer.discount, wanted, rel_tol=1e-12):
            return Refusal.DISCOUNT
        if not new:
            return Refusal.OUT_OF_ORDER
        if not -limits.max_future <= age <= limits.max_age and not answer.terminated:
            return Refusal.STALE
        if not answer.spread <= limits.max_spread and not answer.terminated:
            return Refusal.DOUBTFUL
        return None

    def _robot_well(self, now: float) -> bool:
        if not self._limits.heed_robot:
            return True
        return self._robot is not None and self._robot[1] and now - self._robot[0] <= self._limits.robot_timeout


def _truncated(last: Answer) -> Answer:
    """Give what a reward node would have said last, had it not been killed."""
    return Answer(
        stamp_ns=last.stamp_ns,
        newest_stamp_ns=last.newest_stamp_ns,
        status=Status.WARMUP,
        reason="the reward node was started anew",
        truncated=True,
        model_id=last.model_id,
        goal_id=last.goal_id,
        session=last.session,
        sequence=last.sequence + 1,
        episode=last.episode,
    )
