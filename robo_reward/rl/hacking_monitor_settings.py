"""Which signs of reward hacking a training is watched for: settings, and the monitor made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from robo_reward.fusion.camera_health import CameraWatch
from robo_reward.fusion.conformal import episodes_needed
from robo_reward.rl.demonstrations import Demonstrations
from robo_reward.rl.hacking_monitor import HackingMonitor
from robo_reward.rl.hacking_monitor_familiar import FamiliarFrames
from robo_reward.rl.hacking_monitor_rules import (
    ClaimsWithoutSuccess,
    HackingRule,
    OccludedCamera,
    PaidToLoiter,
    StrangeFrames,
)
from robo_reward.shaping import Potential

RULES = (ClaimsWithoutSuccess.name, PaidToLoiter.name, OccludedCamera.name, StrangeFrames.name)
_COVERAGE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class HackingMonitorSettings:
    """What is watched for, in terms of progress, so that the potential's scale may change.

    Raises:
        ValueError: An unknown rule, a progress outside [0, 1].
    """

    rules: Sequence[str] | None = None
    """Names of rules; None = all for which there is something to judge by: the rules of pictures need a model that
    looks through an encoder, `strange_frames` also demonstrations."""
    stop_on: Sequence[str] = ()
    """Those whose alarm stops the training; the others warn."""
    goal_progress: float = 0.9
    """Progress from which the task looks done."""
    high_progress: float = 0.5
    """Progress from which a frame is worth exploiting."""
    false_alarm: float = 0.01
    """Probability of a false alarm over the whole horizon, all rules together, in (0, 1)."""
    horizon: int = 10_000
    """Episodes that the promise covers."""

    def __post_init__(self) -> None:
        unknown = sorted({*(self.rules or ()), *self.stop_on} - set(RULES))
        if unknown:
            raise ValueError(f"unknown rules {unknown} in monitor; there are {', '.join(RULES)}")
        if not (0 <= self.goal_progress <= 1 and 0 <= self.high_progress <= 1):
            raise ValueError(
                f"goal_progress and high_progress must be in [0, 1], got {self.goal_progress:g} and "
                f"{self.high_progress:g}"
            )

    @property
    def wants_demonstrations(self) -> bool:
        """True where demonstrations are of use."""
        return self.rules is None or StrangeFrames.name in self.rules

    def monitor(
        self,
        potential: Potential,
        *,
        embeds: bool,
        watch: CameraWatch | None = None,
        demonstrations: Demonstrations | None = None,
    ) -> HackingMonitor:
        """Make the monitor of a training.

        Args:
            potential: From progress to Φ.
            embeds: Whether the reward model looks through an encoder.
            watch: Fitted to good recordings of the cameras; None = covered cameras are not noticed.
            demonstrations: Through the same encoder; None = there are none.

        Raises:
            ValueError: A rule that is named and has nothing to judge by, or one of `stop_on` that is not watched.
        """
        makers: dict[str, Callable[[], HackingRule]] = {
            ClaimsWithoutSuccess.name: lambda: ClaimsWithoutSuccess(goal_potential=_at(potential, self.goal_progress)),
            PaidToLoiter.name: lambda: PaidToLoiter(goal_potential=_at(potential, 1.0)),
        }
        if embeds:
            makers[OccludedCamera.name] = lambda: OccludedCamera(watch=watch)
        if embeds and demonstrations is not None and _enough(demonstrations, named=self.rules is not None):
            makers[StrangeFrames.name] = lambda: StrangeFrames(
                familiar=FamiliarFrames.fitted_to(demonstrations.embeddings, coverage=_COVERAGE),
                cameras=demonstrations.cameras,
                high_potential=_at(potential, self.high_progress),
            )
        for name in self.rules or ():
            if name not in makers:
                needed = "a reward model that looks through an encoder" if not embeds else "demonstrations of the task"
                raise ValueError(f"monitor.rules: {name} needs {needed}; leave it out")
        chosen = tuple(makers) if self.rules is None else tuple(self.rules)
        return HackingMonitor(
            [makers[name]() for name in chosen],
            stop_on=self.stop_on,
            false_alarm=self.false_alarm,
            horizon=self.horizon,
        )


def _at(potential: Potential, progress: float) -> float:
    return float(potential(torch.tensor([progress]))[0])


def _enough(demonstrations: Demonstrations, *, named: bool) -> bool:
    """Say whether a limit can be had of them; where the rule was named, too few are an error further on."""
    return named or len(demonstrations.embeddings) >= max(2, episodes_needed(_COVERAGE))
