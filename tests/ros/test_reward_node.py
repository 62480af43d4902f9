"""The reward node over real DDS; needs rclpy and the built workspace."""

import math
import time

import pytest
from fake_encoder import FakeEncoder
from ros_pictures import SECOND, compressed, picture, tensor, until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from rclpy.parameter import Parameter
from robo_reward_msgs.msg import RewardStamped
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.gate_node import GateNode
from robo_reward_ros.ros_lifecycle import LATCHED
from robo_reward_ros.ros_messages import answer_of_message, reward_message, time_message
from ros_bench import watch
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, Float64

from robo_reward import RewardStream
from robo_reward.stamps import episode_seconds
from robo_reward.training.fit import load_models

bench, fitted = ros_bench.bench, ros_bench.fitted
SHARES = (0.1, 0.3, 0.35, 0.2, 0.7, 0.9)


def test_the_statuses_of_the_message_are_those_of_the_core():
    constants = {name: getattr(RewardStamped, name) for name in Status.__members__}
    assert constants == {name: int(status) for name, status in Status.__members__.items()}


def test_an_answer_survives_its_message():
    answer = Answer(
        stamp_ns=3 * SECOND + 5,
        newest_stamp_ns=3 * SECOND + 9,
        status=Status.OK,
        reward=0.1,
        potential=0.5,
        task_reward=0.0,
        views=("a", "b"),
        view_present=(True, False),
        view_lag=(0.0, 0.25),
        view_progress=(0.5, 0.5),
        session=2**60,
    )
    message = reward_message(answer, frame_id="base")
    assert message.header.frame_id == "base"
    assert repr(answer_of_message(message)) == repr(answer)
    assert set(RewardStamped.get_fields_and_field_types()) - {"header", "newest_stamp"} == set(
        Answer.__dataclass_fields__
    ) - {"stamp_ns", "newest_stamp_ns"}


def test_lifecycle_from_unconfigured_to_active_and_back(bench):
    live = bench(begin=False)
    assert live.state == "unconfigured"
    assert live.change("configure")
    assert live.state == "inactive"
    assert live.change("activate")
    assert live.state == "active"
    watch(live, 0.1, 0.2)
    assert live.change("deactivate")
    told = len(live.rewards)
    time.sleep(0.3)
    assert len(live.rewards) == told
    assert live.change("activate")
    watch(live, 0.1, 0.2)
    sessions = [each.session for each in live.answered()]
    assert sessions == sorted(sessions)
    assert len(set(sessions)) == 2
    assert live.change("deactivate")
    assert live.change("cleanup")
    assert live.state == "unconfigured"


def test_rewards_of_a_fitted_model_over_topics_are_those_of_a_stream_bit_for_bit(bench, fitted):
    live = bench(
        reward_model=str(fitted),
        cameras=["front", "wrist"],
        image_topics=["front/image_raw", "wrist/image_raw/compressed"],
        base_frame="base_link",
        sync_tolerance=0.5,  # a busy machine stamps the two pictures one after the other
    )
    stream = RewardStream(load_models(fitted, FakeEncoder())["make it green"], discount=0.99)
    offline, start = [], None
    for number, share in enumerate(SHARES):
        front, wrist = picture(share, seed=number), picture(share, seed=number + 50, height=14)
        before = len(live.answered())
        stamp = live.show(front, topic="front/image_raw")
        live.show_compressed(compressed(wrist).data, topic="wrist/image_raw/compressed")
        until(lambda before=before: len(live.answered()) > before, seconds=10)
        start = stamp if start is None else start
        views = {"front": tensor(front), "wrist": tensor(wrist)}
        offline.append(stream.step(views, stamp=episode_seconds(stamp, start_ns=start)))
    told = live.answered()
    assert [each.status for each in told] == [Status.WARMUP] + [Status.OK] * 5
    assert [(each.reward, each.progress, each.spread, each.potential) for each in told[1:]] == [
        (each.reward, each.progress, each.spread, each.potential) for each in offline[1:]
    ]
    until(lambda: len(live.values) == 5)
    assert live.values == [each.reward for each in offline[1:]]
    assert told[-1].header.frame_id == "base_link"
    assert told[-1].model_id == stream.model.version


def test_the_model_is_told_to_those_who_come_late(bench, fitted):
    live = bench(reward_model=str(fitted), cameras=["front"])
    until(lambda: live.info, seconds=10)
    info = live.info[0]
    assert (info.goal_id, info.cameras, info.required, info.topics) == (
        "make it green",
        ["front"],
        [True],
        ["/camera/image_raw"],
    )
    assert (info.potential_min, info.potential_max, info.discount) == (0.0, 1.0, 0.99)
    assert info.model_class == "robo_reward.models.process.ProcessReward"
    assert len(info.sha256) == 64
    assert math.isnan(info.success_threshold)


def test_a_silent_camera_gives_heartbeats_without_numbers_and_no_plain_reward(bench):
    live = bench(stale_after=0.3)
    watch(live, 0.1, 0.2)
    until(lambda: live.rewards[-1].status == RewardStamped.STALE_INPUT)
    until(lambda: len(live.rewards) > 6)
    assert all(math.isnan(each.reward) for each in live.rewards if each.status != RewardStamped.OK)
    assert len(live.values) == 1
    began = time.monotonic()
    watch(live, 0.3)
    assert live.answered()[-1].status == RewardStamped.OK
    assert time.monotonic() - began < 1


def test_a_picture_of_an_unknown_encoding_gives_no_reward_and_a_reason(bench):
    live = bench()
    watch(live, 0.1)
    live.show(picture(0.2), encoding="yuv422")
    until(lambda: live.rewards[-1].status == RewardStamped.STALE_INPUT)
    assert "encoding 'yuv422' is not read; allowed: rgb8" in live.rewards[-1].reason
    watch(live, 0.3)
    assert live.answered()[-1].status == RewardStamped.OK


def test_a_robot_that_is_not_well_gives_no_reward(bench):
    live = bench(use_robot_ok=True)
    until(lambda: live.rewards and live.rewards[-1].status == RewardStamped.ROBOT_STOPPED)
    live.robot_ok.publish(Bool(data=True))
    until(lambda: live.rewards[-1].status != RewardStamped.ROBOT_STOPPED)
    watch(live, 0.1, 0.2)
    live.robot_ok.publish(Bool(data=False))
    until(lambda: live.rewards[-1].status == RewardStamped.ROBOT_STOPPED)
    until(lambda: any(each.truncated for each in live.rewards))
    assert len(live.values) == 1


def test_two_arms_in_two_namespaces_do_not_hear_each_other(bench):
    one, other = bench(namespace="left"), bench(namespace="right")
    watch(one, 0.1, 0.2)
    assert [each.status for each in one.answered()] == [RewardStamped.WARMUP, RewardStamped.OK]
    assert other.answered() == []


def test_diagnostics_tell_percentiles_of_every_stage(bench):
    live = bench(diagnostics_period=0.2)
    watch(live, *SHARES)
    until(lambda: live.diagnostics and len(live.diagnostics[-1].status[0].values) > 12)
    status = live.diagnostics[-1].status[0]
    assert status.name == "/reward_node"
    told = {each.key: each.value for each in status.values}
    assert told["status"] == "OK"
    assert {"model p50, p95, max [ms]", "age p50, p95, max [ms]"} <= set(told)


def test_the_gate_passes_good_rewards_on_and_closes_when_they_cease(bench):
    live = bench(stale_after=0.3)
    passed, gate_open = [], []
    live.client.create_subscription(Float64, "gate_node/value", lambda message: passed.append(message.data), 10)
    live.client.create_subscription(Bool, "gate_node/open", lambda message: gate_open.append(message.data), LATCHED)
    live.add(GateNode(context=live.context))
    until(lambda: gate_open, seconds=10)
    assert not gate_open[-1]
    watch(live, 0.1, 0.2, 0.4)
    until(lambda: len(passed) == 2)
    assert passed == live.values
    until(lambda: live.rewards[-1].status == RewardStamped.STALE_INPUT)
    until(lambda: not gate_open[-1])
    assert any(gate_open)
    assert len(passed) == 2


def test_a_clock_that_is_set_back_begins_another_episode(bench):
    live = bench(begin=False, use_sim_time=True)
    clock = live.client.create_publisher(Clock, "/clock", 1)
    live.start()

    def at(seconds: float, share: float) -> None:
        before = len(live.rewards)
        clock.publish(Clock(clock=time_message(round(seconds * SECOND))))
        until(lambda: live.node.get_clock().now().nanoseconds == round(seconds * SECOND), seconds=10)
        live.show(picture(share), stamp_ns=round(seconds * SECOND))
        until(lambda: any(each.views for each in live.rewards[before:]), seconds=10)

    until(lambda: clock.get_subscription_count() > 0, seconds=10)
    for seconds, share in ((100.0, 0.1), (100.1, 0.2), (50.0, 0.3), (50.1, 0.4)):
        at(seconds, share)
    assert [each.status for each in live.answered()] == [RewardStamped.WARMUP, RewardStamped.OK] * 2
    assert [each.episode for each in live.answered()] == [0, 0, 1, 1]
    assert [each.truncated for each in live.rewards].count(True) == 1


def test_parameters_out_of_range_or_fixed_while_configured_are_refused(bench):
    live = bench()
    refused = live.node.set_parameters([Parameter("discount", value=0.5)])[0]
    assert (refused.successful, refused.reason) == (
        False,
        "discount takes effect when the node is configured: clean it up first",
    )
    assert not live.node.set_parameters([Parameter("max_spread", value=2.0)])[0].successful
    assert live.node.set_parameters([Parameter("max_spread", value=1e-9)])[0].successful
    watch(live, 0.1, 0.2)
    assert live.answered()[-1].status == RewardStamped.LOW_CONFIDENCE
    assert math.isnan(live.answered()[-1].reward)
