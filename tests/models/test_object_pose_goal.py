import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robo_reward.camera.pose import Pose
from robo_reward.models.object_pose_goal import GoalPose, box_corners, goal_pose, symmetry_group


def random_pose(seed: int) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose(rotation=Rotation.random(rng=rng).as_matrix(), translation=rng.normal(size=3))


def turn(axis: str, degrees: float) -> Pose:
    return Pose(rotation=Rotation.from_euler(axis, degrees, degrees=True).as_matrix(), translation=np.zeros(3))


SQUARE = symmetry_group([((0, 0, 1), 4)])
BOX = box_corners((0.1, 0.1, 0.2))
seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_an_object_at_its_goal_is_at_distance_0_and_one_elsewhere_is_not(seed):
    goal = GoalPose(T_base_goal=random_pose(seed), key_points=BOX)
    assert goal.distance([goal.T_base_goal]) == pytest.approx(0, abs=1e-12)
    assert goal.distance([random_pose(seed + 1)]) > 0.01


@given(seeds, st.integers(0, 3))
def test_a_turn_that_the_object_does_not_show_changes_no_distance(seed, quarters):
    goal, pose = GoalPose(T_base_goal=random_pose(seed), key_points=BOX, symmetry=SQUARE), random_pose(seed + 1)
    turned = pose @ turn("z", 90 * quarters)
    assert goal.distance([turned]) == pytest.approx(goal.distance([pose]), abs=1e-9)
    # the key points are a box's corners: without symmetry the turned box has them elsewhere
    plain = GoalPose(T_base_goal=goal.T_base_goal, key_points=BOX)
    assert goal.distance([turned]) <= plain.distance([turned]) + 1e-12


@given(seeds)
def test_moving_goal_and_object_together_changes_no_distance(seed):
    goal, pose, motion = (
        GoalPose(T_base_goal=random_pose(seed), key_points=BOX),
        random_pose(seed + 1),
        random_pose(seed + 2),
    )
    together = GoalPose(T_base_goal=motion @ goal.T_base_goal, key_points=BOX)
    assert together.distance([motion @ pose]) == pytest.approx(goal.distance([pose]), abs=1e-9)


def test_a_shift_is_its_length_and_a_turn_is_how_far_it_moves_the_points():
    goal = GoalPose(T_base_goal=Pose.identity(), key_points=BOX)
    shift = Pose(rotation=np.eye(3), translation=np.array([0.03, 0.0, 0.04]))
    assert goal.distance([shift]) == pytest.approx(0.05)
    # corners are 0.05 √2 from the axis: a turn by φ moves each by 2 r sin(φ / 2)
    assert goal.distance([turn("z", 30)]) == pytest.approx(2 * 0.05 * math.sqrt(2) * math.sin(math.radians(15)))


def test_a_square_object_turned_by_100_degrees_is_off_by_10():
    goal = GoalPose(T_base_goal=Pose.identity(), key_points=BOX, symmetry=SQUARE)
    expected = GoalPose(T_base_goal=Pose.identity(), key_points=BOX).distance([turn("z", 10)])
    assert goal.distance([turn("z", 100)]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("axes", "number"),
    [([], 1), ([((0, 0, 2), 4)], 4), ([((1, 0, 0), 2), ((0, 0, 1), 2)], 4), ([((0, 0, 1), 4), ((1, 0, 0), 4)], 24)],
    ids=["none", "square", "brick", "cube"],
)
def test_axes_of_symmetry_make_their_group(axes, number):
    group = symmetry_group(axes)
    assert len(group) == number
    turns = [each.rotation for each in group]
    for one in turns:
        for other in turns:
            assert any(np.allclose(one @ other, each, atol=1e-6) for each in turns)


def test_plain_values_make_a_goal():
    goal = goal_pose(
        translation=[0.4, 0.1, 0.2],
        quaternion_wxyz=[0, 0, 0, 1],
        box=[0.1, 0.2, 0.3],
        symmetry=[{"axis": [0, 0, 1], "order": 2}],
    )
    assert len(goal.key_points) == 8
    assert np.abs(goal.key_points).max(axis=0).tolist() == [0.05, 0.1, 0.15]
    assert len(goal.symmetry) == 2
    assert goal.T_base_goal.rotation[0, 0] == pytest.approx(-1)
    points = goal_pose(translation=[0, 0, 0], quaternion_wxyz=[1, 0, 0, 0], key_points=[[0, 0, 1]])
    assert points.distance([Pose.identity()]) == 0
    assert points.description != goal.description


def test_what_is_no_goal_is_refused():
    still = {"translation": [0, 0, 0], "quaternion_wxyz": [1, 0, 0, 0]}
    for values, text in (
        ({}, "give either key_points or box"),
        ({"box": [1, 1, 1], "key_points": [[0, 0, 0]]}, "give either key_points or box"),
        ({"box": [0.1, 0.1]}, r"box must be 3 extents > 0 m, got \[0.1, 0.1\]"),
        ({"box": [1, 1, 1], "symmetry": [{"axis": [0, 0, 0], "order": 2}]}, "an axis of symmetry needs a direction"),
        ({"box": [1, 1, 1], "symmetry": [{"axis": [0, 0, 1], "order": 0}]}, "an order >= 1, got .* and 0"),
        (
            {"box": [1, 1, 1], "symmetry": [{"axis": [0, 0, 1], "order": 7}, {"axis": [1, 0, 0], "order": 5}]},
            "have no group of at most 500 turns in common",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            goal_pose(**still, **values)
    with pytest.raises(ValueError, match="key_points must be at least one point"):
        GoalPose(T_base_goal=Pose.identity(), key_points=np.zeros((0, 3)))
    with pytest.raises(ValueError, match="symmetry must contain the identity"):
        GoalPose(T_base_goal=Pose.identity(), key_points=BOX, symmetry=(turn("z", 90),))
    with pytest.raises(ValueError, match="symmetry must consist of turns about the object's origin"):
        GoalPose(T_base_goal=Pose.identity(), key_points=BOX, symmetry=(Pose.identity(), random_pose(0)))
