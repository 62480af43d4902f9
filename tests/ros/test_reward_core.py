"""The core of the reward node: pictures in, answers out, without ROS."""

import math

import pytest
from core_robot import PERIOD, SHARES
from robo_reward_ros.answer import Status
from ros_pictures import START, Gated, compressed, green_model, picture, raw, tensor, until

from robo_reward import RewardStream
from robo_reward.stamps import episode_seconds


def test_live_rewards_are_those_of_a_stream_offline_bit_for_bit(robot):
    live = robot()
    live.steps(*SHARES)
    stream = RewardStream(green_model(), discount=0.99)
    offline = []
    for number, share in enumerate(SHARES):
        stamp_ns = START + (number + 1) * PERIOD
        views = {"front": tensor(picture(share))}
        offline.append(stream.step(views, stamp=episode_seconds(stamp_ns, start_ns=START + PERIOD)))
    assert live.statuses == [Status.WARMUP] + [Status.OK] * 5
    assert [(each.reward, each.progress, each.potential) for each in live.said[1:]] == [
        (each.reward, each.progress, each.potential) for each in offline[1:]
    ]
    assert [each.stamp_ns for each in live.said] == [START + (number + 1) * PERIOD for number in range(6)]


def test_an_answer_carries_the_oldest_stamp_its_age_and_what_each_camera_gave(robot):
    live = robot(cameras=("front", "wrist", "side"), optional_cameras=("side",))
    for _ in range(2):
        live.clocks.pass_by(0.1)
        now = live.clocks.ros
        live.sees(0.2, camera="wrist", stamp_ns=now - 5_000_000)
        live.sees(0.2, camera="front", stamp_ns=now - 12_000_000)
        live.settle()
    last = live.said[-1]
    assert last.status == Status.OK
    assert (last.stamp_ns, last.newest_stamp_ns) == (now - 12_000_000, now - 5_000_000)
    assert last.input_age == pytest.approx(0.012)
    assert last.views == ("front", "wrist", "side")
    assert last.view_present == (True, True, False)
    assert last.view_lag[:2] == pytest.approx((0.0, 0.007))
    assert math.isnan(last.view_lag[2])
    assert (last.session, last.sequence, last.steps, last.discount) == (7, 1, 1, 0.99)


def test_raw_and_compressed_pictures_of_mixed_encodings_give_the_same_rewards(robot):
    one, other = robot(), robot()
    one.steps(*SHARES)
    shown = [
        lambda pixels: raw(pixels[..., ::-1].copy(), encoding="bgr8"),
        lambda pixels: compressed(pixels, kind="png"),
        raw,
    ]
    for number, share in enumerate(SHARES):
        other.clocks.pass_by(0.1)
        other.sees(share, message=shown[number % 3](picture(share)))
        other.settle()
    assert [each.reward for each in one.said[1:]] == [each.reward for each in other.said[1:]]


def test_a_slow_model_answers_the_newest_set_and_counts_those_that_it_missed(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1)
    model.gate.clear()
    for number in range(4):
        live.clocks.pass_by(0.1)
        live.sees(0.1 * number)
        until(lambda: model.asked == 2)
    model.gate.set()
    until(lambda: len(live.said) == 3)
    assert [(each.stamp_ns - START) // PERIOD for each in live.said] == [1, 2, 5]
    assert live.said[-1].sets_dropped == 2


def test_an_answer_that_comes_too_late_carries_no_reward(robot):
    model = Gated(green_model())
    live = robot(model, max_answer_age=0.3)
    live.steps(0.1, 0.2)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: model.asked == 3)
    live.clocks.pass_by(0.4)
    model.gate.set()
    until(lambda: len(live.said) == 3)
    assert live.said[-1].status == Status.STALE_INPUT
    assert live.said[-1].reason == "the answer came when its oldest picture was 0.4 s old"


def test_a_large_spread_is_low_confidence_and_any_is_allowed_with_zero(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.core.allow_spread(1e-9)
    live.steps(0.3)
    assert live.said[-1].status == Status.LOW_CONFIDENCE
    assert "is larger than 1e-09" in live.said[-1].reason
    assert live.said[-1].progress == live.said[-1].progress
    live.core.allow_spread(0.0)
    live.steps(0.4)
    assert live.said[-1].status == Status.OK


def test_nothing_goes_out_after_close(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.2)
    until(lambda: model.asked == 2)
    assert not live.core.close(0.01)
    model.gate.set()
    assert live.core.close(5)
    live.clocks.pass_by(2.0)
    live.core.tick()
    assert len(live.said) == 1


def test_steps_follow_the_time_between_sets(robot):
    live = robot(step_duration=0.05)
    live.steps(0.1, 0.2)
    live.clocks.pass_by(0.2)
    live.steps(0.3)
    assert [each.steps for each in live.said] == [0, 2, 6]
    assert live.said[-1].discount == 0.99**6


def test_the_stages_are_timed(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.settle()
    assert set(live.core.timing.summary()) == {"receive", "synchronise", "wait", "read", "model", "age"}
