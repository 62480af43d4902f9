import numpy as np
import pytest
import yaml
from board_scenes import LENS, rig_of

from robo_reward.calibration.camera_file import read_camera, write_camera
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.rig import NOT_MEASURED, Measurement
from robo_reward.camera.rig_file import write_rig
from robo_reward.errors import DataSetError

MEASURED = Measurement(date="2026-03-01", how="30 views of a board", residual_px=0.25)


def lens_of(distortion: list[float]) -> Intrinsics:
    return Intrinsics(
        width=640, height=480, focal_x=600.0, focal_y=602.0, centre_x=322.0, centre_y=236.0,
        distortion=np.array(distortion),
    )  # fmt: skip


@pytest.mark.parametrize("distortion", [[], [-0.1, 0.05, 0.001, 0], [-0.1, 0.05, 0.001, 0, 0.2], [0.1] * 8])
def test_what_is_written_is_read(tmp_path, distortion):
    lens = lens_of(distortion)
    write_camera(lens, tmp_path / "camera.yaml", name="left", measured=MEASURED)
    read = read_camera(tmp_path / "camera.yaml")
    np.testing.assert_array_equal(read.matrix, lens.matrix)
    points = np.array([[0.1, 0.2, 1.0], [-0.3, 0.1, 0.9]])
    np.testing.assert_allclose(read.project(points), lens.project(points), atol=1e-9)


def test_the_file_is_what_ros_reads(tmp_path):
    write_camera(LENS, tmp_path / "camera.yaml", name="left", measured=MEASURED)
    values = yaml.safe_load((tmp_path / "camera.yaml").read_text())
    assert values["image_width"] == 640
    assert values["camera_name"] == "left"
    assert values["distortion_model"] == "plumb_bob"
    assert values["camera_matrix"] == {"rows": 3, "cols": 3, "data": LENS.matrix.ravel().tolist()}
    assert values["distortion_coefficients"]["cols"] == 5
    assert values["projection_matrix"]["cols"] == 4
    assert values["measured"] == {"date": "2026-03-01", "how": "30 views of a board", "residual_px": 0.25}


def test_an_error_that_nobody_measured_is_no_number(tmp_path):
    write_camera(LENS, tmp_path / "camera.yaml", name="left", measured=NOT_MEASURED)
    assert yaml.safe_load((tmp_path / "camera.yaml").read_text())["measured"]["residual_px"] is None


def test_a_camera_of_a_rig_is_read_by_its_name(tmp_path):
    write_rig(rig_of(2), tmp_path / "rig.yaml")
    np.testing.assert_array_equal(read_camera(tmp_path / "rig.yaml", name="camera_1").matrix, LENS.matrix)
    with pytest.raises(DataSetError, match="has no camera 'top'; there are camera_0, camera_1"):
        read_camera(tmp_path / "rig.yaml", name="top")
    write_rig(rig_of(1), tmp_path / "one.yaml")
    np.testing.assert_array_equal(read_camera(tmp_path / "one.yaml").matrix, LENS.matrix)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not YAML"), ("- 1", "is no camera: a mapping is expected"), ("a: 1", "is no camera file of ROS")],
)
def test_what_is_no_camera_is_named(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(DataSetError, match=message):
        read_camera(tmp_path / "bad.yaml")
