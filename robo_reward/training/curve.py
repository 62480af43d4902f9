"""How a fit went, as a picture."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from robo_reward.perception.fitting import FitProgress


def draw_curves(curves: Mapping[str, Sequence[FitProgress]], path: Path) -> None:
    """Draw training and held-out error of each task's fit over its epochs as a PNG."""
    figure = Figure(figsize=(6, 2.4 * len(curves)), layout="constrained")
    axes = figure.subplots(len(curves), 1, squeeze=False)[:, 0]
    for axis, (instruction, curve) in zip(axes, curves.items(), strict=True):
        epochs = [each.epoch for each in curve]
        axis.plot(epochs, [each.training_error for each in curve], color="tab:grey", label="training loss")
        held = [(each.epoch, each.held_out_error) for each in curve if not math.isnan(each.held_out_error)]
        right = axis.twinx()
        right.plot([epoch for epoch, _ in held], [error for _, error in held], color="tab:blue")
        right.set_ylabel("held-out error", color="tab:blue")
        axis.set_title(instruction, fontsize="small")
        axis.set_ylabel("training loss", color="tab:grey")
        axis.set_xlabel("epoch")
    figure.savefig(path, dpi=100, metadata={"Software": None})
