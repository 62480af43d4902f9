import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robo_reward.camera.pose import Pose, pose_difference


def random_pose(seed: int) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose(rotation=Rotation.random(rng=rng).as_matrix(), translation=rng.normal(size=3))


seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_a_pose_chained_with_its_inverse_is_the_identity(seed):
    pose = random_pose(seed)
    for both in (pose @ pose.inverse(), pose.inverse() @ pose):
        np.testing.assert_allclose(both.matrix, np.eye(4), atol=1e-12)


@given(seeds, seeds, seeds)
def test_chaining_is_applying_one_after_the_other_and_multiplying_matrices(one, two, points):
    a_b, b_c = random_pose(one), random_pose(two)
    points_c = np.random.default_rng(points).normal(size=(2, 5, 3))
    np.testing.assert_allclose((a_b @ b_c).apply(points_c), a_b.apply(b_c.apply(points_c)), atol=1e-12)
    np.testing.assert_allclose((a_b @ b_c).matrix, a_b.matrix @ b_c.matrix, atol=1e-12)


@given(seeds)
def test_every_form_leads_back_to_the_pose(seed):
    pose = random_pose(seed)
    for again in (
        Pose.from_matrix(pose.matrix),
        Pose.from_quaternion_wxyz(pose.translation, pose.quaternion_wxyz),
        Pose.from_rotation_vector(pose.translation, pose.rotation_vector),
    ):
        np.testing.assert_allclose(again.matrix, pose.matrix, atol=1e-12)


def test_the_pose_of_frame_b_in_a_takes_points_of_b_to_a():
    # b stands at (1, 2, 3) in a, turned by 90 degrees about z: its x axis is a's y axis
    pose = Pose.from_rotation_vector(np.array([1.0, 2.0, 3.0]), np.array([0, 0, np.pi / 2]))
    np.testing.assert_allclose(pose.apply(np.array([1.0, 0, 0])), [1, 3, 3], atol=1e-12)
    np.testing.assert_allclose(pose.apply(np.zeros(3)), [1, 2, 3])


def test_the_quaternion_has_its_real_part_first_as_mujoco_and_scipy_and_ros_have_it_last():
    turn = np.array([0.1, -0.7, 0.4])
    xyzw = Rotation.from_rotvec(turn).as_quat(canonical=True)
    pose = Pose.from_rotation_vector(np.zeros(3), turn)
    np.testing.assert_allclose(pose.quaternion_wxyz, [xyzw[3], xyzw[0], xyzw[1], xyzw[2]], atol=1e-15)
    again = Pose.from_quaternion_wxyz(np.zeros(3), np.array([xyzw[3], *xyzw[:3]]))
    np.testing.assert_allclose(again.rotation, Rotation.from_quat(xyzw).as_matrix(), atol=1e-15)


@given(seeds)
def test_a_quaternion_and_its_negative_are_one_rotation_given_with_a_real_part_that_is_not_negative(seed):
    pose = random_pose(seed)
    quaternion = pose.quaternion_wxyz
    assert quaternion[0] >= 0
    other = Pose.from_quaternion_wxyz(pose.translation, -quaternion)
    np.testing.assert_allclose(other.quaternion_wxyz, quaternion, atol=1e-12)


def test_the_difference_of_poses_is_a_distance_and_an_angle():
    one = random_pose(1)
    other = one @ Pose.from_rotation_vector(np.array([0.03, 0.0, 0.04]), np.array([0.0, 0.2, 0.0]))
    assert pose_difference(one, other) == pytest.approx((0.05, 0.2), abs=1e-12)
    assert pose_difference(one, one) == pytest.approx((0.0, 0.0), abs=1e-7)


def test_a_point_gets_the_same_bits_alone_and_among_many_and_a_lost_one_stays_lost():
    pose, points = random_pose(3), np.random.default_rng(0).normal(size=(50, 3))
    points[7] = np.nan
    together = pose.apply(points)
    assert np.array_equal(together, np.stack([pose.apply(each) for each in points]), equal_nan=True)
    assert np.isnan(together[7]).all()
    assert np.isfinite(np.delete(together, 7, axis=0)).all()


def test_what_is_no_rotation_is_refused():
    with pytest.raises(ValueError, match="rotation must be orthonormal to 1e-06, R Rᵀ is off the identity by 0.21"):
        Pose(rotation=np.eye(3) * 1.1, translation=np.zeros(3))
    with pytest.raises(ValueError, match=r"must be right-handed \(determinant 1\), got a reflection"):
        Pose(rotation=np.diag([1.0, 1.0, -1.0]), translation=np.zeros(3))
    with pytest.raises(ValueError, match="translation must be finite, got"):
        Pose(rotation=np.eye(3), translation=np.array([0, np.nan, 0]))
    with pytest.raises(ValueError, match=r"the last row of a pose must be \(0, 0, 0, 1\), got \[0.0, 0.0, 0.0, 2.0\]"):
        Pose.from_matrix(np.diag([1.0, 1.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match=r"quaternion_wxyz must have length 1, got .* of length 2"):
        Pose.from_quaternion_wxyz(np.zeros(3), np.array([2.0, 0, 0, 0]))


def test_a_matrix_in_single_precision_becomes_a_rotation_to_rounding():
    rough = random_pose(5).matrix.astype(np.float32)
    rotation = Pose.from_matrix(rough).rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
