"""The alarms of a training, kept in a file: those of a segment that was killed are not among them when it goes on."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from robo_reward.durable import atomic_file
from robo_reward.rl.hacking_monitor import HackingAlarm


class AlarmLog:
    """Keeps alarms in `alarms.jsonl`, one line each; there is no file before the first one.

    Args:
        output: Folder of the training.
    """

    def __init__(self, output: Path) -> None:
        self._path = output / "alarms.jsonl"
        self._lines: list[dict[str, Any]] = []

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Alarms as plain data, oldest first."""
        return list(self._lines)

    def restore(self, lines: Sequence[dict[str, Any]]) -> None:
        """Go on after these alarms; later ones in the file, of a process that was killed, are taken out."""
        self._lines = list(lines)
        if self._lines or self._path.exists():
            self._write()

    def add(self, alarm: HackingAlarm, *, step: int, stops: bool) -> None:
        """Add an alarm.

        Args:
            alarm: What was found.
            step: Environment steps so far.
            stops: Whether the training stops at it.

        Raises:
            OutputError: It cannot be written.
        """
        self._lines.append({"step": step, **asdict(alarm), "stops": stops})
        self._write()

    def since(self, step: int) -> int:
        """Count the alarms after so many environment steps."""
        return sum(line["step"] > step for line in self._lines)

    def _write(self) -> None:
        with atomic_file(self._path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in self._lines))
