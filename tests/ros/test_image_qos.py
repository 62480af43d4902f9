"""How pictures are asked for, over real DDS, and what the log says of who offers them."""

from time import sleep

import pytest
from ros_pictures import until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.qos import QoSProfile, ReliabilityPolicy
from robo_reward_ros.ros_lifecycle import newest_only
from ros_bench import Bench, watch
from sensor_msgs.msg import Image

bench = ros_bench.bench


class Log:
    """What was written on standard error so far; `new` is what came since somebody looked."""

    def __init__(self, capfd) -> None:
        self._capfd, self._text = capfd, ""

    @property
    def new(self) -> str:
        new = self._capfd.readouterr().err
        self._text += new
        return new

    def __contains__(self, text: str) -> bool:
        self._text += self._capfd.readouterr().err
        return text in self._text


def asked(live: Bench) -> list[ReliabilityPolicy]:
    return [each.qos_profile.reliability for each in live.node.get_subscriptions_info_by_topic("/camera/image_raw")]


def driver(live: Bench, qos: QoSProfile):
    quiet = PublisherEventCallbacks(use_default_callbacks=False)
    publisher = live.client.create_publisher(Image, "camera/image_raw", qos, event_callbacks=quiet)
    live._cameras["camera/image_raw"] = publisher
    return publisher


def test_auto_asks_for_what_the_driver_offers(bench, capfd):
    live, log = bench(image_reliability="auto"), Log(capfd)
    assert asked(live) == [ReliabilityPolicy.BEST_EFFORT]
    driver(live, QoSProfile(depth=1))
    until(lambda: asked(live) == [ReliabilityPolicy.RELIABLE], seconds=10)
    watch(live, 0.1, 0.2)
    assert "camera 'front': /camera/image_raw is asked for as reliable now" in log


def test_auto_stays_with_best_effort_where_the_driver_offers_no_more(bench):
    live = bench(image_reliability="auto")
    driver(live, newest_only("best_effort"))
    watch(live, 0.1, 0.2)
    assert asked(live) == [ReliabilityPolicy.BEST_EFFORT]


@pytest.mark.parametrize("given", [{"image_reliability": "reliable"}, {"reliable_cameras": ["front"]}])
def test_a_driver_that_offers_less_than_is_asked_for_is_told(bench, capfd, given):
    live, log = bench(**given), Log(capfd)
    publisher = driver(live, newest_only("best_effort"))
    wanted = "nothing is heard from a publisher of /camera/image_raw that offers another reliability"
    until(lambda: wanted in log, seconds=10)
    publisher.publish(Image())
    assert live.answered() == []
    sleep(1.0)
    assert wanted not in log.new  # it is said once
    live.client.destroy_publisher(live._cameras.pop("camera/image_raw"))
    until(lambda: live.node.count_publishers("/camera/image_raw") == 0)
    sleep(0.5)  # the node looks several times a second
    driver(live, newest_only("best_effort"))
    until(lambda: wanted in log.new, seconds=10)  # and of another driver again


def test_the_log_tells_when_a_driver_comes_and_goes_and_when_there_are_two(bench, capfd):
    live, log = bench(), Log(capfd)
    watch(live, 0.1)
    until(lambda: "camera 'front': somebody publishes /camera/image_raw" in log)
    second = live.client.create_publisher(Image, "camera/image_raw", 1)
    until(lambda: "camera 'front': 2 publish /camera/image_raw; a reward needs one source only" in log, seconds=10)
    live.client.destroy_publisher(second)
    live.client.destroy_publisher(live._cameras.pop("camera/image_raw"))
    until(lambda: "camera 'front': nobody publishes /camera/image_raw any more" in log, seconds=10)
