"""What watches over a training: a monitor of reward hacking, and a discount that grows with what the policy can do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float64

from robo_reward.perception.encoder import EmbeddingRewardModel
from robo_reward.reward_model import RewardModel
from robo_reward.rl.discount_schedule import AutomaticDiscount
from robo_reward.rl.hacking_monitor import HackingAlarm, HackingMonitor, RewardHackingError
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.rl.hacking_monitor_gathering import EpisodeGathering
from robo_reward.rl.learning_reward import PERCEIVED, RewardMode
from robo_reward.rl.scored_vector_env import ScoredVectorEnv


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SafetyNets:
    """Which nets a training has; each judges finished episodes. Without an alarm that stops it nothing is changed."""

    monitor: HackingMonitor | None = None
    """Warns of reward hacking, or stops the training; None = nobody watches."""
    discount: AutomaticDiscount | None = None
    """Gives γ to learner and shaping alike; None = the learner's own constant one."""

    def check(self, mode: RewardMode, model: RewardModel | None) -> None:
        """Raise ValueError where a model is needed and not given, or one that the nets cannot do with."""
        if mode in PERCEIVED and model is None:
            raise ValueError(f"reward={mode} asks a reward model, and none is given")
        if self.discount is not None and not isinstance(model, EmbeddingRewardModel):
            kind = "none is asked" if model is None else f"{type(model).__name__} looks through none"
            raise ValueError(
                "an automatic discount compares what the reward model's encoder saw of an episode with demonstrations, "
                f"and {kind}: choose a reward and a reward model that look through one, or discount_schedule=fixed"
            )

    def keep_embeddings(self, model: RewardModel | None) -> bool:
        """Say whether what the model's encoder sees is to be kept along an episode."""
        return isinstance(model, EmbeddingRewardModel) and (self.monitor is not None or self.discount is not None)

    @property
    def state(self) -> dict[str, Any]:
        """What changes in training, as plain data."""
        return {
            "monitor": None if self.monitor is None else self.monitor.state,
            "discount": None if self.discount is None else self.discount.state,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave; evidence for rules that are not watched any more is dropped."""
        if self.monitor is not None and state["monitor"] is not None:
            watched = self.monitor.evidence
            kept = {name: each for name, each in state["monitor"]["evidence"].items() if name in watched}
            self.monitor.restore(state["monitor"] | {"evidence": kept})
        if self.discount is not None and state["discount"] is not None:
            self.discount.restore(state["discount"])


@final
class WatchedEpisodes:
    """Follows the episodes of a training and lets its nets judge each when it has ended.

    Args:
        nets: That judge.
        source: Where transitions come from.
        mode: How the learner's reward is made of potentials.
        discount: γ of the moment, as the learner reads it.
        on_alarm: Told of every alarm, and whether it stops the training.
    """

    def __init__(
        self,
        nets: SafetyNets,
        source: ScoredVectorEnv,
        *,
        mode: RewardMode,
        discount: Callable[[], float],
        on_alarm: Callable[[HackingAlarm, bool], None],
    ) -> None:
        self._nets, self._source, self._on_alarm = nets, source, on_alarm
        self._episodes = EpisodeGathering(source.num_envs, mode=mode, discount=discount)

    def begin(self) -> None:
        """All environments begin an episode."""
        self._episodes.begin()
        self._forget()

    def after_step(self, success: Float64[np.ndarray, " env"]) -> None:
        """Take the source's last step; success is 1, 0, or NaN where nobody tells."""
        if self._source.latest is not None:
            self._episodes.after_step(self._source.latest, success=success)

    def judge(self) -> None:
        """Have the episodes judged that have ended; their frame sets must have been scored.

        Raises:
            RewardHackingError: A rule of the monitor's `stop_on` raised an alarm.
        """
        for episode in self._episodes.finished(self._source.potentials, embeddings=self._source.embeddings):
            if self._nets.discount is not None:
                self._nets.discount.after_seen(episode)
            if self._nets.monitor is not None:
                self._ask(self._nets.monitor, episode)
        self._forget()

    def _ask(self, monitor: HackingMonitor, episode: SeenEpisode) -> None:
        try:
            alarms = monitor.after(episode)
        except RewardHackingError as error:
            for alarm in error.alarms:
                self._on_alarm(alarm, alarm.rule in monitor.stop_on)
            raise
        for alarm in alarms:
            self._on_alarm(alarm, False)

    def _forget(self) -> None:
        """Let go of embeddings that no episode is made of any more."""
        if self._source.embeddings is not None:
            first = self._episodes.oldest  # of episodes that began with the present frame sets nothing is gathered yet
            here = int(self._source.here.min())
            self._source.embeddings.forget_before(here if first is None else min(first, here))
