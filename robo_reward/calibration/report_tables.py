"""What a calibration found, as tables for the terminal."""

import math

import numpy as np
from rich.table import Table

from robo_reward.calibration.hand_eye import HandEye
from robo_reward.calibration.intrinsics_fit import IntrinsicsFit
from robo_reward.calibration.rig_fit import RigFit
from robo_reward.calibration.verify import RigVerdict


def intrinsics_table(fit: IntrinsicsFit) -> Table:
    """Give the parameters with their standard deviations, and the errors."""
    table = Table("quantity", "value", "± 1 std", title="intrinsics")
    lens = fit.intrinsics
    values = {
        "focal_x": lens.focal_x, "focal_y": lens.focal_y, "centre_x": lens.centre_x, "centre_y": lens.centre_y,
        **dict(zip(("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), lens.distortion.tolist(), strict=False)),
    }  # fmt: skip
    for name, value in values.items():
        std = fit.std[name]
        table.add_row(name, f"{value:.5g}" if abs(value) < 10 else f"{value:.2f}", f"{std:.2g}" if std else "fixed")
    table.add_row("error of fitted corners", f"{fit.rms_px:.3f} px", "")
    table.add_row("error of held-out corners", f"{fit.held_out_px:.3f} px", "")
    table.add_row("picture covered", f"{fit.coverage_share:.0%}", "")
    table.add_row("difference of tilts", f"{fit.tilt:.0f}°", "")
    table.add_row("views, outliers", f"{len(fit.views)}", ", ".join(fit.outliers) or "none")
    return table


def hand_eye_table(found: HandEye) -> Table:
    """Give what each solver says, and what was made of it."""
    table = Table("solver", "from the middle", "turned", "verdict", title="hand-eye")
    for each in found.answers:
        verdict = "agrees" if each.agrees else "left out"
        told = ("no rigid motion", "") if each.T_hand_camera is None else _apart(each.distance, each.angle)
        table.add_row(each.solver, *told, verdict if each.votes else f"{verdict} (does not vote)")
    table.add_section()
    table.add_row("solvers that agree, widest apart", *_apart(*found.disagreement), "")
    table.add_row("refined, ± 1 std", *_apart(found.std.translation, found.std.rotation), "")
    table.add_row("held-out error of the board", *_apart(found.held_out.distance, found.held_out.angle), "")
    return table


def rig_table(fit: RigFit) -> Table:
    """Give each camera's views, error and uncertainty."""
    table = Table("camera", "views", "error", "± 1 std", "turned", title=f"rig, deviations relative to {fit.reference}")
    for name, error in fit.camera_error.items():
        std = fit.camera_std[name]
        told = ("reference", "") if std.translation == 0 else _apart(std.translation, std.rotation)
        table.add_row(name, str(sum(view.camera == name for view in fit.views)), f"{error:.3f} px", *told)
    table.add_section()
    table.add_row("all", str(len(fit.views)), f"{fit.rms_px:.3f} px", f"held out {fit.held_out_px:.3f} px", "")
    if fit.outliers:
        table.add_row(
            "left out", str(len(fit.outliers)), "", ", ".join(fit.outliers[:3]), "…" if fit.outliers[3:] else ""
        )
    return table


def verdict_table(verdict: RigVerdict, caught: float) -> Table:
    """Give what became of each camera, and which move would have been caught with the probability `caught`."""
    told = "MOVED" if verdict.moved else "in place" if verdict.in_place else "NOT KNOWN"
    title = f"{told}: χ² {verdict.statistic:.1f}, alarm above {verdict.threshold:.1f}"
    table = Table("camera", "standing", "away", "turned", title=f"{title} (p = {verdict.p_value:.2g})")
    for name, each in verdict.cameras.items():
        table.add_row(name, each.standing, *_apart(each.distance, each.angle))
    table.add_section()
    smallest = verdict.smallest
    table.add_row(f"caught with {caught:.0%}", "a move of", *_apart(smallest.distance, smallest.angle))
    return table


def _apart(distance: float, angle: float) -> tuple[str, str]:
    if math.isnan(distance):
        return "?", "?"
    return f"{1e3 * distance:.2f} mm", f"{np.degrees(angle):.3f}°"
