"""What a calibration saw and missed, as pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.hand_eye import HandEye
from robo_reward.calibration.intrinsics_fit import GRID, IntrinsicsFit
from robo_reward.calibration.rig_fit import RigFit
from robo_reward.durable import atomic_file

_BLUE, _RED, _GREY = "#3987c9", "#d5641c", "#7d8590"
_DPI = 80


def intrinsics_picture(fit: IntrinsicsFit, path: str | Path) -> None:
    """Draw where corners were seen, by how much they were missed, and the error of each view.

    Raises:
        OutputError: The file cannot be written.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.4, 1, 1.2))
    _draw_coverage(left, fit.views, fit.residuals)
    _draw_residuals(middle, fit.residuals)
    colours = [_RED if view.picture in fit.outliers else _BLUE for view in fit.views]
    right.bar(range(len(fit.views)), fit.view_error, color=colours)
    right.axhline(fit.held_out_px, color=_GREY, linestyle="--", label=f"held out {fit.held_out_px:.2f} px")
    right.set(xlabel="view", ylabel="error [px]", title=f"outliers (red): {len(fit.outliers)}")
    right.legend(frameon=False, fontsize=8)
    _save(figure, path)


def rig_picture(fit: RigFit, path: str | Path) -> None:
    """Draw for each camera where corners were seen and by how much they were missed, and the cameras from above.

    Raises:
        OutputError: The file cannot be written.
    """
    names = list(fit.T_base_camera)
    figure = Figure(figsize=(2.6 * len(names) + 3.6, 5.0), layout="constrained")
    grid = figure.add_gridspec(2, len(names) + 1, width_ratios=[1.0] * len(names) + [1.4])
    for column, name in enumerate(names):
        mine = [(v.corners, r) for v, r in zip(fit.views, fit.residuals, strict=True) if v.camera == name]
        views, residuals = [each for each, _ in mine], [each for _, each in mine]
        top, bottom = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        _draw_coverage(top, views, residuals)
        top.set_title(name, fontsize=9)
        _draw_residuals(bottom, residuals)
    _draw_places(figure.add_subplot(grid[:, -1], projection="3d"), fit)
    _save(figure, path)


def hand_eye_picture(
    found: HandEye, views: Sequence[Corners], residuals: Sequence[np.ndarray], path: str | Path
) -> None:
    """Draw where corners were seen and missed, and how far each solver's answer lies from the others' middle.

    Raises:
        OutputError: The file cannot be written.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    if views:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.4, 1, 1.2))
        _draw_coverage(left, views, residuals)
        _draw_residuals(middle, residuals)
    else:
        right = figure.subplots()
    given = [each for each in found.answers if each.T_hand_camera is not None]
    colours = [_GREY if not each.votes else _BLUE if each.agrees else _RED for each in given]
    right.barh([each.solver for each in given], [max(1e3 * each.distance, 1e-3) for each in given], color=colours)
    right.set(xlabel="from the solvers' middle [mm]", xscale="log", title="blue: agrees, grey: does not vote")
    _save(figure, path)


def _draw_coverage(axes: Axes, views: Sequence[Corners], residuals: Sequence[Float64[np.ndarray, "_n 2"]]) -> None:
    width, height = views[0].image_size
    pixels, missed = np.concatenate([view.pixels for view in views]), np.linalg.norm(np.concatenate(residuals), axis=1)
    limit = max(float(np.percentile(missed, 95)), 1e-6)
    drawn = axes.scatter(*pixels.T, c=missed, s=4, vmin=0, vmax=limit, cmap="viridis", linewidths=0)
    axes.figure.colorbar(drawn, ax=axes, label="error [px]", shrink=0.8)  # pyright: ignore[reportAttributeAccessIssue]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    axes.set_xticks(np.linspace(-0.5, width - 0.5, GRID[0] + 1), labels=[])
    axes.set_yticks(np.linspace(-0.5, height - 0.5, GRID[1] + 1), labels=[])
    axes.grid(color=_GREY, alpha=0.3, linewidth=0.5)
    axes.set_title(f"{len(pixels)} corners in {len(views)} views", fontsize=9)


def _draw_residuals(axes: Axes, residuals: Sequence[Float64[np.ndarray, "_n 2"]]) -> None:
    missed = np.concatenate(residuals)
    limit = max(float(np.percentile(np.abs(missed), 99)), 1e-6)
    axes.scatter(*missed.T, s=3, color=_BLUE, alpha=0.4, linewidths=0)
    rms = float(np.sqrt((missed**2).sum(axis=1).mean()))
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="u [px]", ylabel="v [px]")
    axes.set_title(f"seen − projected, rms {rms:.2f} px", fontsize=9)
    axes.locator_params(nbins=5)
    axes.axhline(0, color=_GREY, linewidth=0.5)
    axes.axvline(0, color=_GREY, linewidth=0.5)


def _draw_places(axes: Axes, fit: RigFit) -> None:
    boards: Mapping[str, np.ndarray] = {at: pose.translation for at, pose in fit.T_base_board.items()}
    axes.plot(*np.array(list(boards.values())).T, ".", color=_GREY, markersize=3)
    for name, pose in fit.T_base_camera.items():
        ahead = pose.apply(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.15]]))
        axes.plot(*ahead.T, color=_BLUE)
        axes.plot(*ahead[:1].T, "o", color=_BLUE, markersize=5)
        axes.text(*ahead[0], f" {name}", fontsize=8)  # pyright: ignore[reportCallIssue, reportArgumentType]
    axes.set_aspect("equal")
    axes.set_title("cameras, boards (grey) [m]", fontsize=9)
    axes.tick_params(labelsize=6)


def _save(figure: Figure, path: str | Path) -> None:
    with atomic_file(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)
