"""ROS parameter files, as a node of some name would read them."""

import pytest
from robo_reward_bringup.parameter_file import matches, read_parameters

FILE = """
/**:
  ros__parameters: {discount: 0.9, shaping: linear}
/**/reward_node:
  ros__parameters: {discount: 0.95, qos: {depth: 3}}
/left/reward_node:
  ros__parameters: {discount: 0.99}
left:
  gate_node:
    ros__parameters: {max_age: 2.0}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rewards.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("pattern", "node", "expected"),
    [
        ("/**", "/reward_node", True),
        ("/**", "/left/arm/reward_node", True),
        ("/**/reward_node", "/reward_node", True),
        ("/**/reward_node", "/left/arm/reward_node", True),
        ("/**/reward_node", "/left/my_reward_node", False),
        ("/*/reward_node", "/left/reward_node", True),
        ("/*/reward_node", "/reward_node", False),
        ("reward_node", "/reward_node", True),
        ("/left/*", "/left/reward_node", True),
        ("/left/*", "/right/reward_node", False),
    ],
)
def test_wildcards_stand_for_levels_of_names(pattern, node, expected):
    assert matches(pattern, node) == expected


def test_later_entries_that_match_win(file):
    assert read_parameters(file, "/reward_node") == {"discount": 0.95, "shaping": "linear", "qos.depth": 3}
    assert read_parameters(file, "/left/reward_node")["discount"] == 0.99
    assert read_parameters(file, "/right/gate_node") == {"discount": 0.9, "shaping": "linear"}


def test_namespaces_may_be_nested(file):
    assert read_parameters(file, "/left/gate_node")["max_age"] == 2.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1", "holds no 'ros__parameters': it must be node: {ros__parameters: {name: value}}"),
        ("- a", "holds no 'ros__parameters'"),
        ("a: [", "cannot be read"),
        (None, "cannot be read: .*No such file"),
    ],
)
def test_a_file_that_is_no_parameter_file_is_refused(tmp_path, text, problem):
    path = tmp_path / "p.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_parameters(path, "/reward_node")
