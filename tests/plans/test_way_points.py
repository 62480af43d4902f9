from dataclasses import replace

import numpy as np
import pytest
from key_point_plans import plan

from robo_reward.plans.way_points import Plan, Sighting, WayPoint

HERE = np.zeros(3)


def test_gripper_steps_are_where_the_wanted_state_is_new():
    found = plan(
        (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0), gripper={0: "open", 1: "closed", 2: "closed", 4: "open"}
    )
    assert found.gripper_steps == (0, 1, 4)


def test_positions_are_those_of_the_way_points():
    assert plan((0, 0, 0), (1, 2, 3)).positions.tolist() == [[0, 0, 0], [1, 2, 3]]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"position": np.array([0, np.nan, 0])}, r"way point 'x': position must be 3 finite numbers \[m\]"),
        ({"tolerance": 0.0}, "way point 'x': tolerance must be > 0 m, got 0.0"),
        ({"relative_to": " "}, "way point 'x': relative_to must name a point, got an empty text"),
    ],
)
def test_a_way_point_is_checked_at_the_door(changes, text):
    with pytest.raises(ValueError, match=text):
        WayPoint(**{"name": "x", "position": HERE} | changes)


def test_a_plan_is_checked_at_the_door():
    points = plan((0, 0, 0), (1, 0, 0)).way_points
    with pytest.raises(ValueError, match="at least 2 way points, got 1"):
        Plan(task="t", base_frame="b", way_points=points[:1])
    with pytest.raises(ValueError, match="needs a task and a base frame"):
        Plan(task=" ", base_frame="b", way_points=points)
    with pytest.raises(ValueError, match="grasp must be an index of a way point, 0 to 1; got 2"):
        Plan(task="t", base_frame="b", way_points=points, grasp=2)
    with pytest.raises(ValueError, match="way points 'point 0' and 'point 1' are the same point"):
        plan((0, 0, 0), (0, 0, 1e-5))


def test_a_sighting_needs_a_pixel_or_a_mark():
    with pytest.raises(ValueError, match="camera 'front': a sighting needs a pixel, a mark, or both"):
        Sighting(camera="front")
    with pytest.raises(ValueError, match="two finite numbers"):
        Sighting(camera="front", pixel=(0.0, float("inf")))
    with pytest.raises(ValueError, match="name of its camera"):
        Sighting(camera="", mark="c4")


def test_a_plan_knows_what_it_is_relative_to_and_where_it_lies_while_that_is_here():
    start, ball, mark = plan((0, 0, 0), (0, 0, 0), (0, 0, 0.1), around={1: "ball", 2: "mark"}).way_points
    found = Plan(task="t", base_frame="b", way_points=(start, ball, mark))
    assert found.anchors == ("ball", "mark")
    here = found.placed({"ball": np.array([1.0, 2.0, 3.0]), "mark": np.array([4.0, 5.0, 6.0])})
    assert here.anchors == ()
    here.check_still()
    with pytest.raises(ValueError, match=r"relative to \['ball', 'mark'\]: say where that is, by `Plan.placed`"):
        found.check_still()
    assert here.positions.tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6.1]]
    assert replace(found, way_points=(start, mark)).anchors == ("mark",)
    with pytest.raises(ValueError, match=r"relative to \['mark'\]: say where that is"):
        found.placed({"ball": np.zeros(3)})


def test_one_place_from_two_points_is_two_places():
    assert plan((0, 0, 0), (0, 0, 0), around={1: "ball"}).anchors == ("ball",)
    with pytest.raises(ValueError, match="are the same point"):
        plan((0, 0, 0), (0, 0, 0), around={0: "ball", 1: "ball"})
