"""`robo-reward calibrate rig`: where several fixed cameras stand."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from robo_reward.calibration.boards import Board
from robo_reward.calibration.camera_file import read_camera
from robo_reward.calibration.chosen_views import BoardViews
from robo_reward.calibration.moments import moments_by_name, moments_by_stamp, read_frame_stamps
from robo_reward.calibration.report_pictures import rig_picture
from robo_reward.calibration.report_tables import rig_table
from robo_reward.calibration.rig_adjustment import RigView
from robo_reward.calibration.rig_fit import RigFit, RigSettings, fit_rig
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.rig import Measurement, Rig, RigCamera
from robo_reward.camera.rig_file import read_rig, write_rig
from robo_reward.cli.calibrate_hand_eye import ON_THE_HAND
from robo_reward.cli.calibrate_outputs import free_outputs
from robo_reward.cli.calibrate_pictures import views_with_bar

_BOARD = "board:"


def calibrate_rig(
    *,
    board: Board,
    pictures: Mapping[str, str | int],
    cameras: Mapping[str, str],
    pair: str,
    tolerance: float,
    stamps: str | None,
    base: str | None,
    base_frame: str | None,
    reading: Mapping[str, Any],
    detection: Mapping[str, Any],
    fit: Mapping[str, Any],
    output: str,
) -> None:
    """Fit, tell, and write the rig's YAML and a picture of coverage and residuals of every camera.

    Raises:
        ValueError: Cameras and pictures of different names, an unknown pairing, or a base that moves with the hand.
        OutputError: The output, or the picture beside it, exists.
        CalibrationError: The pictures do not tell enough.
    """
    (file, picture), settings = free_outputs(output), RigSettings(**fit)
    if set(pictures) != set(cameras):
        raise ValueError(f"pictures and cameras must name the same, got {sorted(pictures)} and {sorted(cameras)}")
    lenses = {name: read_camera(path, name=name) for name, path in cameras.items()}
    seen = {
        name: views_with_bar(where, board, reading=reading, detection=detection, name=name)
        for name, where in pictures.items()
    }
    found = fit_rig(_paired(seen, pair, tolerance, stamps), lenses, board, settings)
    found, frame = _based(found, base, base_frame)
    rig_picture(found, picture)
    write_rig(_rig(found, lenses, frame, board), file)
    console = Console(stderr=True, soft_wrap=True)
    console.print(rig_table(found))
    console.print(f"wrote {file} and {picture}; base frame: {frame}", markup=False)


def _paired(seen: Mapping[str, BoardViews], pair: str, tolerance: float, stamps: str | None) -> list[RigView]:
    if pair == "name":
        return moments_by_name(seen)
    if pair != "stamp":
        raise ValueError(f"pair must be name or stamp, got '{pair}'")
    if stamps is not None:
        clock = read_frame_stamps(stamps)
        seen = {name: clock.put_on(name, views) for name, views in seen.items()}
    return moments_by_stamp(seen, tolerance=tolerance)


def _based(fit: RigFit, base: str | None, base_frame: str | None) -> tuple[RigFit, str]:
    if base is None:
        return fit, base_frame or f"{fit.reference}_optical_frame"
    if base.startswith(_BOARD):
        return fit.based_on_board(base.removeprefix(_BOARD)), base_frame or "board"
    measured = read_rig(Path(base))
    if measured.measured.how.startswith((ON_THE_HAND, "eye_in_hand")):
        raise ValueError(
            f"{base} holds a camera that the hand carries: its frame '{measured.base_frame}' moves with the arm and is "
            "no base of cameras that stand still; give the file of a camera beside the arm (mounting=eye_to_hand), or "
            "base=board:MOMENT"
        )
    shared = [name for name in measured.cameras if name in fit.T_base_camera]
    if len(shared) != 1:
        raise ValueError(
            f"{base} must hold exactly one of the cameras {sorted(fit.T_base_camera)}, "
            f"it has {sorted(measured.cameras)}"
        )
    moved = fit.based_on_camera(shared[0], measured.cameras[shared[0]].T_base_camera)
    return moved, base_frame or measured.base_frame


def _rig(fit: RigFit, lenses: Mapping[str, Intrinsics], frame: str, board: Board) -> Rig:
    moments = len({view.moment for view in fit.views})
    how = (
        f"bundle adjustment of {len(fit.views)} views of a {type(board).__name__} at {moments} moments; "
        "the residual is of held-out moments"
    )
    residual = fit.held_out_px if np.isfinite(fit.held_out_px) else float("nan")
    return Rig(
        cameras={
            name: RigCamera(intrinsics=lenses[name], T_base_camera=pose) for name, pose in fit.T_base_camera.items()
        },
        base_frame=frame,
        measured=Measurement(date=date.today().isoformat(), how=how, residual_px=residual),
    )
