import re

import numpy as np
import pytest
from board_scenes import BOARD, rig_of, rig_views
from PIL import Image
from rich.console import Console
from test_hand_eye import motion, seen_boards
from test_intrinsics_fit import views_of

from robo_reward.calibration.hand_eye import HandEyeSettings, eye_in_hand
from robo_reward.calibration.intrinsics_fit import IntrinsicsSettings, fit_intrinsics
from robo_reward.calibration.report_pictures import hand_eye_picture, intrinsics_picture, rig_picture
from robo_reward.calibration.report_tables import hand_eye_table, intrinsics_table, rig_table, verdict_table
from robo_reward.calibration.rig_fit import RigSettings, fit_rig
from robo_reward.calibration.verify import VerifySettings, verify_rig
from robo_reward.errors import OutputError


def text_of(table) -> str:
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(table)
    return console.export_text()


@pytest.fixture(scope="module")
def rig_and_fit():
    rig = rig_of(2)
    views = rig_views(rig, np.random.default_rng(0), moments=10, noise=0.2)
    lenses = {name: each.intrinsics for name, each in rig.cameras.items()}
    return rig, fit_rig(views, lenses, BOARD, RigSettings()), views


def size_of(path) -> tuple[int, int]:
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(maxcolors=1 << 20)
        assert len(colours) > 20, "the picture is empty"
        return picture.size


def test_intrinsics_are_told_with_their_deviations_and_drawn(tmp_path):
    fit = fit_intrinsics(views_of(12, np.random.default_rng(1), noise=0.2), IntrinsicsSettings())
    told = text_of(intrinsics_table(fit))
    assert f"{fit.intrinsics.focal_x:.2f}" in told
    assert f"{fit.std['focal_x']:.2g}" in told
    assert f"{fit.held_out_px:.3f} px" in told
    assert "none" in told
    intrinsics_picture(fit, tmp_path / "report.png")
    assert size_of(tmp_path / "report.png")[0] > 600


def test_a_rig_is_told_camera_by_camera_and_drawn(rig_and_fit, tmp_path):
    _, fit, _ = rig_and_fit
    told = text_of(rig_table(fit))
    assert f"rig, deviations relative to {fit.reference}" in told
    assert "reference" in told
    assert f"held out {fit.held_out_px:.3f} px" in told
    assert all(name in told for name in fit.T_base_camera)
    rig_picture(fit, tmp_path / "report.png")
    assert size_of(tmp_path / "report.png")[0] > 600


def test_solvers_are_told_with_their_verdicts_and_drawn(tmp_path):
    rng = np.random.default_rng(2)
    hand = motion(rng, 20)
    found = eye_in_hand(hand, seen_boards(hand, rng, noise=0.002), HandEyeSettings())
    told = text_of(hand_eye_table(found))
    assert all(solver in told for solver in ("TSAI", "PARK", "HORAUD", "ANDREFF", "DANIILIDIS", "SHAH", "LI"))
    assert "does not vote" in told
    assert f"{1e3 * found.std.translation:.2f} mm" in told
    hand_eye_picture(found, (), (), tmp_path / "report.png")
    assert size_of(tmp_path / "report.png")[0] > 600


def test_a_verdict_is_told_camera_by_camera(rig_and_fit):
    rig, _, views = rig_and_fit
    told = text_of(verdict_table(verify_rig(rig, views[:4], VerifySettings()), 0.99))
    assert "in place: χ²" in told
    assert told.count("in place") == 3
    assert re.search(r"caught with 99% .* a move of .* [\d.]+ mm .* [\d.]+°", told)
    strict = verify_rig(rig, views[:4], VerifySettings(max_distance=1e-4))
    assert "NOT KNOWN: χ²" in text_of(verdict_table(strict, 0.99))


def test_a_report_that_cannot_be_written_leaves_nothing(rig_and_fit, tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        rig_picture(rig_and_fit[1], tmp_path / "folder" / "report.png")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
