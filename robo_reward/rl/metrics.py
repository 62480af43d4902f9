"""The figures of a training: one JSON line a segment, and the same in TensorBoard."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.tensorboard.writer import SummaryWriter

from robo_reward.durable import atomic_file

MetricsLine = dict[str, Any]
"""Name to number; None where it is not known."""


class Metrics:
    """Keeps the lines of a training; those of a segment that was killed are not among them.

    Args:
        output: Folder of `metrics.jsonl` and `tensorboard/`.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._lines: list[MetricsLine] = []
        self._writer: SummaryWriter | None = None

    @property
    def lines(self) -> list[MetricsLine]:
        """One a segment, oldest first."""
        return list(self._lines)

    @property
    def num_lines(self) -> int:
        """Segments so far."""
        return len(self._lines)

    def restore(self, lines: Sequence[MetricsLine]) -> None:
        """Go on after these lines; later ones, of a process that was killed, are taken out of TensorBoard, too."""
        self._lines = list(lines)
        self._write()

    def add(self, line: MetricsLine) -> None:
        """Add the line of a segment.

        Raises:
            OutputError: It cannot be written.
        """
        known = {name: _plain(value) for name, value in line.items()}
        self._lines.append(known)
        self._write()
        if self._writer is None:
            self._writer = SummaryWriter(str(self._output / "tensorboard"), purge_step=known["step"])
        for name, value in known.items():
            if value is not None and name not in ("step", "segment"):
                self._writer.add_scalar(name, value, known["step"])
        self._writer.flush()

    def best(self, name: str, *, then: str) -> MetricsLine:
        """Give the latest line with the highest figure, among equals by another figure; empty where none is known."""
        known = [line for line in self._lines if line.get(name) is not None]
        return max(known, key=lambda line: (line[name], line[then], line["step"]), default={})

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        with atomic_file(self._output / "metrics.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in self._lines))


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
