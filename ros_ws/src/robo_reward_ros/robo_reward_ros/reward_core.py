"""The reward node without ROS: pictures, clocks and a person's word in; answers, each with its status, out."""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float64

from robo_reward.frame_sets import FrameSet
from robo_reward.state_history import StateHistory
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.bound_model import BoundModel
from robo_reward_ros.core_settings import Clocks, CoreSettings
from robo_reward_ros.episode_teller import EpisodeTeller
from robo_reward_ros.health import Health, Verdict
from robo_reward_ros.picture_decoding import PictureDecoder, Seen, Views, per_view
from robo_reward_ros.picture_door import Picture, PictureDoor
from robo_reward_ros.slot_worker import MODEL_FAULTS, SlotWorker
from robo_reward_ros.stage_timing import StageTiming

SUCCESS, FAILURE, TRUNCATED = 1, 2, 3
"""Outcomes of an episode, as `MarkOutcome` numbers them."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Job:
    pictures: FrameSet[Picture]
    state: Mapping[str, Float64[np.ndarray, " _size"]]
    offered: float  # steady clock [s]


@final
class RewardCore:
    """Answers the newest set of pictures, one at a time, with an `EpisodeTeller` on a thread of its own.

    No reward goes out while anything stands against it; nothing of an episode, task or activation that is over goes
    out at all; (session, sequence) grows with every answer.

    All methods are for one thread, the executor's; `publish` is called from that one and from the worker's, never from
    both at once.

    Args:
        bound: Model and task.
        settings: Cameras and limits.
        clocks: The node's.
        publish: Takes each answer; must be quick.
        states: Names and sizes of what the robot feels, and how old it may be; None = it feels nothing.
        seen: Takes what was looked at with each answer to it, after it went out; on the worker's thread, so it must be
            quick; None = nobody looks.
    """

    def __init__(
        self,
        bound: BoundModel,
        settings: CoreSettings,
        *,
        clocks: Clocks,
        publish: Callable[[Answer], None],
        states: StateHistory | None = None,
        seen: Callable[[Seen], None] | None = None,
    ) -> None:
        self._settings, self._clocks, self._publish, self._seen = settings, clocks, publish, seen
        self.health, self.timing = Health(settings.limits, now=clocks.steady()), StageTiming()
        felt = states or StateHistory({}, 0.0)
        self._door = PictureDoor(settings, health=self.health, timing=self.timing, states=felt)
        self._teller = EpisodeTeller(bound, step_duration=settings.step_duration)
        self.allow_spread(settings.max_spread)
        self._generation: int | None = None  # of the frame sets of the episode
        self._decoder = PictureDecoder(settings.required, health=self.health)
        self._out, self._closed, self._sequence, self._tasks = RLock(), False, 0, 0
        self._last, self._verdict = Answer(), (Status.WARMUP, "")
        self._looked_at: tuple[FrameSet[Picture], Views] | None = None
        self._worker: SlotWorker[_Job, Answer | None] = SlotWorker(self._work, self._deliver)

    @property
    def last(self) -> Answer:
        """The latest answer that went out."""
        return self._last

    @property
    def dropped(self) -> Mapping[str, Mapping[str, int]]:
        """Camera to reason to number of pictures that no set used."""
        return self._door.dropped

    def allow_spread(self, largest: float) -> None:
        """Set the spread above which an answer has low confidence; 0 = any spread is fine."""
        self._teller.max_spread = largest or math.inf

    def picture(self, camera: str, message: Any, *, stamp_ns: int) -> None:
        """Take a picture as it arrives; it is decoded only if its set is answered."""
        now = self._clocks.steady()
        found = self._door.take(camera, message, stamp_ns=stamp_ns, now_ns=self._clocks.now_ns(), now=now)
        # while nothing may be answered, nothing is
        if found is not None and self._judge()[0] not in (Status.ROBOT_STOPPED, Status.DISABLED):
            self._worker.offer(_Job(pictures=found, state=self._door.felt(found), offered=now))

    def feel(self, name: str, values: Float64[np.ndarray, " size"], *, stamp_ns: int) -> None:
        """Take a state as it arrives: `Clip.state` of a set has the latest at or before its oldest picture.

        Args:
            name: One of those in `states`, such as tool_position.
            values: Of its size; what is not finite is unknown.
            stamp_ns: Time in its header [ns]; when it was received, for messages without a header.

        Raises:
            ValueError: An unknown name, or another number of values.
        """
        self._door.feel(name, values, stamp_ns=stamp_ns)

    def robot_said(self, *, ok: bool) -> None:
        """Take the robot's word on whether it runs as it should."""
        self.health.robot_said(ok=ok, now=self._clocks.steady())
        self.tick()

    def enable(self, *, enabled: bool) -> None:
        """Switch rewards on or off; off cuts the episode."""
        self.health.enable(enabled=enabled)
        self.tick()

    def tick(self) -> Verdict:
        """Look at the health; while it is not well a heartbeat says so. Call it periodically.

        Returns:
            Status and reason.
        """
        before, self._verdict = self._verdict, self._judge()
        status, reason = self._verdict
        if status in (Status.ROBOT_STOPPED, Status.DISABLED) and before[0] != status:
            self._worker.begin_generation()
            self._restart(reason)
        if status != Status.OK:
            last = self._last
            self._send(
                Answer(
                    stamp_ns=last.stamp_ns,
                    newest_stamp_ns=last.newest_stamp_ns,
                    status=status,
                    reason=reason,
                    model_id=last.model_id,
                    goal_id=last.goal_id,
                    episode=self._teller.episode,
                )
            )
        return self._verdict

    def reset_episode(self, reason: str = "reset_episode was called") -> "Future[str]":
        """Cut the episode; the next set of pictures begins another one."""
        return self._restart(reason)

    def mark(self, outcome: int, *, who: str = "") -> "Future[int]":
        """End the episode as somebody says it ended, and give its number.

        Args:
            outcome: As `MarkOutcome` numbers them: 1 success, 2 failure, 3 truncated.
            who: Says it.

        Raises:
            ValueError: An outcome that there is none of; in the future, that no episode has begun.
        """
        if outcome not in (SUCCESS, FAILURE, TRUNCATED):
            raise ValueError(f"outcome must be 1 (success), 2 (failure) or 3 (truncated), got {outcome}")
        self._forget_waiting()
        return self._worker.call(lambda: self._end(outcome, who or "somebody"))

    def set_task(self, bound: Callable[[], BoundModel]) -> "Future[BoundModel]":
        """Bind another model; its building takes place on the worker's thread, and the old one answers no more.

        Raises:
            ValueError: In the future, that a later call came before this one's building was begun.
        """
        self.health.preparing("the model is being bound to another task")
        self._worker.begin_generation()
        self._forget_waiting()
        self._tasks = number = self._tasks + 1
        return self._worker.call(lambda: self._rebind(bound, number))

    def close(self, timeout: float) -> bool:
        """Stop; once this returns nothing goes out any more. False = the model was still busy after so many seconds."""
        with self._out:
            self._closed = True
        return self._worker.close(timeout)

    def _judge(self) -> Verdict:
        if not self._worker.alive:
            return Status.FAULT, "the thread of the model ended; see the log, and clean the node up"
        return self.health.verdict(now=self._clocks.steady(), busy_for=self._worker.busy_for)

    def _forget_waiting(self) -> None:
        self._door.reset()
        self._worker.drop_waiting()

    def _restart(self, reason: str) -> "Future[str]":
        self._forget_waiting()
        return self._worker.call(lambda: self._cut(reason))

    # from here on: on the worker's thread

    def _work(self, job: _Job) -> Answer | None:
        started = self._clocks.steady()
        self.timing.add("wait", started - job.offered)
        if self._generation not in (None, job.pictures.generation):
            self._cut("a clock jumped back")
        views = self._decoder.views(job.pictures.frames)
        if views is None:
            return None
        read = self._clocks.steady()
        try:
            answer = self._teller.tell(
                views,
                stamp_ns=job.pictures.stamp_ns,
                newest_stamp_ns=job.pictures.newest_stamp_ns,
                state={name: torch.from_numpy(values) for name, values in job.state.items()},
            )
        except MODEL_FAULTS as error:
            self.health.failed(f"{type(error).__name__}: {error}")
            self._cut("the model failed")
            return None
        self._generation = job.pictures.generation
        self.health.failed("")
        done = self._clocks.steady()
        self.timing.add("read", read - started)
        self.timing.add("model", done - read)
        self._looked_at = (job.pictures, views)
        return replace(answer, inference_time=done - started, **per_view(job.pictures))

    def _deliver(self, answer: Answer | None) -> None:
        if answer is None:
            return
        verdict = self._judge()
        age = (self._clocks.now_ns() - answer.stamp_ns) * 1e-9
        oldest = self._settings.max_answer_age
        if verdict[0] == Status.OK and not -self._settings.max_future <= age <= (oldest or math.inf):
            verdict = (Status.STALE_INPUT, f"the answer came when its oldest picture was {age:.3g} s old")
        self._send(replace(_as(verdict, answer), input_age=age))
        self.timing.add("age", age)
        if self._seen is not None and self._looked_at is not None:
            pictures, views = self._looked_at
            self._seen(Seen(pictures=pictures, views=views, answer=self._last))

    def _end(self, outcome: int, who: str) -> int:
        if not self._teller.begun:
            raise ValueError("there is no episode to end: it has no frame yet")
        episode = self._teller.episode
        if outcome == TRUNCATED:
            self._cut(f"{who} ended the episode")
            return episode
        ended = self._teller.terminate(success=outcome == SUCCESS)
        self._generation = None
        if ended is not None:
            self._send(_as(self._judge(), ended))
        return episode

    def _cut(self, reason: str) -> str:
        cut = self._teller.truncate(reason)
        self._generation = None
        if cut is not None:
            self._send(_as(self._judge(), cut))
        return "no frame of an episode yet" if cut is None else f"episode {cut.episode} ended, truncated: {reason}"

    def _rebind(self, build: Callable[[], BoundModel], number: int) -> BoundModel:
        if number != self._tasks:
            raise ValueError("a later set_task took the place of this one")
        self._cut("set_task was called")
        try:
            bound = build()
        finally:
            self.health.preparing("")
        largest, episode = self._teller.max_spread, self._teller.episode
        self._teller = EpisodeTeller(bound, step_duration=self._settings.step_duration, episode=episode)
        self._teller.max_spread = largest
        return bound

    def _send(self, answer: Answer) -> None:
        with self._out:
            if self._closed:
                return
            self._last = replace(
                answer,
                session=self._settings.session,
                sequence=self._sequence,
                sets_answered=self._teller.sets_answered,
                sets_dropped=self._worker.dropped,
                pictures_refused=self._door.refused + self._decoder.damaged,
            )
            self._sequence += 1
            self._publish(self._last)


def _as(verdict: Verdict, answer: Answer) -> Answer:
    """Give the answer without its numbers if anything stands against them."""
    status, reason = verdict
    if status == Status.OK:
        return answer
    return replace(answer, status=status, reason=reason, reward=math.nan, potential=math.nan, task_reward=math.nan)
