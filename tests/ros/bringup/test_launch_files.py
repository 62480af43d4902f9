"""The launch files turn descriptions into launch actions and add nothing; without ROS, against recorded actions."""

import runpy
import sys
from importlib import import_module
from pathlib import Path

import pytest
from recorded_launch import (
    DeclareLaunchArgument,
    LifecycleNode,
    Node,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    modules,
)
from robo_reward_bringup.launch_arguments import arguments_of
from robo_reward_bringup.nodes_of_robot import PROFILE_VARIABLES, bring_up
from robo_reward_bringup.robot_file import read_robot
from robo_reward_bringup.shares import robot_names, robot_path, share

ACTIONS = "robo_reward_bringup.launch_actions"
FILES = sorted((share() / "launch").glob("*.launch.py"))


@pytest.fixture
def recorded(monkeypatch):
    """Give what a launch file describes: the arguments that it declares, and the function that starts."""
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, ACTIONS, raising=False)
    for name in PROFILE_VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def read(path: Path) -> tuple[list[DeclareLaunchArgument], OpaqueFunction]:
        *arguments, start = runpy.run_path(str(path))["generate_launch_description"]().entities
        assert isinstance(start, OpaqueFunction)
        return arguments, start

    yield read
    sys.modules.pop(ACTIONS, None)


def launch_file(name: str) -> Path:
    return share() / "launch" / f"{name}.launch.py"


def of(kind, actions) -> list:
    return [each for each in actions if isinstance(each, kind)]


def test_there_is_a_launch_file_for_every_robot():
    assert {path.name.split(".")[0] for path in FILES} == {*robot_names(), "robot", "two_sim_arms", "two_ur5e"}


@pytest.mark.parametrize("robot", robot_names())
def test_a_launch_file_declares_every_argument_with_its_meaning(recorded, robot):
    arguments, _ = recorded(launch_file(robot))
    expected = [(each.name, each.default, each.doc) for each in arguments_of(read_robot(robot_path(robot)))]
    assert [(each.name, each.default_value, each.description) for each in arguments] == expected


@pytest.mark.parametrize("robot", robot_names())
def test_a_launch_file_starts_the_nodes_that_plain_python_starts(recorded, robot):
    given = {"reward_model": "/fitted", "namespace": "left", "log_level": "debug", "reward": "/reward"}
    arguments, start = recorded(launch_file(robot))
    actions = start.execute(**{each.name: each.default_value for each in arguments} | given)
    described = bring_up(read_robot(robot_path(robot)), given)
    nodes = of(Node, actions)
    assert [(each.package, each.executable) for each in nodes] == [(e.package, e.executable) for e in described.nodes]
    for action, node in zip(nodes, described.nodes, strict=True):
        assert (action.name, action.namespace) == (node.name, "/left")
        assert action.parameters == [
            {name: list(value) if isinstance(value, tuple) else value for name, value in node.parameters.items()}
        ]
        assert dict(action.remappings) == dict(node.remappings)
        assert action.ros_arguments == ["--log-level", "debug"]
        assert (action.respawn, action.respawn_delay, action.on_exit) == (True, 1.0, None)
        assert isinstance(action, LifecycleNode) == node.lifecycle
    assert {each.name: each.value for each in of(SetEnvironmentVariable, actions)} == dict(described.environment)
    assert set(described.environment) == set(PROFILE_VARIABLES)
    kinds = [type(each) for each in actions]
    assert kinds.index(Node) > kinds.index(SetEnvironmentVariable), "only what starts later has a variable"


def test_every_start_of_the_reward_node_is_followed_by_its_activation_by_a_new_action(recorded):
    _, start = recorded(launch_file("ur5e"))
    actions = start.execute(reward_model="/fitted", activation_timeout="7")
    (registered,) = of(RegisterEventHandler, actions)
    handler = registered.event_handler
    assert handler.target_action in actions
    assert actions.index(registered) < actions.index(handler.target_action), "the first start must be heard"
    first, second = (handler.on_start(None, None) for _ in range(2))
    assert first[0] is not second[0], "launch executes an action only once"
    assert (first[0].executable, first[0].parameters) == ("activate", [{"node": "/reward_node", "timeout": 7.0}])
    assert not first[0].respawn


def test_without_autostart_nothing_is_activated_and_without_respawn_an_end_ends_everything(recorded):
    _, start = recorded(launch_file("ur5e"))
    actions = start.execute(reward_model="/fitted", autostart="false", respawn="false")
    assert of(RegisterEventHandler, actions) == []
    assert {each.on_exit.reason for each in of(Node, actions)} == {
        f"/{name} ended, and respawn is off" for name in ("robot_ok_relay", "reward_node", "gate_node")
    }


@pytest.mark.parametrize("pair", ["two_sim_arms", "two_ur5e"])
def test_two_arms_start_in_two_namespaces(recorded, pair):
    arguments, start = recorded(launch_file(pair))
    assert "namespace" not in [each.name for each in arguments]
    actions = start.execute(reward_model="/fitted")
    names = [f"{each.namespace}/{each.name}" for each in of(Node, actions)]
    assert len(set(names)) == len(names) == 6
    assert {each.namespace for each in of(Node, actions)} == {"/left", "/right"}


def test_any_robots_file_can_be_launched(recorded, tmp_path):
    (tmp_path / "mine.yaml").write_text("about: x\ncameras: {front: {topic: front/image_raw}}")
    _, start = recorded(launch_file("robot"))
    nodes = of(Node, start.execute(robot=str(tmp_path / "mine.yaml"), reward_model="/fitted", discount="0.9"))
    assert [each.name for each in nodes] == ["reward_node", "gate_node"]
    assert nodes[0].parameters[0]["discount"] == 0.9


def test_arguments_of_a_launch_file_that_includes_ours_are_none_of_our_business(recorded):
    _, start = recorded(launch_file("so101"))
    assert len(of(Node, start.execute(reward_model="/fitted", somebody_elses="1"))) == 2


def test_real_launch_is_used_where_it_is_installed():
    pytest.importorskip("launch_ros", reason="ros2 launch comes with an installation of ROS, not as a wheel")
    assert import_module(ACTIONS).launch_robot("ur5e").entities
