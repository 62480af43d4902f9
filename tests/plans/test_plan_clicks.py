import numpy as np
import pytest
from key_point_plans import table_rig

from robo_reward.plans.plan_clicks import Click, locate_clicks, plan_of_clicks, seen_by

RIG = table_rig()
POINT = np.array([0.05, 0.72, 0.1])


def clicked(point, *cameras):
    return {name: tuple(RIG.cameras[name].project(point).tolist()) for name in cameras}


def click(name="x", *, shown=None, height=None, position=None):
    return Click(name=name, gripper="any", tolerance=0.03, shown=shown or {}, height=height, position=position)


def test_clicks_in_two_views_tell_the_point_and_how_well():
    found = locate_clicks(RIG, clicked(POINT, "top", "side"), height=None)
    assert np.linalg.norm(found.position - POINT) < 1e-6
    assert found.problem == ""
    assert 0.001 < found.std < 0.01
    assert set(found.pixels) == {"top", "side"}
    assert found.pixels["top"] == pytest.approx(RIG.cameras["top"].project(POINT).tolist())


def test_one_click_and_a_height_tell_the_point():
    found = locate_clicks(RIG, clicked(POINT, "top"), height=0.1)
    assert np.linalg.norm(found.position - POINT) < 1e-9
    assert np.isnan(found.std)


def test_one_click_gives_a_line_through_the_point_in_the_other_view():
    found = locate_clicks(RIG, clicked(POINT, "top"), height=None)
    assert found.position is None
    assert found.problem == "click the point in a second camera, on the line, or give its height"
    line = np.array(found.lines["side"])
    start, along = line[:-1], np.diff(line, axis=0)
    seen = RIG.cameras["side"].project(POINT)
    t = np.clip(((seen - start) * along).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
    assert np.linalg.norm(start + t[:, None] * along - seen, axis=1).min() < 0.05
    assert list(found.lines) == ["side"]


def test_clicks_that_contradict_each_other_tell_no_point():
    shown = clicked(POINT, "top") | clicked(POINT + np.array([0, 0.1, 0.1]), "side")
    found = locate_clicks(RIG, shown, height=None)
    assert found.position is None
    assert found.pixels == {}
    assert "the clicks do not show one point" in found.problem


def test_without_a_click_there_is_nothing_to_say():
    found = locate_clicks(RIG, {}, height=0.3)
    assert (found.position, found.problem, found.lines) == (None, "click the point", {})


def test_a_plan_keeps_what_was_not_clicked_again():
    goal = np.array([0.1, 0.8, 0.2])
    plan = plan_of_clicks(
        RIG, [click("a", shown=clicked(POINT, "top", "side")), click("b", position=goal)], task="t", grasp=0
    )
    assert plan.positions[1].tolist() == goal.tolist()
    assert np.linalg.norm(plan.positions[0] - POINT) < 1e-6
    assert [each.camera for each in plan.way_points[0].sightings] == ["top", "side"]
    assert (plan.made_by, plan.grasp, plan.base_frame) == ("click", 0, "world")


def test_points_that_nobody_showed_are_refused_by_name():
    with pytest.raises(ValueError, match="way point 'b': nobody showed where it is"):
        plan_of_clicks(RIG, [click("a", position=POINT), click("b")], task="t", grasp=None)
    with pytest.raises(ValueError, match="way point 'a': click the point in a second camera"):
        plan_of_clicks(RIG, [click("a", shown=clicked(POINT, "top")), click("b")], task="t", grasp=None)


def test_a_point_outside_a_picture_is_not_seen_there():
    assert seen_by(RIG, np.array([5.0, 0.7, 0.0])) == {}
