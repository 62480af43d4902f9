"""How a training goes on, on standard error: a bar where somebody watches, a line for every evaluation."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from robo_reward.rl.hacking_monitor import HackingAlarm


class TrainingProgress:
    """Counts environment steps.

    Args:
        total: At which the training ends.
    """

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True, soft_wrap=True)
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("training", total=total)

    def at(self, steps: int) -> None:
        """Show how many steps were taken."""
        self._progress.update(self._task, completed=steps)

    def told(self, line: Mapping[str, Any]) -> None:
        """Print the figures of an evaluation."""
        shown = [f"step {line['step']}"]
        for name, key in (
            ("success", "evaluation/success_rate"),
            ("return", "evaluation/mean_return"),
            ("success while learning", "episodes/success_rate"),
            ("shaping", "episodes/shaping_return"),
        ):
            value = line.get(key)
            if value is not None and not math.isnan(value):
                shown.append(f"{name} {value:.0%}" if "success" in name else f"{name} {value:.2f}")
        shown.append(f"{line['time/steps_per_second']:.0f} steps/s, {line['time/seconds']:.0f} s")
        self._progress.console.print(", ".join(shown), markup=False, highlight=False)

    def warned(self, alarm: HackingAlarm) -> None:
        """Print a sign of reward hacking, whoever watches."""
        self._progress.console.print(
            f"warning: {alarm.message} (alarms.jsonl)", markup=False, highlight=False, style="bold yellow"
        )

    def stopped(self, output: Path) -> None:
        """Say what there is to look at when the monitor has stopped the training."""
        film = output / "videos" / "stopped.mp4"
        seen = f", filmed in {film}" if film.exists() else ""
        self._progress.console.print(
            f"the policy that it came to: {output / 'stopped_policy.zip'}{seen}\n"
            f"all alarms: {output / 'alarms.jsonl'}\n"
            "the last checkpoint is whole: with monitor.stop_on=[] the same command goes on from it",
            markup=False,
            highlight=False,
        )

    def __enter__(self) -> "TrainingProgress":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()
