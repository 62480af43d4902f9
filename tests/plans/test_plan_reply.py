import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.perception.visual_marks import Grid
from robo_reward.plans.plan_reply import Choices, MalformedPlanError, parse_plan_reply

TILES = Grid(width=100, height=100).names
CHOICES = Choices(marks={"top": (*TILES, "P[1]", "P[2]", "Q[1]"), "side": TILES}, heights=["h1", "h2"], most=3)


def good(**changes):
    grasp = {"marks": {"top": "P[2]", "side": "c4"}, "height": "h1", "gripper": "closed"}
    after = {"name": "over the bin", "marks": {"top": "d4", "side": "b3"}, "height": "h2", "gripper": "any"}
    return {"grasp": grasp, "way_points": [after]} | changes


def point(**changes):
    return good()["way_points"][0] | changes


def test_a_good_reply_is_read():
    grasp, after = parse_plan_reply(json.dumps(good()), CHOICES)
    assert (grasp.name, dict(grasp.marks), grasp.height, grasp.gripper) == (
        "grasp",
        {"top": "P[2]", "side": "c4"},
        "h1",
        "closed",
    )
    assert (after.name, after.marks["top"], after.gripper) == ("over the bin", "d4", "any")


def test_the_form_that_is_shown_is_a_good_reply():
    parse_plan_reply(CHOICES.form(), CHOICES)
    tiles_only = Choices(marks={"top": TILES})
    parse_plan_reply(tiles_only.form(), tiles_only)


def test_a_fence_round_the_object_is_taken_off():
    text = f"Let me think.\n```json\n{json.dumps(good())}\n```\n"
    assert len(parse_plan_reply(text, CHOICES)) == 2


@pytest.mark.parametrize(("written", "meant"), [("P2", "P[2]"), ("p[2]", "P[2]"), (" Q[1] ", "Q[1]"), ("C4", "c4")])
def test_small_differences_in_writing_a_mark_do_not_matter(written, meant):
    reply = good(way_points=[point(marks={"top": written, "side": "a1"})])
    assert parse_plan_reply(json.dumps(reply), CHOICES)[1].marks["top"] == meant


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("I would grasp the handle.", "not one JSON object and nothing else"),
        ("", "not one JSON object"),
        (json.dumps(good()) + " Good luck!", "not one JSON object"),
        ("[1]", r"the reply must be a JSON object with grasp, way_points; got \[1\]"),
        (json.dumps({"grasp": {}}), "the reply lacks way_points"),
        (json.dumps(good(note="x")), 'the reply has the unknown key "note"; allowed: grasp, way_points'),
        (json.dumps(good(way_points=[])), r'"way_points" must be a list of 1 to 3 points, got \[\]'),
        (json.dumps(good(way_points=[point()] * 4)), '"way_points" must be a list of 1 to 3 points'),
        (json.dumps(good(way_points="c4")), '"way_points" must be a list'),
        (
            json.dumps(good(way_points=[point(gripper="shut")])),
            '"gripper" must be one of open, closed, any; got "shut"',
        ),
        (json.dumps(good(way_points=[point(gripper=["open"])])), '"gripper" must be one of'),
        (json.dumps(good(way_points=[point(height="h3")])), '"height" must be one of h1, h2; got "h3"'),
        (json.dumps(good(way_points=[point(height=None)])), '"height" must be one of h1, h2; got null'),
        (json.dumps(good(way_points=[point(name="")])), '"name" must be a few words'),
        (json.dumps(good(way_points=[point(marks={"top": "c4"})])), '"marks" lacks side'),
        (json.dumps(good(way_points=[point(marks={"top": "c6", "side": "c1"})])), r"a tile a1 to e5 or one of P\[1\]"),
        (json.dumps(good(way_points=[point(marks={"top": "P[3]", "side": "c1"})])), r'Q\[1\]; got "P\[3\]"'),
        (json.dumps(good(way_points=[point(marks={"top": "c1", "side": "P[1]"})])), 'a1 to e5; got "P'),
        (json.dumps(good(way_points=[point(marks={"top": 3, "side": "c1"})])), "must be a tile"),
        ('{"grasp": 1, "grasp": 2, "way_points": []}', "a key is given twice"),
        ('{"grasp": NaN, "way_points": []}', "NaN is no JSON"),
        ("[" * 5000, "nested too deeply|not one JSON"),
        ("1" * 19_000, "not one JSON|JSON object"),
        ("x" * 20_001, "longer than 20000 characters"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(reply, text):
    with pytest.raises(MalformedPlanError, match=text):
        parse_plan_reply(reply, CHOICES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["c4", "closed"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["grasp", "way_points", "marks", "height", "gripper", "name", "x"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_reply_does_more_than_be_refused(document):
    with pytest.raises(MalformedPlanError):
        parse_plan_reply(json.dumps(document), CHOICES)


@given(st.text(max_size=60))
def test_no_text_does_more_than_be_refused(text):
    with pytest.raises(MalformedPlanError):
        parse_plan_reply(text, CHOICES)


def test_choices_need_a_camera_and_a_way_point():
    with pytest.raises(ValueError, match="choices need a camera"):
        Choices(marks={})
    with pytest.raises(ValueError, match="at least 1 way point"):
        Choices(marks={"top": TILES}, most=0)
