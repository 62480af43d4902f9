"""From answers, which come when they come, to what each transition of a learner is worth. No ROS."""

import math
from collections import deque
from dataclasses import dataclass
from typing import final

from robo_reward.shaping import discount_over_steps
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.reward_gate import Refusal

NOT_OURS = (Refusal.OLD_SESSION, Refusal.OUT_OF_ORDER)
"""Refusals of messages that were heard before, or that belong to what is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionReward:
    """What the transition from one observation of a learner to the next is worth."""

    shaping_reward: float
    """F = γ^k · (1 − terminated) · Φ(s') − Φ(s)."""
    task_reward: float
    """Of the task itself; 0 unless the episode ended in success here."""
    discount: float
    """γ^k."""
    potential: float
    """Φ(s'), before a terminal state zeroes it; the last known one where it is held."""
    stamp_ns: int
    """Capture time of the picture that Φ(s') comes from [ns]."""
    held: bool
    """No new potential came in time: the last one counts, and what is missing is paid when the next one comes."""
    answers: int
    """Rewards that passed since the last transition."""
    status: Status
    """Of the reward node's last word."""
    terminated: bool
    truncated: bool
    success: bool
    reason: str
    """Why the episode ended or the potential is held; empty where nothing is to be said."""

    @property
    def reward(self) -> float:
        """What a learner is paid."""
        return self.task_reward + self.shaping_reward


@final
class TransitionAlignment:
    """Pays a learner for its own transitions, however many answers, or none, come in each.

    A learner's transition goes from the observation at which it chose an action, over k of its steps, to the next
    one. Cameras and reward node have other rates, and answers are late. For any sequence of answers, lost, late,
    repeated or of other episodes:

        F_t = γ^k Φ_{t+1} − Φ_t,      Σ_t γ^{t} F_t = γ^T Φ_T − Φ_0   (Φ_T = 0 at a terminal state)

    with Φ_t the potential of the latest picture up to observation t whose answer had passed the gate when t was
    returned. Both sides of F use the same Φ_t, so a potential that comes late delays reward and never loses any. Where
    nothing is lost and the answers' own steps add up to k, F equals the answers' rewards, each discounted by those
    before it.

    Args:
        discount: The learner's γ per step, in (0, 1].
        tolerance: How far the stamps of an observation and of its pictures may be apart [s], >= 0.
        max_hold: How long a potential may be held [s], > 0; then the episode is truncated.
        success_reward: Task reward of an episode's success, where the reward node did not say it.

    Raises:
        ValueError: A setting out of its range.

    Source:
        Ng, Harada & Russell 1999, eq. 2; Sutton, Precup & Singh 1999 for γ^k.
    """

    def __init__(self, discount: float, *, tolerance: float, max_hold: float, success_reward: float = 1.0) -> None:
        discount_over_steps(discount, 1)
        if not 0 <= tolerance < math.inf:
            raise ValueError(f"tolerance must be >= 0 s and finite, got {tolerance}")
        if not max_hold > 0:
            raise ValueError(f"max_hold must be > 0 s, got {max_hold}")
        self._discount, self._max_hold, self._success_reward = discount, max_hold, success_reward
        self._tolerance_ns = round(tolerance * 1e9)
        self._episode: tuple[int, int] | None = None

    def begin(self, answer: Answer) -> None:
        """Begin an episode at the picture of an answer that passed the gate: its potential is Φ_0.

        Raises:
            ValueError: An answer without a potential.
        """
        if not math.isfinite(answer.potential):
            raise ValueError(f"an episode begins at a known potential; the answer has status {answer.status.name}")
        self._episode = answer.session, answer.episode
        self._potential, self._stamp_ns = answer.potential, answer.stamp_ns
        self._waiting: deque[Answer] = deque()
        self._answered_ns, self._word = answer.stamp_ns, answer
        self._success, self._end, self._cut = answer.success, None, ""

    @property
    def running(self) -> bool:
        """Whether an episode has begun and its last transition was not given yet."""
        return self._episode is not None

    @property
    def over(self) -> bool:
        """Whether the running episode has ended, and `settle` will say so."""
        return self._episode is not None and (self._end is not None or bool(self._cut))

    def stop(self) -> None:
        """Leave the episode: its caller cut it."""
        self._episode = None

    def take(self, answer: Answer, refusal: Refusal | None) -> None:
        """Hear an answer.

        Args:
            answer: Any message of the reward node, heartbeats too.
            refusal: Why the gate refuses it; None = it passes.
        """
        if self._episode is None or refusal in NOT_OURS:
            return
        theirs = (answer.session, answer.episode)
        if theirs < self._episode or self.over:
            return
        if theirs > self._episode:
            restarted = answer.session > self._episode[0]
            self._cut = "the reward node was started again" if restarted else "the reward node began another episode"
            return
        self._word = answer
        if answer.terminated:
            self._end = answer
        elif answer.truncated:
            self._cut = answer.reason or "the reward node cut the episode"
        elif answer.views:
            self._answered_ns = max(self._answered_ns, answer.stamp_ns)
        if refusal is None and not answer.terminated:
            self._waiting.append(answer)

    def end(self, *, success: bool) -> None:
        """Note that the caller itself ended the episode at a terminal state, if the reward node did not say so yet."""
        if not self.over and self._episode is not None:
            self._end = Answer(success=success, terminated=True)

    def answered(self, stamp_ns: int) -> bool:
        """Tell whether there is nothing to wait for: the pictures of an observation are answered, or all is over."""
        return self.over or self._answered_ns >= stamp_ns - self._tolerance_ns

    def succeeded(self, stamp_ns: int) -> bool:
        """Tell whether the reward node's success latch was set by an observation's pictures or before."""
        return self._success or any(each.success for each in self._waiting if self._seen_by(each, stamp_ns))

    def settle(self, stamp_ns: int, *, steps: int) -> TransitionReward:
        """Give the reward of the transition that ends at an observation, and begin the next one there.

        Args:
            stamp_ns: Capture time of the observation [ns].
            steps: Of the learner, that the transition spans: k >= 1.

        Raises:
            ValueError: No episode is running, or steps < 1.
        """
        if self._episode is None:
            raise ValueError("no episode is running: begin one first")
        discount, before = discount_over_steps(self._discount, steps), self._potential
        self._success = self.succeeded(stamp_ns)
        answers = self._arrive(stamp_ns)
        end, reason = self._end, self._why(stamp_ns, held=not answers)
        truncated = end is None and bool(self._cut)
        if end is not None or truncated:
            self._episode = None
        return TransitionReward(
            # a terminal state's potential counts as 0
            shaping_reward=-before if end is not None else discount * self._potential - before,
            task_reward=0.0 if end is None else self._task_reward(end),
            discount=discount,
            potential=self._potential,
            stamp_ns=self._stamp_ns,
            held=answers == 0,
            answers=answers,
            status=self._word.status,
            terminated=end is not None,
            truncated=truncated,
            success=self._success if end is None else end.success,
            reason=reason,
        )

    def _seen_by(self, answer: Answer, stamp_ns: int) -> bool:
        return answer.stamp_ns <= stamp_ns + self._tolerance_ns

    def _arrive(self, stamp_ns: int) -> int:
        """Move to the potential of the latest picture up to a stamp; later ones belong to later transitions."""
        answers = 0
        while self._waiting and self._seen_by(self._waiting[0], stamp_ns):
            latest = self._waiting.popleft()
            self._potential, self._stamp_ns = latest.potential, latest.stamp_ns
            answers += 1
        return answers

    def _why(self, stamp_ns: int, *, held: bool) -> str:
        """Say why the episode is over or the potential held; one that is held for too long cuts the episode."""
        if self._end is not None:
            return self._end.reason
        age = (stamp_ns - self._stamp_ns) * 1e-9
        word = f"{self._word.status.name}: {self._word.reason}" if self._word.reason else self._word.status.name
        if not self._cut and age > self._max_hold:
            self._cut = f"no reward passed for {age:.3g} s, allowed are {self._max_hold:g} s; the last word was {word}"
        return self._cut or (f"the potential of {age:.3g} s ago is held; the last word was {word}" if held else "")

    def _task_reward(self, end: Answer) -> float:
        if math.isfinite(end.task_reward):
            return end.task_reward
        return self._success_reward if end.success else 0.0
