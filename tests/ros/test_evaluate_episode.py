"""The action that watches an episode, over real DDS."""

import math
from time import monotonic, sleep

import pytest
from ros_pictures import picture, until

pytest.importorskip("rclpy", reason="rclpy is not installed: `make ros` builds the workspace")
pytest.importorskip("robo_reward_msgs", reason="the messages are not built: `make ros` builds the workspace")

import ros_bench
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile
from robo_reward_msgs.action import EvaluateEpisode
from robo_reward_msgs.srv import MarkOutcome
from robo_reward_ros.ros_messages import time_message
from ros_bench import Bench, watch
from rosgraph_msgs.msg import Clock

bench = ros_bench.bench


class Asking:
    """Somebody who has an episode watched."""

    def __init__(self, live: Bench, **goal) -> None:
        self.client = ActionClient(live.client, EvaluateEpisode, "reward_node/evaluate_episode")
        assert self.client.wait_for_server(10)
        self.feedback: list[EvaluateEpisode.Feedback] = []
        sent = self.client.send_goal_async(
            EvaluateEpisode.Goal(**goal), feedback_callback=lambda told: self.feedback.append(told.feedback)
        )
        until(sent.done, seconds=10)
        self.handle = sent.result()
        self._result = self.handle.get_result_async()

    @property
    def ended(self) -> bool:
        return self._result.done()

    def result(self, *, seconds: float = 15.0):
        until(self._result.done, seconds=seconds)
        told = self._result.result()
        self.client.destroy()
        return told.status, told.result


def test_an_episode_is_watched_from_its_reset_to_its_end(bench):
    live = bench()
    watch(live, 0.9, 0.8)
    asking = Asking(live, reset=True)
    until(lambda: live.node.session.listeners)
    watch(live, 0.1, 0.3, 0.5)
    until(lambda: asking.feedback and asking.feedback[-1].latest.progress == live.answered()[-1].progress)
    live.call(MarkOutcome, "reward_node/mark_outcome", MarkOutcome.Request(outcome=MarkOutcome.Request.SUCCESS))
    status, result = asking.result()
    told = [each for each in live.rewards if each.episode == 1 and math.isfinite(each.reward)]
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert (result.episode, result.success, result.terminated, result.truncated) == (1, True, True, False)
    assert (result.transitions, result.message) == (3, "episode 1 was terminated, with success")
    paid = [each.reward + each.task_reward for each in told]
    assert result.episode_return == pytest.approx(sum(0.99**t * each for t, each in enumerate(paid)), abs=1e-12)
    assert result.final_progress == result.max_progress == live.answered()[-1].progress


def test_an_episode_that_takes_too_long_is_truncated(bench):
    live = bench()
    asking = Asking(live, timeout=1.0)
    until(lambda: live.node.session.listeners)
    watch(live, 0.1, 0.3)
    status, result = asking.result()
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert (result.truncated, result.terminated, result.transitions) == (True, False, 1)
    assert result.message == "episode 0 was truncated after 1 s"
    assert live.rewards[-1].truncated or any(each.truncated for each in live.rewards)


def test_the_time_of_an_episode_is_that_of_the_robot_s_clock(bench):
    """A simulation that stands still takes no time; one that runs fast takes much of it in no time."""
    live = bench(begin=False, use_sim_time=True)
    clock = live.client.create_publisher(
        Clock, "/clock", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    )

    def tick(seconds: float) -> None:
        clock.publish(Clock(clock=time_message(round(seconds * 1e9))))
        until(lambda: live.node.get_clock().now().nanoseconds == round(seconds * 1e9), seconds=20)

    until(lambda: clock.get_subscription_count() > 0, seconds=20)
    tick(100.0)
    live.start()
    asking = Asking(live, timeout=0.4)
    until(lambda: live.node.session.listeners)
    began = monotonic()
    for share in (0.1, 0.3):
        live.show(picture(share), stamp_ns=round(99.6e9 + share * 1e9))
        sleep(0.5)
    assert not asking.ended
    tick(100.3)
    sleep(0.3)
    assert not asking.ended
    tick(400.0)
    status, result = asking.result()
    assert monotonic() - began < 20
    assert (status, result.message) == (GoalStatus.STATUS_SUCCEEDED, "episode 0 was truncated after 0.4 s")
    assert (result.truncated, result.terminated) == (True, False)


def test_who_asked_may_lose_patience_and_the_episode_goes_on(bench):
    live = bench()
    asking = Asking(live)
    until(lambda: live.node.session.listeners)
    watch(live, 0.1, 0.3)
    until(asking.handle.cancel_goal_async().done, seconds=10)
    status, result = asking.result()
    assert (status, result.message) == (GoalStatus.STATUS_CANCELED, "canceled; the episode goes on")
    watch(live, 0.5)
    assert live.answered()[-1].episode == 0
    assert live.node.session.listeners == []


def test_without_pictures_or_an_active_node_it_is_told_what_was_missing(bench):
    live = bench(begin=False)
    assert Asking(live).result()[1].message == "the node is not active"
    live.start()
    for wrong in (-1.0, math.nan):
        assert Asking(live, timeout=wrong).result()[1].message.startswith("timeout must be >= 0 s, 0 = none; got ")
    status, result = Asking(live, timeout=0.2).result()
    assert (status, result.message) == (
        GoalStatus.STATUS_ABORTED,
        "no set of pictures was answered within 0.2 s",
    )
    assert math.isnan(result.final_progress)
    asking = Asking(live)
    until(lambda: live.node.session.listeners)
    live.change("deactivate")
    assert asking.result()[1].message == "the node was deactivated"
