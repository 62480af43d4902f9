import math
import re

import numpy as np
import pytest
from looking_cameras import STRONG, around

from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import pose_difference
from robo_reward.camera.rig import NOT_MEASURED, Measurement, Rig, RigCamera
from robo_reward.camera.rig_file import read_rig, write_rig
from robo_reward.errors import DataSetError, OutputError

MEASURED = Measurement(date="2026-11-21", how="ChArUco 5 x 7, 42 images", residual_px=0.21)


def two_cameras(*, measured: Measurement = MEASURED) -> Rig:
    left, right = around(2, distortion=STRONG)
    return Rig(cameras={"left": left, "right": right}, base_frame="base_link", measured=measured)


def test_a_rig_that_was_written_is_read_back(tmp_path):
    rig = two_cameras()
    write_rig(rig, tmp_path / "rigs" / "arm.yaml")
    again = read_rig(tmp_path / "rigs" / "arm.yaml")
    assert (again.base_frame, again.measured) == (rig.base_frame, rig.measured)
    assert list(again.cameras) == ["left", "right"]
    for name, camera in rig.cameras.items():
        lens, other = camera.intrinsics, again.cameras[name].intrinsics
        assert np.array_equal(lens.matrix, other.matrix)
        assert np.array_equal(lens.distortion, other.distortion)
        assert (lens.width, lens.height) == (other.width, other.height)
        assert pose_difference(camera.T_base_camera, again.cameras[name].T_base_camera) == pytest.approx(
            (0, 0), abs=1e-7
        )


def test_the_file_states_units_frames_date_and_residual(tmp_path):
    write_rig(two_cameras(), tmp_path / "arm.yaml")
    text = (tmp_path / "arm.yaml").read_text()
    for line in (
        "units: {length: m, image: px}",
        "base_frame: base_link",
        "measured: {date: '2026-11-21', how: 'ChArUco 5 x 7, 42 images', residual_px: 0.21}",
        "      parent: base_link",
        "      child: left_optical_frame",
        "# Pixel (0, 0) is the centre of the top left pixel.",
    ):
        assert line in text


def test_a_new_rig_replaces_the_old_one_whole_and_leaves_nothing_else(tmp_path):
    write_rig(two_cameras(), tmp_path / "arm.yaml")
    other = Rig(cameras={"top": around(1)[0]}, base_frame="world", measured=MEASURED)
    write_rig(other, tmp_path / "arm.yaml")
    assert list(read_rig(tmp_path / "arm.yaml").cameras) == ["top"]
    assert [path.name for path in tmp_path.iterdir()] == ["arm.yaml"]


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/arm.yaml cannot be written: .*file"):
        write_rig(two_cameras(), tmp_path / "file" / "arm.yaml")


@pytest.mark.parametrize("text", ["nan", ".nan"])
def test_a_rig_that_nobody_measured_says_nan(tmp_path, text):
    path = tmp_path / "arm.yaml"
    write_rig(two_cameras(), path)
    path.write_text(re.sub(r"measured: \{.*\}", f"measured: {text}", path.read_text()))
    assert read_rig(path).measured is NOT_MEASURED
    write_rig(read_rig(path), path)
    assert read_rig(path).measured.how == "not measured"
    assert math.isnan(read_rig(path).measured.residual_px)


@pytest.mark.parametrize("text", ["nan", ".nan"])
def test_a_residual_that_nobody_knows_is_nan_and_a_date_without_quotes_is_a_date(tmp_path, text):
    path = tmp_path / "arm.yaml"
    write_rig(two_cameras(), path)
    path.write_text(
        re.sub(
            r"measured: \{.*\}", f"measured: {{date: 2025-01-31, how: by hand, residual_px: {text}}}", path.read_text()
        )
    )
    measured = read_rig(path).measured
    assert (measured.date, measured.how) == ("2025-01-31", "by hand")
    assert math.isnan(measured.residual_px)


FAULTS = {
    "format: robo_reward rig 1 -> format: rig 7": "format must be 'robo_reward rig 1', got 'rig 7'",
    "length: m -> length: mm": r"units must be \{'length': 'm', 'image': 'px'\}, got \{'length': 'mm', 'image': 'px'\}",
    "base_frame: base_link -> basis: base_link": r"the file must hold the keys format, units, base_frame, measured, "
    r"cameras; missing: \['base_frame'\], unknown: \['basis'\]",
    "width: 640 -> width: 640.5": "cameras.left.width must be a whole number, got 640.5",
    "focal_x: 500.0 -> focal_x: wide": "cameras.left.focal_x must be a number, got 'wide'",
    "focal_x: 500.0 -> focal_x: -500.0": "cameras.left: focal_x and focal_y must be > 0 px, got -500 and 505",
    "parent: base_link -> parent: flange": "cameras.left.pose.parent must be base_frame, 'base_link', got 'flange'",
    "translation: [1.0, 0.0, 0.6] -> translation: [1.0, 0.0]": r"cameras.left.pose.translation must be a list of 3 "
    r"numbers, got \[1.0, 0.0\]",
    "translation: [1.0, 0.0, 0.6] -> translation: [1.0, x, 0.6]": r"cameras.left.pose.translation\[1\] must be a "
    "number, got 'x'",
    "quaternion_wxyz: [ -> quaternion_wxyz: [7, ": "cameras.left.pose.quaternion_wxyz must be a list of 4 numbers",
    "date: '2026-11-21' -> date: yesterday": "date must be YYYY-MM-DD or 'unknown', got 'yesterday'",
    "residual_px: 0.21 -> residual_px: -1": "residual_px must be >= 0 px or NaN, got -1",
    "measured: { -> measured: [{": "is no YAML",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file_key_and_what_is_allowed(tmp_path, fault):
    path = tmp_path / "arm.yaml"
    write_rig(two_cameras(), path)
    old, new = fault.split(" -> ")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataSetError, match=FAULTS[fault]) as raised:
        read_rig(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_absent_or_empty_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"rig .*none.yaml cannot be read: .*No such file"):
        read_rig(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(DataSetError, match="the file must hold the keys format, .*; got None"):
        read_rig(tmp_path / "empty.yaml")
    write_rig(two_cameras(), tmp_path / "arm.yaml")
    path = tmp_path / "arm.yaml"
    path.write_text(path.read_text().split("cameras:")[0] + "cameras: []\n")
    with pytest.raises(DataSetError, match=r"cameras must be camera names with their settings, got \[\]"):
        read_rig(path)


def test_a_small_number_written_by_hand_is_a_number(tmp_path):
    path = tmp_path / "arm.yaml"
    lens = Intrinsics(width=4, height=4, focal_x=3.0, focal_y=3.0, centre_x=1.5, centre_y=1.5, distortion=np.zeros(4))
    write_rig(
        Rig(cameras={"a": RigCamera(intrinsics=lens, T_base_camera=around(1)[0].T_base_camera)}, base_frame="b"), path
    )
    path.write_text(path.read_text().replace("distortion: [0.0,", "distortion: [1e-3,"))
    assert read_rig(path).cameras["a"].intrinsics.distortion.tolist() == [1e-3, 0, 0, 0]
