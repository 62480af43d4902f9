import math

import numpy as np
import pytest
from looking_cameras import STRONG, intrinsics
from scipy.spatial.transform import Rotation

from robo_reward.camera.camera_info import (
    T_LINK_OPTICAL,
    camera_info_from_intrinsics,
    intrinsics_from_camera_info,
    pose_from_transform,
    transform_from_pose,
)
from robo_reward.camera.pose import Pose

RATIONAL = np.array([0.4, -0.3, 1e-3, 2e-3, 0.02, 0.5, -0.2, 0.01])


def message(**changes):
    return camera_info_from_intrinsics(intrinsics(distortion=STRONG)) | changes


@pytest.mark.parametrize("distortion", [STRONG, RATIONAL], ids=["plumb_bob", "rational_polynomial"])
def test_a_message_leads_back_to_the_camera(distortion):
    camera = intrinsics(distortion=distortion)
    fields = camera_info_from_intrinsics(camera)
    again = intrinsics_from_camera_info(fields)
    assert np.array_equal(again.matrix, camera.matrix)
    assert np.array_equal(again.distortion, camera.distortion)
    assert (again.width, again.height) == (640, 480)
    assert fields["distortion_model"] == ("plumb_bob" if len(distortion) == 5 else "rational_polynomial")
    assert [len(fields[name]) for name in "dkrp"] == [len(distortion), 9, 9, 12]


@pytest.mark.parametrize("size", [0, 4])
def test_a_camera_with_fewer_coefficients_gets_the_five_of_plumb_bob(size):
    camera = intrinsics(distortion=STRONG[:size])
    again = intrinsics_from_camera_info(camera_info_from_intrinsics(camera))
    assert again.distortion.tolist() == [*STRONG[:size], *[0.0] * (5 - size)]


def test_ros_1_spells_its_matrices_in_capitals():
    fields = {name.upper() if name in "dkrp" else name: value for name, value in message().items()}
    assert np.array_equal(intrinsics_from_camera_info(fields).distortion, STRONG)


def test_rectified_pictures_follow_p_and_have_no_distortion():
    p = [400.0, 0, 310, 0, 0, 401, 230, 0, 0, 0, 1, 0]
    camera = intrinsics_from_camera_info(message(p=p), rectified=True)
    assert (camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y) == (400, 401, 310, 230)
    assert camera.distortion.size == 0


def test_a_region_of_interest_moves_the_centre_and_binning_halves_the_picture_edge_by_edge():
    roi = {"x_offset": 100, "y_offset": 40, "width": 320, "height": 240, "do_rectify": False}
    full, small = intrinsics(distortion=STRONG), intrinsics_from_camera_info(message(roi=roi, binning_x=2, binning_y=2))
    points = np.random.default_rng(0).uniform([-0.2, -0.2, 1], [0.2, 0.2, 2], (10, 3))
    np.testing.assert_allclose(small.project(points) + 0.5, (full.project(points) - [100, 40] + 0.5) / 2, atol=1e-9)
    assert (small.width, small.height) == (160, 120)


FAULTS = {
    "k of zeros": ({"k": [0.0] * 9}, "the camera is not calibrated: k is .* focal lengths must be > 0 px"),
    "k of nan": ({"k": [math.nan] * 9}, "the camera is not calibrated: k must be 9 finite numbers, got"),
    "a short k": ({"k": [1.0, 2.0]}, r"the camera is not calibrated: k must be 9 finite numbers, got \[1.0, 2.0\]"),
    "skew": ({"k": [5.0, 0.1, 3, 0, 5, 3, 0, 0, 1]}, r"a camera with skew is not supported, got k\[1\] = 0.1"),
    "fisheye": (
        {"distortion_model": "equidistant"},
        "distortion_model must be plumb_bob or rational_polynomial, got 'equidistant'",
    ),
    "too few": ({"d": [0.1, 0.2]}, r"distortion_model 'plumb_bob' has 0 or 4 or 5 coefficients, got \[0.1, 0.2\]"),
    "nan distortion": ({"d": [math.nan] * 5}, "intrinsics must be finite"),
    "no size": ({"width": 0}, "width and height must be > 0 px, got 0 x 480"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_message_that_is_no_calibration_is_refused(fault):
    change, text = FAULTS[fault]
    with pytest.raises(ValueError, match=text):
        intrinsics_from_camera_info(message(**change))


def test_a_missing_field_is_named():
    fields = message()
    del fields["k"]
    with pytest.raises(ValueError, match="the message has no field 'k'; its fields: width, height"):
        intrinsics_from_camera_info(fields)


def test_ros_has_no_model_of_a_thin_prism():
    with pytest.raises(ValueError, match="ROS knows 0, 4, 5 or 8 distortion coefficients, the camera has 12"):
        camera_info_from_intrinsics(intrinsics(distortion=np.full(12, 1e-3)))


def test_a_transform_has_the_real_part_of_its_quaternion_last():
    turn = Rotation.from_euler("xyz", (0.3, -0.5, 1.2))
    x, y, z, w = turn.as_quat(canonical=True).tolist()
    fields = {"translation": {"x": 1.0, "y": 2.0, "z": 3.0}, "rotation": {"x": x, "y": y, "z": z, "w": w}}
    pose = pose_from_transform(fields)
    np.testing.assert_allclose(pose.rotation, turn.as_matrix(), atol=1e-12)
    again = transform_from_pose(pose)
    assert again["translation"] == fields["translation"]
    assert again["rotation"] == pytest.approx(fields["rotation"])
    with pytest.raises(ValueError, match="the message has no field 'rotation'"):
        pose_from_transform({"translation": fields["translation"]})


def test_what_is_ahead_of_the_body_frame_is_ahead_of_the_optical_one():
    # REP 103: x forward, y left, z up becomes z forward, x right, y down
    ahead, left, up = T_LINK_OPTICAL.inverse().apply(np.eye(3))
    np.testing.assert_allclose([ahead, left, up], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)
    # the static transform of every ROS camera driver: roll -90, yaw -90 degrees
    driver = Rotation.from_euler("xyz", (-np.pi / 2, 0, -np.pi / 2)).as_matrix()
    np.testing.assert_allclose(T_LINK_OPTICAL.rotation, driver, atol=1e-12)
    assert isinstance(T_LINK_OPTICAL, Pose)
