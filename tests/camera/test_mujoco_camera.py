"""The convention in numbers; that MuJoCo renders by it is tested in tests/sim/test_rig.py."""

import numpy as np
import pytest
from looking_cameras import looking

from robo_reward.camera.mujoco_camera import mujoco_camera_of_pose, pose_of_mujoco_camera, rig_camera_of_mujoco


def test_a_camera_of_mujoco_looks_along_its_own_negative_z_with_y_up():
    camera = rig_camera_of_mujoco(np.zeros(3), np.eye(3).ravel(), fovy_deg=90.0, width=200, height=100)
    np.testing.assert_allclose(camera.project(np.array([0.0, 0.0, -1.0])), [99.5, 49.5])
    np.testing.assert_allclose(camera.project(np.array([0.5, 0.0, -1.0])), [99.5 + 25, 49.5])
    np.testing.assert_allclose(
        camera.project(np.array([0.0, 1.0, -1.0])), [99.5, -0.5]
    )  # the top edge: fovy is vertical
    assert np.isnan(camera.project(np.array([0.0, 0.0, 1.0]))).all()


def test_the_rows_of_cam_xmat_are_read_as_mujoco_writes_them():
    pose = looking((1.0, 0.2, 0.7), (0.0, 0.0, 0.1))
    axes = pose.rotation * [1, -1, -1]  # MuJoCo's x, y, z axes as columns
    for xmat in (axes, axes.ravel()):
        np.testing.assert_allclose(pose_of_mujoco_camera(pose.translation, xmat).matrix, pose.matrix, atol=1e-12)
    with pytest.raises(ValueError, match="rotation must be orthonormal"):
        pose_of_mujoco_camera(pose.translation, 2 * axes)


def test_position_and_quaternion_of_a_mujoco_camera_have_the_real_part_first():
    position, quaternion = mujoco_camera_of_pose(pose_of_mujoco_camera(np.ones(3), np.eye(3)))
    np.testing.assert_allclose(position, 1)
    np.testing.assert_allclose(quaternion, [1, 0, 0, 0], atol=1e-12)
