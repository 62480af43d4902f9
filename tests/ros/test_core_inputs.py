"""Cameras that send the wrong thing, at the wrong time, or nothing: what the core of the reward node makes of it."""

import math

import pytest
from core_robot import PERIOD
from robo_reward_ros.answer import Status
from ros_pictures import SECOND, START, compressed, picture, raw


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (raw(picture(0.5), encoding="bayer_rggb8"), "encoding 'bayer_rggb8' is not read"),
        (raw(picture(0.5)[:6], encoding="rgba8"), "step says 30"),
        (compressed(picture(0.5), kind="gif"), "compressed format"),
    ],
)
def test_a_picture_that_cannot_be_read_makes_the_input_stale_at_once_and_a_good_one_ends_it(robot, message, reason):
    live = robot()
    live.steps(0.1, 0.2)
    live.clocks.pass_by(0.1)
    live.sees(0.3, message=message)
    live.core.tick()
    assert live.said[-1].status == Status.STALE_INPUT
    assert reason in live.said[-1].reason
    assert live.said[-1].pictures_refused == 1
    live.steps(0.4)
    assert live.said[-1].status == Status.OK


def test_a_damaged_jpeg_is_noticed_when_it_is_decoded(robot):
    live = robot()
    whole = compressed(picture(0.5, height=64, width=64), kind="jpeg")
    whole.data = whole.data[:400]
    live.steps(0.1)
    live.clocks.pass_by(0.1)
    live.sees(0.2, message=whole)
    live.settle()
    live.core.tick()
    assert live.statuses == [Status.WARMUP, Status.STALE_INPUT]
    assert live.said[-1].pictures_refused == 1


@pytest.mark.parametrize(
    ("offset", "name"), [(-START, "zero"), (SECOND, "future"), (-SECOND, "old"), (-PERIOD, "frozen")]
)
def test_pictures_with_a_stamp_that_cannot_be_used_are_refused_and_the_input_grows_stale(robot, offset, name):
    live = robot()
    live.steps(0.1, 0.2)
    for _ in range(6):
        live.clocks.pass_by(0.1)
        stamp = live.clocks.ros + offset
        live.sees(0.3, stamp_ns=0 if name == "zero" else START + 2 * PERIOD if name == "frozen" else stamp)
        live.settle()
        live.core.tick()
    assert live.statuses == [Status.WARMUP, Status.OK, Status.STALE_INPUT]
    assert live.said[-1].pictures_refused == 6
    live.steps(0.3)
    assert live.said[-1].status == Status.OK


def test_a_silent_camera_makes_the_input_stale_until_it_returns_and_no_number_goes_out(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.clocks.pass_by(0.6)
    live.core.tick()
    live.core.tick()
    assert live.statuses[2:] == [Status.STALE_INPUT] * 2
    assert all(math.isnan(each.reward) and math.isnan(each.potential) for each in live.said[2:])
    assert live.said[-1].reason == "no picture of front for more than 0.5 s"
    assert [each.sequence for each in live.said] == [0, 1, 2, 3]
    live.steps(0.3)
    assert live.said[-1].status == Status.OK


def test_cameras_that_are_too_far_apart_are_told_from_silent_ones(robot):
    live = robot(cameras=("front", "wrist"))
    for _ in range(7):
        live.clocks.pass_by(0.1)
        live.sees(0.1, camera="front")
        live.clocks.pass_by(0.05)
        live.sees(0.1, camera="wrist")
    live.core.tick()
    assert live.said[-1].status == Status.SYNC


def test_a_clock_that_jumps_back_begins_another_episode_and_cuts_the_one_before(robot):
    live = robot()
    live.steps(0.1, 0.5)
    live.clocks.ros -= 60 * SECOND
    live.clocks.pass_by(0.1)
    live.sees(0.2)
    live.settle()
    live.steps(0.3)
    assert live.statuses == [Status.WARMUP, Status.OK, Status.WARMUP, Status.WARMUP, Status.OK]
    assert [each.truncated for each in live.said] == [False, False, True, False, False]
    assert [each.episode for each in live.said] == [0, 0, 0, 1, 1]
    assert live.said[2].reason == "a clock jumped back"
