import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robo_reward.camera.pose import Pose
from robo_reward.models.object_pose_progress import ExponentialTolerance
from robo_reward.models.relations import Relation, RelationTarget, relation_target

UP = np.array([0.0, 0.0, 1.0])


def pose(seed: int) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose(rotation=Rotation.random(rng=rng).as_matrix(), translation=rng.normal(size=3))


def relation(**changes) -> Relation:
    """A spout at (0.05, 0, 0.1) of a pot, 4 cm above a cup's rim, pointing down into it."""
    values = {
        "point_a": np.array([0.05, 0.0, 0.1]),
        "axis_a": np.array([1.0, 0.0, 0.0]),
        "point_b": np.array([0.0, 0.0, 0.08]),
        "axis_b": UP,
        "distance": 0.04,
        "angle": math.pi,
    }
    return Relation(**(values | changes))


seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_what_meets_the_relation_has_no_error_wherever_both_stand(seed):
    # the spout's x axis points down and its tip is 4 cm above the rim
    pot = Pose(rotation=Rotation.from_euler("y", 90, degrees=True).as_matrix(), translation=np.zeros(3))
    tip = pot.apply(np.array([0.05, 0.0, 0.1]))
    pot = Pose(rotation=pot.rotation, translation=np.array([0.0, 0.0, 0.12]) - tip)
    motion = pose(seed)
    assert relation().error(motion @ pot, motion) == pytest.approx(0, abs=1e-9)


@given(seeds, seeds, seeds)
def test_moving_both_together_changes_no_error(one, two, motion):
    a, b, together = pose(one), pose(two), pose(motion)
    assert relation().error(together @ a, together @ b) == pytest.approx(relation().error(a, b), abs=1e-9)


def test_the_error_is_metres_off_and_radians_off_times_the_lever():
    meeting = relation(point_a=np.zeros(3), point_b=np.zeros(3), axis_a=UP, axis_b=UP, distance=0.1, angle=0.0)
    off = Pose(rotation=Rotation.from_euler("x", 0.5).as_matrix(), translation=np.array([0.3, 0.0, 0.0]))
    assert meeting.error(off, Pose.identity()) == pytest.approx(0.2 + 0.1 * 0.5)
    near = Pose(rotation=np.eye(3), translation=np.array([0.04, 0.0, 0.0]))
    assert meeting.error(near, Pose.identity()) == pytest.approx(0.06)  # too near is off, too


def test_what_is_not_asked_does_not_count():
    assert relation(angle=None).error(Pose.identity(), Pose.identity()) == pytest.approx(
        abs(math.hypot(0.05, 0.02) - 0.04)
    )
    assert relation(distance=None).error(Pose.identity(), pose(3)) == pytest.approx(
        0.1 * (math.pi - math.acos(float(pose(3).rotation[0, 2])))
    )


def test_a_target_is_the_mean_of_its_relations_for_a_still_or_a_moving_partner():
    relations = (relation(), relation(distance=0.3, angle=None))
    a, b = pose(1), pose(2)
    expected = (relations[0].error(a, b) + relations[1].error(a, b)) / 2
    moving, still = RelationTarget(relations=relations), RelationTarget(relations=relations, T_base_b=b)
    assert (moving.num_objects, still.num_objects) == (2, 1)
    assert moving.distance([a, b]) == still.distance([a]) == pytest.approx(expected)
    assert moving.description != still.description


def test_progress_is_read_from_a_relation_as_from_a_goal():
    exponential = ExponentialTolerance(target=RelationTarget(relations=(relation(),)))
    assert exponential.num_objects == 2
    assert exponential.progress(exponential.distance([pose(1), pose(2)], None), None) < 0.2


def test_plain_values_make_a_target():
    plain = {
        "point_a": [0.05, 0, 0.1],
        "axis_a": [2, 0, 0],
        "point_b": [0, 0, 0.08],
        "axis_b": [0, 0, 1],
        "distance": 0.04,
        "angle": math.pi,
    }
    made = relation_target(relations=[plain], standing={"translation": [0, 0, 0], "quaternion_wxyz": [1, 0, 0, 0]})
    assert made.distance([pose(1)]) == pytest.approx(relation().error(pose(1), Pose.identity()))
    assert relation_target(relations=[plain]).num_objects == 2


def test_what_is_no_relation_is_refused():
    for changes, text in (
        ({"distance": None, "angle": None}, "a relation must state a distance, an angle or both"),
        ({"axis_a": np.array([2.0, 0, 0])}, "axis_a must have length 1, got .* of length 2"),
        ({"distance": -0.1}, "distance must be >= 0 m, got -0.1"),
        ({"angle": 4.0}, r"angle must be in \[0, π\] rad, got 4.0"),
        ({"lever": 0.0}, "lever must be > 0 m/rad, got 0.0"),
    ):
        with pytest.raises(ValueError, match=text):
            relation(**changes)
    with pytest.raises(ValueError, match="at least one relation is needed"):
        RelationTarget(relations=())
