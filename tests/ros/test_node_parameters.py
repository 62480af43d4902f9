"""The parameters as a table, and the page that is made of it."""

from pathlib import Path

import pytest
from robo_reward_ros.gate_parameters import GATE_PARAMETERS, gate_limits
from robo_reward_ros.node_settings import check_cameras, core_settings, task_settings, topics_of
from robo_reward_ros.parameters import Parameter, ParameterTable
from robo_reward_ros.reference import page
from robo_reward_ros.reward_parameters import REWARD_PARAMETERS
from robo_reward_ros.task_settings import TaskSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ros" / "reference.md"
DEFAULTS = {name: each.default for name, each in REWARD_PARAMETERS.items()}
GIVEN = DEFAULTS | {"reward_model": "process", "cameras": ("a", "b"), "image_topics": ("/a", "/b/compressed")}


def test_the_reference_page_says_what_the_code_declares():
    assert PAGE.read_text() == page(), "python -m robo_reward_ros.reference docs/ros/reference.md makes it anew"


def test_every_parameter_is_documented_and_named_once():
    for table in (REWARD_PARAMETERS, GATE_PARAMETERS):
        assert all(each.doc for each in table.values())
    with pytest.raises(ValueError, match="name occurs twice"):
        ParameterTable([Parameter(name="a", default=1, doc="one"), Parameter(name="a", default=2, doc="two")])


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("discount", 0.9, ""),
        ("discount", 0.0, "discount must be in [1e-06, 1], got 0"),
        ("discount", 1, "discount must be of type double, got 1"),
        ("discount", float("nan"), "discount must be in [1e-06, 1], got nan"),
        ("shaping", "cubic", "shaping must be one of linear, exponential, sigmoid; got 'cubic'"),
        ("cameras", ["front"], ""),
        ("cameras", "front", "cameras must be strings"),
        ("cameras", [1], "cameras must be strings"),
        ("use_robot_ok", 1, "use_robot_ok must be of type bool, got 1"),
        ("use_sim_time", True, ""),
    ],
)
def test_a_value_is_checked_and_the_problem_said(name, value, problem):
    assert REWARD_PARAMETERS.problems({name: value}, configured=False) == ([problem] if problem else [])


def test_a_default_that_the_parameter_would_refuse_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match=r"default of x must be in \[0, 1\], got 2"):
        Parameter(name="x", default=2.0, least=0.0, most=1.0, doc="x")


def test_while_configured_only_live_parameters_change():
    changes = {"max_spread": 0.5, "discount": 0.5}
    assert REWARD_PARAMETERS.problems(changes, configured=True) == [
        "discount takes effect when the node is configured: clean it up first"
    ]


def test_parameters_become_settings():
    assert topics_of(GIVEN) == {"a": "/a", "b": "/b/compressed"}
    settings = core_settings(GIVEN | {"optional_cameras": ("b",)}, session=3)
    assert (settings.required, settings.session, settings.sync_tolerance) == (["a"], 3, 0.02)
    assert task_settings(GIVEN) == TaskSettings(reward_model="process", cameras=("a", "b"))
    assert gate_limits({name: each.default for name, each in GATE_PARAMETERS.items()}).discount is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cameras": ()}, "cameras is empty"),
        ({"cameras": ("a", "a")}, "must not repeat"),
        ({"image_topics": ("/a",)}, r"image_topics must have one topic for each of \['a', 'b'\], got \['/a'\]"),
        ({"optional_cameras": ("c",)}, r"optional_cameras \['c'\] are none of the cameras"),
        ({"optional_cameras": ("a", "b")}, "at least one camera must be required"),
    ],
)
def test_cameras_that_make_no_sense_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        check_cameras(GIVEN | change)
