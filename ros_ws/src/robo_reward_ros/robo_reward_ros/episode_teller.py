"""From sets of frames to answers, episode by episode: a `RewardStream`, its success latch and its counts. No ROS."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import final

from jaxtyping import Float64, UInt8
from torch import Tensor

from robo_reward.stamps import episode_seconds
from robo_reward.stream import Reward, RewardStream
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.bound_model import BoundModel
from robo_reward_ros.overheard import overhear


@final
class EpisodeTeller:
    """Owns the episode: exactly one `RewardStream`, fed with one set of frames after another. For one thread.

    Rewards are those that a `RewardStream` gives offline for the same sets, bit for bit.

    Args:
        bound: Model and task.
        step_duration: A step of the learner [s]; 0 = each set is one step.
        episode: Number of the first episode.
    """

    def __init__(self, bound: BoundModel, *, step_duration: float = 0.0, episode: int = 0) -> None:
        self._bound, self._step_duration = bound, step_duration
        self._heard = None if bound.success is None else overhear(bound.model)
        self._stream = RewardStream(self._heard or bound.model, discount=bound.discount, potential=bound.potential)
        self._latch = None if bound.success is None else bound.success.latch()
        self._model_id = bound.model.version  # asked once: it may be a hash of all weights
        self._start_ns: int | None = None
        self._last = Answer()
        self.max_spread = math.inf
        """Spread above which an answer has low confidence."""
        self.episode = episode
        """Number of the episode."""
        self.sets_answered = 0
        """Sets that the model has looked at."""

    @property
    def begun(self) -> bool:
        """Whether the episode has a frame."""
        return self._start_ns is not None

    def tell(
        self,
        views: Mapping[str, UInt8[Tensor, "3 _h _w"] | None],
        *,
        stamp_ns: int,
        newest_stamp_ns: int,
        state: Mapping[str, Float64[Tensor, " _size"]] | None = None,
    ) -> Answer:
        """Answer the next set of frames.

        Raises:
            ValueError: A number of the model that is out of its range; whatever the model itself raises.
        """
        start = stamp_ns if self._start_ns is None else self._start_ns
        steps = self._steps(stamp_ns)
        reward = self._stream.step(
            views, stamp=episode_seconds(stamp_ns, start_ns=start), steps=max(1, steps), state=state
        )
        self.sets_answered += 1
        self._start_ns = start
        probability, success = self._success()
        answer = self._judged(reward, steps)
        self._last = replace(
            answer,
            stamp_ns=stamp_ns,
            newest_stamp_ns=newest_stamp_ns,
            success_probability=probability,
            success=success,
            model_id=self._model_id,
            goal_id=self._bound.goal_id,
            episode=self.episode,
        )
        return self._last

    def terminate(self, *, success: bool) -> Answer | None:
        """End the episode at a terminal state, which nobody saw: its potential counts as 0. None = it had no frame."""
        if not self.begun:
            return None
        reward = self._stream.terminate()
        last, bound = self._last, self._bound
        told = Answer(
            stamp_ns=last.stamp_ns,
            newest_stamp_ns=last.newest_stamp_ns,
            progress=last.progress,
            spread=last.spread,
            success_probability=last.success_probability,
            success=success,
            terminated=True,
            model_id=last.model_id,
            goal_id=last.goal_id,
            episode=self.episode,
            status=Status.WARMUP,
            reason="the episode ended before a potential was known",
        )
        self.forget()
        if reward is None:
            return told
        task_reward = bound.success_reward if success else 0.0
        # −Φ(s) is what the terminal transition pays, whatever the discount
        return replace(
            told,
            status=Status.OK,
            reason="",
            potential=-reward,
            reward=reward,
            task_reward=task_reward,
            discount=bound.discount,
            steps=1,
        )

    def truncate(self, reason: str) -> Answer | None:
        """Cut the episode here; None = it had no frame."""
        if not self.begun:
            return None
        cut = replace(
            self._last,
            status=Status.WARMUP,
            reason=reason,
            potential=math.nan,
            reward=math.nan,
            task_reward=math.nan,
            discount=math.nan,
            steps=0,
            truncated=True,
        )
        self.forget()
        return cut

    def forget(self) -> None:
        """Begin the next episode."""
        self._stream.reset()
        self._start_ns, self._last = None, Answer()
        self.episode += 1
        if self._latch is not None:
            self._latch.reset()

    def _steps(self, stamp_ns: int) -> int:
        if not self.begun:
            return 0
        if not self._step_duration:
            return 1
        return max(1, round((stamp_ns - self._last.stamp_ns) * 1e-9 / self._step_duration))

    def _success(self) -> tuple[float, bool]:
        told = self._bound.success
        if told is None or self._latch is None or self._heard is None or self._heard.latest is None:
            return math.nan, False
        probability = float(told.classifier.probability(self._heard.latest)[0, -1])
        return probability, self._latch.step(probability)

    def _judged(self, reward: Reward | None, steps: int) -> Answer:
        progress, spread = self._stream.latest
        self._check(progress, spread, reward)
        told = Answer(progress=progress, spread=spread)
        if math.isnan(progress):
            status = Status.LOW_CONFIDENCE if steps else Status.WARMUP
            return replace(told, status=status, reason="the model abstained")
        if reward is None:
            reason = "the first potential of an episode: there is no transition yet"
            return replace(told, status=Status.WARMUP, reason=reason)
        if spread > self.max_spread:
            reason = f"spread {spread:.3g} is larger than {self.max_spread:g}"
            return replace(told, status=Status.LOW_CONFIDENCE, reason=reason)
        return replace(
            told,
            status=Status.OK,
            potential=reward.potential,
            reward=reward.reward,
            task_reward=0.0,
            discount=self._bound.discount**steps,
            steps=steps,
        )

    def _check(self, progress: float, spread: float, reward: Reward | None) -> None:
        """Let no number out of its range pass, whatever model gave it."""
        if not math.isnan(progress) and not (0 <= progress <= 1 and spread >= 0):
            raise ValueError(f"the model gave progress {progress} and spread {spread}")
        low, high = self._bound.bounds
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        if reward is None or (math.isfinite(reward.reward) and low - slack <= reward.potential <= high + slack):
            return
        raise ValueError(
            f"the model gave reward {reward.reward} and potential {reward.potential}; allowed [{low}, {high}]"
        )
