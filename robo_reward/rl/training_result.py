"""What a training tells of itself: as it goes on, and at its end."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robo_reward.rl.hacking_monitor import HackingAlarm
from robo_reward.rl.metrics import MetricsLine
from robo_reward.rl.policy_evaluation import FilmedEpisode


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TrainingResult:
    """What a training came to."""

    steps: int
    success_rate: float
    """Of the last evaluation; NaN where there was none."""
    best_success_rate: float
    stopped_early: bool
    policy: Path
    """Of the last segment, as Stable-Baselines3 saves it."""
    best_policy: Path


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TrainingListener:
    """Who is told how it goes on; none of it changes the result."""

    on_steps: Callable[[int], None] = lambda _: None
    """Environment steps so far."""
    on_metrics: Callable[[MetricsLine], None] = lambda _: None
    """The line of a segment."""
    on_film: Callable[[Path, FilmedEpisode], None] | None = None
    """Takes the path of a video, and what it shows; None = no videos."""
    on_alarm: Callable[[HackingAlarm], None] = lambda _: None
    """A sign that the learner exploits its reward."""
