"""What is wrong is told, and the node's lifecycle state stays clean; over real DDS."""

import shutil

import pytest
from ros_pictures import picture, until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from rclpy.parameter import Parameter
from robo_reward_msgs.msg import RewardStamped
from ros_bench import watch

bench, fitted = ros_bench.bench, ros_bench.fitted


@pytest.fixture
def damaged(fitted, tmp_path):
    """Folders of fitted models of which something is missing or changed."""
    for name in ("missing", "changed"):
        shutil.copytree(fitted, tmp_path / name)
    for file in (tmp_path / "missing" / "weights").iterdir():
        file.unlink()
    for file in (tmp_path / "changed" / "weights").iterdir():
        file.write_bytes(file.read_bytes()[:-4] + b"\0\1\2\3")
    return {"FITTED": str(fitted), "MISSING": str(tmp_path / "missing"), "CHANGED": str(tmp_path / "changed")}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"reward_model": ""}, "reward_model is empty: give a choice such as process"),
        ({"reward_model": "nonsense"}, "nonsense"),
        ({"reward_model": "/nowhere/model.yaml"}, "reward_model=/nowhere/model.yaml: there is no such file"),
        ({"reward_model": "/nowhere/"}, "/nowhere was not written by `robo-reward fit`"),
        ({"reward_model": "process"}, "this process reward was not fitted: give it at least one demonstration"),
        ({"reward_model": "process", "demonstrations": "/nowhere"}, "/nowhere"),
        ({"reward_model": "MISSING"}, "weights"),
        ({"reward_model": "CHANGED"}, "holds other tensors than its name says: the file was changed"),
        ({"reward_model": "FITTED", "cameras": ["side"]}, "shown black pictures of ['side']"),
        ({"reward_model": "FITTED", "instruction": "dance"}, "has no model for instruction ['dance']"),
        ({"overrides": ["nonsense=1"]}, "nonsense"),
        ({"cameras": []}, "cameras is empty"),
        ({"image_topics": ["one", "two"]}, "image_topics must have one topic for each of ['front']"),
        ({"image_topics": ["no topic!"]}, "topic"),
        ({"optional_cameras": ["front"]}, "at least one camera must be required"),
        ({"optional_cameras": ["side"]}, "optional_cameras ['side'] are none of the cameras"),
        ({"reliable_cameras": ["side"]}, "reliable_cameras ['side'] are none of the cameras"),
        ({"state_names": ["width"]}, "state_topics must have one entry for each of state_names"),
        (
            {
                "state_names": ["width"],
                "state_topics": ["/w"],
                "state_types": ["no_msgs/msg/None"],
                "state_fields": ["data"],
            },
            "state_types: no_msgs/msg/None is not installed",
        ),
        (
            {"state_names": ["width"], "state_topics": ["no topic!"], "state_types": ["Float64"]},
            "topic",
        ),
        ({"discount": 1.5}, "Parameter discount out of range Min: 1e-06, Max: 1.0, value: 1.5"),
        ({"discount": 1}, "Trying to set parameter 'discount' to '1' of type 'INTEGER', expecting type 'DOUBLE'"),
        ({"shaping": "cubic"}, "shaping must be one of linear, exponential, sigmoid; got 'cubic'"),
        ({"cameras": "front"}, "cameras must be strings"),
        ({"rig": "/nowhere/rig.yaml"}, "rig /nowhere/rig.yaml cannot be read"),
    ],
)
def test_a_configuration_that_is_wrong_is_told_and_leaves_the_node_unconfigured(bench, damaged, wrong, text, capfd):
    wrong = {name: damaged.get(value, value) if isinstance(value, str) else value for name, value in wrong.items()}
    live, told = bench(begin=False, **wrong), []
    assert not live.change("configure")
    assert live.state == "unconfigured"

    def said() -> bool:
        told.append(capfd.readouterr().err)
        _, _, message = "".join(told).partition("on_configure: ")
        return text in message

    until(said)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("discount", 1.5, "Parameter discount out of range Min: 1e-06, Max: 1.0, value: 1.5"),
        ("shaping", "cubic", "shaping must be one of linear, exponential, sigmoid; got 'cubic'"),
        ("image_reliability", "perhaps", "image_reliability must be one of best_effort, reliable, auto; got 'perhaps'"),
        ("state_scales", ["one"], "state_scales must be numbers"),
        ("cameras", [1, 2], "cameras must be strings"),
    ],
)
def test_a_parameter_of_a_wrong_value_is_refused_and_the_old_one_stays(bench, name, value, text):
    live = bench(begin=False)
    before = live.node.get_parameter(name).value
    (answer,) = live.node.set_parameters([Parameter(name, value=value)])
    assert (answer.successful, answer.reason) == (False, text)
    assert live.node.get_parameter(name).value == before
    assert live.change("configure")


def test_a_node_that_was_refused_once_is_configured_once_it_is_right(bench):
    live = bench(begin=False, cameras=["front", "side"], discount=7.0)
    assert not live.change("configure")
    assert live.node.set_parameters([Parameter("discount", value=0.9)])[0].successful
    assert not live.change("configure")
    live.node.set_parameters([Parameter("cameras", value=["front"])])
    live.start()
    watch(live, 0.1, 0.2)
    assert live.answered()[-1].status == RewardStamped.OK


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ("yuv422", "encoding 'yuv422' is not read; allowed: rgb8"),
        ("32FC1", "encoding '32FC1' is not read"),
        ("", "encoding '' is not read"),
        ("rgba8", "rgba8"),  # which the picture's step contradicts
    ],
)
def test_a_wrong_encoding_gives_no_reward_and_the_node_stays_active(bench, encoding, reason):
    live = bench()
    watch(live, 0.1)
    live.show(picture(0.2), encoding=encoding)
    until(lambda: live.rewards[-1].status == RewardStamped.STALE_INPUT)
    assert reason in live.rewards[-1].reason
    assert live.values == []
    assert live.state == "active"
    watch(live, 0.3)
    assert live.answered()[-1].status == RewardStamped.OK


def test_transitions_that_there_are_none_of_leave_the_state_as_it_is(bench):
    live = bench(begin=False)
    for transition in ("activate", "deactivate", "cleanup"):
        assert not live.change(transition)
        assert live.state == "unconfigured"
    live.start()
    assert not live.change("configure")
    assert live.state == "active"
