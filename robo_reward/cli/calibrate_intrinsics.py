"""`robo-reward calibrate intrinsics`: one camera's lens."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from rich.console import Console

from robo_reward.calibration.boards import Board
from robo_reward.calibration.camera_file import write_camera
from robo_reward.calibration.chosen_views import choose_spread
from robo_reward.calibration.intrinsics_fit import IntrinsicsSettings, fit_intrinsics
from robo_reward.calibration.report_pictures import intrinsics_picture
from robo_reward.calibration.report_tables import intrinsics_table
from robo_reward.camera.rig import Measurement
from robo_reward.cli.calibrate_outputs import free_outputs
from robo_reward.cli.calibrate_pictures import views_with_bar


def calibrate_intrinsics(
    *,
    board: Board,
    pictures: str | int,
    name: str,
    views: int,
    reading: Mapping[str, Any],
    detection: Mapping[str, Any],
    fit: Mapping[str, Any],
    output: str,
) -> None:
    """Fit, tell, and write the camera's YAML and a picture of coverage and residuals.

    Raises:
        ValueError: Fewer views are wanted than are needed.
        OutputError: The output, or the picture beside it, exists.
        CalibrationError: The pictures do not tell enough.
    """
    (file, picture), settings = free_outputs(output), IntrinsicsSettings(**fit)
    if views < settings.min_views:
        raise ValueError(
            f"views must be >= fit.min_views, {settings.min_views}, got {views}: of all pictures with the board so "
            "many are fitted, 20 to 40 are good"
        )
    seen = views_with_bar(pictures, board, reading=reading, detection=detection, name=name)
    chosen = [seen.views[index] for index in choose_spread(seen.views, board, number=views)]
    found = fit_intrinsics(chosen, settings)
    how = f"{len(chosen)} views of a {type(board).__name__}; the residual is of held-out corners"
    measured = Measurement(date=date.today().isoformat(), how=how, residual_px=found.held_out_px)
    intrinsics_picture(found, picture)
    write_camera(found.intrinsics, file, name=name, measured=measured)
    console = Console(stderr=True, soft_wrap=True)
    console.print(intrinsics_table(found))
    console.print(f"wrote {file} and {picture}", markup=False)
