"""Watches a learner for signs that it exploits its reward instead of solving the task; warns, or stops the run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from robo_reward.errors import RoboRewardError
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.rl.hacking_monitor_evidence import EventEvidence
from robo_reward.rl.hacking_monitor_rules import HackingRule


@dataclass(frozen=True, slots=True, kw_only=True)
class HackingAlarm:
    """One rule's alarm."""

    rule: str
    episode: int
    """How many episodes the monitor had seen, this one included."""
    message: str
    """What was found, with figures."""


class RewardHackingError(RoboRewardError):
    """The learner exploits its reward, and the run was asked to stop when it does."""

    def __init__(self, alarm: HackingAlarm, *, alarms: Sequence[HackingAlarm] = ()) -> None:
        super().__init__(
            f"stopped at episode {alarm.episode}: {alarm.message}; look at the videos of the last episodes before "
            f"training on, or take '{alarm.rule}' out of stop_on"
        )
        self.alarm = alarm
        self.alarms = tuple(alarms) or (alarm,)
        """All that the episode raised, this one among them."""


@final
class HackingMonitor:
    """Gathers evidence of reward hacking over the episodes of a run.

    Over `horizon` episodes of honest learning, all rules together raise a false alarm with a probability of at most
    `false_alarm`, as long as each rule's `usual` is true; see `EventEvidence`. After an alarm a rule's evidence starts
    from nothing.

    Args:
        rules: What is looked for; each name once.
        stop_on: Names of rules whose alarm stops the run.
        false_alarm: Probability over the whole horizon, in (0, 1).
        horizon: Episodes that the promise covers, ≥ 1.
        state: From `HackingMonitor.state`, to resume exactly.

    Raises:
        ValueError: No rule, a name twice, a `stop_on` or state of unknown rules, ranges.
    """

    def __init__(
        self,
        rules: Sequence[HackingRule],
        *,
        stop_on: Sequence[str] = (),
        false_alarm: float = 0.01,
        horizon: int = 10_000,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        names = [rule.name for rule in rules]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a monitor needs at least one rule and each once, got {names}")
        unknown = sorted(set(stop_on) - set(names))
        if unknown:
            raise ValueError(f"stop_on names rules {unknown} that are not watched; watched: {names}")
        if not 0 < false_alarm < 1 or horizon < 1:
            raise ValueError(f"false_alarm must be in (0, 1) and horizon >= 1, got {false_alarm:g} and {horizon}")
        self._rules, self._stop_on = tuple(rules), frozenset(stop_on)
        self._false_alarm, self._horizon = false_alarm / len(names), horizon
        self._evidence = {rule.name: EventEvidence(usual=rule.usual, hacked=rule.hacked) for rule in rules}
        self._num_episodes = 0
        if state is not None:
            self.restore(state)

    @property
    def stop_on(self) -> frozenset[str]:
        """Names of rules whose alarm stops the run."""
        return self._stop_on

    @property
    def shares(self) -> dict[str, float]:
        """How far each rule is on its way to an alarm: log R of log(horizon · rules / false_alarm), at least 0."""
        enough = math.log(self._horizon) - math.log(self._false_alarm)
        return {name: max(0.0, each.log_evidence) / enough for name, each in self._evidence.items()}

    @property
    def evidence(self) -> Mapping[str, EventEvidence]:
        """What each rule has gathered, by its name; for logs."""
        return dict(self._evidence)

    @property
    def state(self) -> dict[str, Any]:
        """Everything gathered, as plain data."""
        gathered = {
            name: [each.log_evidence, each.observed, each.events]
            for name, each in self._evidence.items()
            if each.observed
        }
        return {"num_episodes": self._num_episodes, "evidence": gathered}

    def after(self, episode: SeenEpisode) -> tuple[HackingAlarm, ...]:
        """Take one more episode and give the alarms that it raises.

        Raises:
            RewardHackingError: A rule of `stop_on` raises an alarm; everything is counted first, so that a run may go
                on after it.
        """
        self._num_episodes += 1
        alarms = [alarm for rule in self._rules if (alarm := self._asked(rule, episode)) is not None]
        for alarm in alarms:
            if alarm.rule in self._stop_on:
                raise RewardHackingError(alarm, alarms=alarms)
        return tuple(alarms)

    def _asked(self, rule: HackingRule, episode: SeenEpisode) -> HackingAlarm | None:
        finding = rule.judge(episode)
        if finding is None:
            return None
        gathered = self._evidence[rule.name].after(finding.suspicious)
        if not gathered.enough(false_alarm=self._false_alarm, horizon=self._horizon):
            self._evidence[rule.name] = gathered
            return None
        self._evidence[rule.name] = gathered.emptied()
        return HackingAlarm(
            rule=rule.name,
            episode=self._num_episodes,
            message=f"{rule.name}: {gathered.events} of {gathered.observed} judged episodes are suspicious, now more "
            f"often than the {rule.usual:.0%} that honest learning may show; in the last one: {finding.evidence}",
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            ValueError: A rule that is not watched.
        """
        self._num_episodes = int(state["num_episodes"])
        for name, (log_evidence, observed, events) in state["evidence"].items():
            if name not in self._evidence:
                raise ValueError(f"the state holds rule '{name}', watched are {sorted(self._evidence)}")
            known = self._evidence[name]
            self._evidence[name] = EventEvidence(
                usual=known.usual, hacked=known.hacked, log_evidence=log_evidence, observed=observed, events=events
            )
