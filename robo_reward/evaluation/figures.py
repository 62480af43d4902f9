"""Figures over all episodes of a data set, as SVG that takes its ink from the page."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from robo_reward.evaluation.episode_evaluation import EpisodeEvaluation
from robo_reward.evaluation.evaluation import Evaluation
from robo_reward.evaluation.spread_calibration import linear_progress, spread_coverage

_INK = "#010203"
"""Stands for the page's text colour until the SVG is written."""
_SUCCESS, _FAILURE, _UNKNOWN = "#0a9f79", "#d5641c", "#7d8590"
_TASK_COLOURS = ("#3987c9", "#d5641c", "#0a9f79", "#b65fa8", "#b58900", "#7d8590")
_STYLE: dict[Any, Any] = {
    "text.color": _INK, "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none", "svg.hashsalt": "robo_reward",
    "font.family": "sans-serif", "font.size": 10, "axes.linewidth": 0.8,
}  # fmt: skip
LEVELS = (0.1, 0.25, 0.5, 0.683, 0.8, 0.9, 0.95)
"""Probabilities at which coverage is looked at."""


def final_progress_figure(evaluation: Evaluation) -> str:
    """Draw the final progress of every counted episode, successes (●) above failures (✕), task by task."""
    names = [task.name for task in evaluation.tasks]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 0.9 + 0.62 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        for row, name in enumerate(names):
            _draw_task(axes, row, [e for e in evaluation.episodes if e.task == name and not e.fitted])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5), xlabel="final progress", yticks=range(len(names)))
        axes.set_yticklabels(names)
        axes.grid(axis="x", color=_INK, alpha=0.15, linewidth=0.6)
        return _svg(figure, "Final progress of successes and failures")


def calibration_figure(evaluation: Evaluation) -> str | None:
    """Draw how often the truth lies in the stated interval against how often it should; None without successes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.4, 4.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=_INK, linestyle=":", linewidth=1, label="ideal")
        drawn = [
            _draw_coverage(axes, task.name, colour, [e for e in evaluation.episodes if e.task == task.name])
            for task, colour in zip(evaluation.tasks, _TASK_COLOURS * len(evaluation.tasks), strict=False)
        ]
        if not any(drawn):
            return None
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="stated probability", ylabel="fraction of frames inside")
        axes.grid(color=_INK, alpha=0.15, linewidth=0.6)
        figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
        return _svg(figure, "Calibration of spread")


def _draw_task(axes: Axes, row: int, episodes: Sequence[EpisodeEvaluation]) -> None:
    lanes = ((True, -0.16, _SUCCESS, "o"), (False, 0.16, _FAILURE, "x"), (None, 0.0, _UNKNOWN, "D"))
    for succeeded, offset, colour, marker in lanes:
        ends = np.array([e.final_progress for e in episodes if e.recording.succeeded is succeeded])
        # a fixed ripple instead of random jitter: the same episodes give the same picture
        lift = offset + 0.07 * np.sin(2.4 * np.arange(len(ends)))
        axes.scatter(ends, row + lift, s=20, c=colour, marker=marker, linewidths=1.2, alpha=0.8)


def _draw_coverage(axes: Axes, name: str, colour: str, episodes: Sequence[EpisodeEvaluation]) -> bool:
    counted = [(e.recording, e.recording.success) for e in episodes if not e.fitted and e.recording.succeeded]
    if not counted:
        return False
    progress = torch.cat([recording.progress for recording, _ in counted]).double()
    spread = torch.cat([recording.spread for recording, _ in counted]).double()
    truth = torch.cat([linear_progress(success) for _, success in counted if success is not None])
    inside = [spread_coverage(progress, spread, truth=truth, width=float(stats.norm.ppf((1 + p) / 2))) for p in LEVELS]
    axes.plot(LEVELS, inside, color=colour, marker="o", markersize=3.5, linewidth=1.4, label=name)
    return True


def _svg(figure: Figure, title: str) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Title": title})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)  # the page gives the size, the view box the shape
    referred = set(re.findall(r"#([\w-]+)", svg))
    return re.sub(r'\sid="([\w.-]+)"', lambda found: found[0] if found[1] in referred else "", svg)
