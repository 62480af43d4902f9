"""Success over environment steps, drawn with its confidence bands."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from robo_reward.durable import atomic_file
from robo_reward.study.statistics import LEVEL, ConditionFigures

_COLOURS = ("#3987c9", "#d5641c", "#0a9f79", "#b65fa8", "#b58900", "#7d8590", "#c03a4b", "#5b5bd6")
MOST_CONDITIONS = len(_COLOURS)
"""That can be told apart in one plot."""
_STYLE: dict[Any, Any] = {
    "axes.spines.top": False, "axes.spines.right": False, "font.size": 9, "axes.linewidth": 0.8,
    "legend.frameon": False, "legend.fontsize": 8,
}  # fmt: skip


def draw_curves(path: Path, panels: Mapping[str, Mapping[str, ConditionFigures]], *, columns: int = 3) -> Path:
    """Draw a panel a task: interquartile mean of success over steps, and its 95 % interval, a colour a condition.

    Args:
        path: Of the PNG.
        panels: Title to label to figures; the same label has the same colour everywhere.
        columns: Panels beside each other.

    Raises:
        ValueError: No panel.
        OutputError: It cannot be written.
    """
    if not panels:
        raise ValueError("there is nothing to draw")
    labels = list(dict.fromkeys(label for conditions in panels.values() for label in conditions))
    colours = {label: _COLOURS[place % len(_COLOURS)] for place, label in enumerate(labels)}
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.4 * columns, 2.3 * rows + 0.5), layout="constrained", dpi=110)
        every: Sequence[Axes] = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
        for axes, (title, conditions) in zip(every, panels.items(), strict=False):
            _draw(axes, title, conditions, colours)
        for axes in every[len(panels) :]:
            axes.set_axis_off()
        handles = [Line2D([], [], color=colours[label], linewidth=2) for label in labels]
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
        with atomic_file(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})
    return path


def _draw(axes: Axes, title: str, conditions: Mapping[str, ConditionFigures], colours: Mapping[str, str]) -> None:
    for label, figures in conditions.items():
        # before the first evaluation a policy is untrained: nobody judged it, and nothing is drawn
        axes.plot(figures.steps, figures.success, color=colours[label], linewidth=1.6)
        axes.fill_between(figures.steps, figures.low, figures.high, color=colours[label], alpha=0.15, linewidth=0)
    axes.axhline(LEVEL, color="#7d8590", linewidth=0.8, linestyle=":")
    axes.set(title=title, ylim=(-0.03, 1.03), xlabel="environment steps", xlim=(0, None))
    axes.set_yticks([0, 0.5, 0.8, 1.0], ["0", "50 %", "80 %", "100 %"])
