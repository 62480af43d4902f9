import numpy as np
import pytest

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_sim.table_top.kinematics import ARM_JOINTS, DOWN, WORKSPACE, ArmKinematics


@pytest.fixture(scope="module")
def kinematics():
    return ArmKinematics()


def points(number: int, seed: int):
    corners = np.array(np.meshgrid(*WORKSPACE.T)).reshape(3, -1).T
    return np.vstack([corners, np.random.default_rng(seed).uniform(*WORKSPACE, (number, 3))])


def test_forward_undoes_inverse_with_the_fingers_down_everywhere_in_the_workspace(kinematics):
    for point in points(60, 0):
        joints = kinematics.joints_at(point)
        assert np.allclose(kinematics.tool_position(joints), point, atol=2e-5)
        assert np.allclose(kinematics.tool_rotation(joints), DOWN, atol=2e-5)
        assert (kinematics.limits[0] <= joints).all()
        assert (joints <= kinematics.limits[1]).all()


def test_deltas_add_up_to_the_way_they_describe(kinematics):
    joints = kinematics.joints_at(np.array([0.4, 0.0, 0.2]))
    way = np.random.default_rng(1).uniform(-0.01, 0.01, (40, 3))
    for delta in way:
        joints = kinematics.joint_targets(joints, delta)
    assert np.allclose(kinematics.tool_position(joints), np.add(way.sum(axis=0), (0.4, 0.0, 0.2)), atol=5e-4)


def test_what_lies_outside_the_workspace_is_approached_as_far_as_it_goes(kinematics):
    beyond = np.array([0.9, -0.6, -0.3])
    assert np.allclose(kinematics.tool_position(kinematics.joints_at(beyond)), np.clip(beyond, *WORKSPACE), atol=2e-5)


def test_a_small_motion_of_the_tool_is_a_small_motion_of_every_joint(kinematics):
    for point in points(20, 2):
        joints = kinematics.joints_at(point)
        moved = kinematics.joint_targets(joints, np.array([0.002, -0.002, 0.002]))
        assert np.abs(moved - joints).max() < 0.05


def test_the_jacobian_of_the_inverse_is_that_of_finite_differences(kinematics):
    joints, step = kinematics.joints_at(np.array([0.45, 0.1, 0.1])), 1e-4
    for number in range(len(ARM_JOINTS)):
        moved = joints.copy()
        moved[number] += step
        kinematics._error(joints, np.zeros(3))
        column = kinematics._jacobian[:3, number]
        difference = (kinematics.tool_position(moved) - kinematics.tool_position(joints)) / step
        assert np.allclose(column, difference, atol=1e-3)
