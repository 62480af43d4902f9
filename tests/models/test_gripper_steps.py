import pytest
import torch
from key_point_plans import plan

from robo_reward.models.gripper_steps import GripperLimits, GripperSteps

LIMITS = GripperLimits(closed_below=0.03, open_above=0.06, empty_below=0.005)
PICK = plan((0, 0, 0.2), (0, 0, 0), (0.5, 0, 0.2), (0.5, 0, 0), gripper={1: "closed", 3: "open"})
OPEN, HELD, SHUT = 0.08, 0.02, 0.001


def stages(*frames, of=PICK, limits=LIMITS):
    """Steps that have happened by each frame of (way point or position, width)."""
    steps = GripperSteps(of, limits)
    place = [of.positions[at].tolist() if isinstance(at, int) else list(at) for at, _ in frames]
    point = torch.tensor([place], dtype=torch.float64)
    width = torch.tensor([[width for _, width in frames]], dtype=torch.float64)
    return steps.resume(point, width, steps.begin(1))[0][0].tolist()


def test_a_grasp_and_a_release_where_they_are_wanted_happen():
    assert stages((0, OPEN), (1, OPEN), (1, HELD), (2, HELD), (3, HELD), (3, OPEN), (0, OPEN)) == [0, 0, 1, 1, 1, 2, 2]


def test_a_gripper_that_closes_elsewhere_grasps_nothing():
    assert stages((0, OPEN), (0, HELD), (2, HELD)) == [0, 0, 0]


def test_a_gripper_that_closes_on_nothing_grasps_nothing():
    assert stages((1, OPEN), (1, SHUT), (2, SHUT)) == [0, 0, 0]


def test_an_object_that_is_dropped_on_the_way_undoes_the_grasp():
    assert stages((1, HELD), (2, HELD), (2, OPEN), (3, OPEN)) == [1, 1, 0, 0]


def test_an_object_that_slips_out_of_a_closed_gripper_undoes_the_grasp():
    assert stages((1, HELD), (2, HELD), (2, SHUT)) == [1, 1, 0]


def test_a_release_is_undone_by_closing_there_again_and_not_elsewhere():
    assert stages((1, HELD), (3, HELD), (3, OPEN), (2, HELD)) == [1, 1, 2, 2]
    assert stages((1, HELD), (3, HELD), (3, OPEN), (3, HELD)) == [1, 1, 2, 1]


def test_between_the_limits_the_last_state_goes_on():
    assert stages((1, 0.045), (1, HELD), (2, 0.045), (2, 0.055), (2, 0.06)) == [0, 1, 1, 1, 0]


def test_nothing_happens_while_point_or_width_is_unknown():
    nan = float("nan")
    assert stages((1, nan), ((nan, nan, nan), HELD), (1, HELD), (2, nan), (2, HELD)) == [0, 0, 1, 1, 1]
    assert stages((0, HELD), (1, nan), (1, HELD)) == [0, 0, 1]  # closed when last seen, elsewhere


def test_a_state_wanted_at_the_start_needs_no_place():
    wanted = plan((0, 0, 1), (0, 0, 0), (1, 0, 0), gripper={0: "open", 1: "closed"})
    assert stages((1, HELD), (1, OPEN), (1, HELD), of=wanted) == [0, 1, 2]
    steps = GripperSteps(wanted, LIMITS)
    settled = steps.settled(torch.tensor([0, 1, 2]))
    assert settled[0] == 0
    assert bool(settled[1:].isnan().all())


def test_segments_count_from_the_last_step_to_the_next():
    steps = GripperSteps(PICK, LIMITS)
    assert steps.allowed(torch.tensor([0, 1])).tolist() == [[True, False, False], [False, True, True]]
    assert steps.ends_with_step
    assert steps.settled(torch.tensor([2])).tolist() == [1.0]


def test_a_state_that_is_wanted_again_is_no_new_step():
    same = plan((0, 0, 1), (0, 0, 0), (1, 0, 0), (1, 1, 0), gripper={1: "closed", 2: "closed", 3: "open"})
    assert same.gripper_steps == (1, 3)


def test_limits_are_checked_at_the_door():
    for wrong in ((0.06, 0.03, 0.0), (0.03, 0.03, 0.0), (0.03, 0.06, 0.04), (0.03, 0.06, -1.0)):
        with pytest.raises(ValueError, match="0 <= empty_below <= closed_below < open_above"):
            GripperLimits(closed_below=wrong[0], open_above=wrong[1], empty_below=wrong[2])


def test_limits_may_be_a_mapping():
    assert GripperLimits.of({"closed_below": 0.03, "open_above": 0.06, "empty_below": 0.005}) == LIMITS
