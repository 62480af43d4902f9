"""What is wrong is told, and the node's lifecycle state stays clean; over real DDS."""

import pytest
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench

bench, fitted = ros_bench.bench, ros_bench.fitted


@pytest.mark.parametrize(
    "wrong",
    [
        {"reward_model": ""},
        {"reward_model": "nonsense"},
        {"reward_model": "/nowhere/model.yaml"},
        {"reward_model": "/nowhere/"},
        {"cameras": []},
        {"image_topics": ["one", "two"]},
        {"image_topics": ["no topic!"]},
        {"optional_cameras": ["front"]},
        {"optional_cameras": ["side"]},
    ],
)
def test_a_configuration_that_is_wrong_is_told_and_leaves_the_node_unconfigured(bench, wrong, capfd):
    live, told = bench(begin=False, **wrong), []
    assert not live.change("configure")
    assert live.state == "unconfigured"
    until(lambda: "on_configure: " in (told.append(capfd.readouterr().err) or "".join(told)))
