import math

import numpy as np
import pytest

from robo_reward.camera.pose import Pose
from robo_reward.models.object_pose_goal import GoalPose
from robo_reward.models.object_pose_progress import ExponentialTolerance, PausedReference, RelativeDistance


def at(x: float) -> list[Pose]:
    return [Pose(rotation=np.eye(3), translation=np.array([x, 0.0, 0.0]))]


def target(x: float) -> GoalPose:
    return GoalPose(T_base_goal=at(x)[0], key_points=np.zeros((1, 3)))


def told(progress, places: list[float | None], *, period: float = 0.1) -> list[float]:
    """Progress along places [m] of an object, None where it is not seen."""
    memory, found = None, []
    for t, place in enumerate(places):
        poses = None if place is None else at(place)
        memory = progress.after(memory, poses, stamp=period * t)
        found.append(math.nan if poses is None else progress.progress(progress.distance(poses, memory), memory))
    return found


def test_the_exponential_is_1_at_the_goal_and_e_to_the_minus_1_at_10_cm():
    # golden figures of Human2Sim2Robot's r_obj = exp(-10 d_kp)
    exponential = ExponentialTolerance(target=target(0.5))
    assert told(exponential, [0.5, 0.4, 0.6, 0.3]) == pytest.approx([1, math.exp(-1), math.exp(-1), math.exp(-2)])


def test_a_tolerance_counts_as_no_distance():
    exponential = ExponentialTolerance(target=target(0.0), tolerance=0.02, sharpness=5.0)
    assert told(exponential, [0.01, 0.02, 0.12]) == pytest.approx([1, 1, math.exp(-0.5)])


def test_relative_progress_is_the_share_of_the_first_known_distance_that_was_made_good():
    relative = RelativeDistance(target=target(0.0), tolerance=0.01)
    assert told(relative, [None, 0.41, 0.21, 0.01, 0.005, 0.8]) == pytest.approx(
        [math.nan, 0, 0.5, 1, 1, 0], nan_ok=True
    )


def test_an_object_that_begins_at_the_goal_is_measured_by_the_tolerance():
    relative = RelativeDistance(target=target(0.0), tolerance=0.01)
    assert told(relative, [0.0, 0.015, 0.02, 0.5]) == pytest.approx([1, 0.5, 0, 0])


def reference(**settings) -> PausedReference:
    return PausedReference(targets=[target(0.1 * k) for k in range(6)], stamps=[0.2 * k for k in range(6)], **settings)


def test_a_reference_goes_on_with_the_clock_for_an_object_that_keeps_up():
    places = [0.1 * min(t // 2, 5) for t in range(12)]
    assert told(reference(), places) == pytest.approx([min(t // 2, 5) / 5 for t in range(12)])


def test_a_reference_pauses_while_the_object_lags_and_goes_on_when_it_has_caught_up():
    found = told(reference(lag=0.15), [0.0] * 10 + [0.1] * 2)
    # it stands 0.2 m ahead, the first moment that is beyond the lag; there progress is a tenth
    assert found[4:10] == pytest.approx([0.4 * math.exp(-2) * 0.1] * 6)
    assert found[10] == pytest.approx(0.4 * math.exp(-1))
    assert told(reference(lag=0.15), [0.0] * 10 + [0.1] * 4)[-1] == pytest.approx(0.6 * math.exp(-2) * 0.1)


def test_a_reference_waits_for_an_object_that_is_not_seen():
    hidden = told(reference(), [0.0, None, None, None, None, 0.0])
    assert hidden[-1] == 0.0  # 0.1 s of the reference have passed, one moment is 0.2 s
    assert told(reference(), [0.0] * 6)[-1] > 0.0


def test_descriptions_tell_them_apart():
    each = [
        ExponentialTolerance(target=target(0.0)),
        ExponentialTolerance(target=target(0.1)),
        RelativeDistance(target=target(0.0)),
        reference(),
        reference(lag=0.1),
    ]
    assert len({repr(one.description) for one in each}) == 5
    assert all(one.num_objects == 1 for one in each)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="sharpness must be > 0 per metre, got 0"):
        ExponentialTolerance(target=target(0.0), sharpness=0.0)
    with pytest.raises(ValueError, match="tolerance must be >= 0 m, got -0.1"):
        ExponentialTolerance(target=target(0.0), tolerance=-0.1)
    with pytest.raises(ValueError, match="tolerance must be > 0 m, got 0"):
        RelativeDistance(target=target(0.0), tolerance=0.0)
    with pytest.raises(ValueError, match="a reference needs at least two targets and as many stamps, got 1 and 1"):
        PausedReference(targets=[target(0.0)], stamps=[0.0])
    with pytest.raises(ValueError, match=r"stamps must be strictly increasing, got \[0.0, 0.0\]"):
        PausedReference(targets=[target(0.0)] * 2, stamps=[0.0, 0.0])
    with pytest.raises(ValueError, match=r"lag must be > 0 m and lagging in \[0, 1\], got 0.2 and 2.0"):
        reference(lagging=2.0)
    with pytest.raises(ValueError, match="sharpness must be > 0 per metre, got -1"):
        reference(sharpness=-1.0)
