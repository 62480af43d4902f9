"""Whether rewards may be given: the gravest reason wins, and it goes when its cause goes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robo_reward_ros.answer import Status
from robo_reward_ros.health import Health, HealthLimits

LIMITS = HealthLimits(required=("front", "wrist"), stale_after=0.5, inference_timeout=2.0, heed_robot=True)


def well(now: float = 10.0) -> Health:
    health = Health(LIMITS, now=now)
    health.robot_said(ok=True, now=now)
    for camera in LIMITS.required:
        health.picture_came(camera, now=now)
    health.set_came(now=now)
    return health


def test_nothing_against_a_reward_is_ok():
    assert well().verdict(now=10.5) == (Status.OK, "")


def test_the_gravest_reason_is_the_status():
    health = well()
    causes = [
        (Status.STALE_INPUT, lambda: None),
        (Status.FAULT, lambda: health.failed("RuntimeError: broken")),
        (Status.ROBOT_STOPPED, lambda: health.robot_said(ok=False, now=12.0)),
        (Status.DISABLED, lambda: health.enable(enabled=False)),
    ]
    for status, happen in causes:
        happen()
        assert health.verdict(now=12.0)[0] == status


def test_cameras_have_a_while_for_their_first_picture():
    health = Health(LIMITS, now=0.0)
    health.robot_said(ok=True, now=0.0)
    assert health.verdict(now=0.4) == (Status.WARMUP, "waiting for the first pictures")
    assert health.verdict(now=0.6) == (Status.STALE_INPUT, "no picture of front, wrist for more than 0.5 s")


def test_cameras_that_return_have_a_while_to_be_in_step():
    health = well()
    assert health.verdict(now=13.0)[0] == Status.STALE_INPUT
    for number in range(8):
        now = 13.0 + 0.1 * number
        for camera in LIMITS.required:
            health.picture_came(camera, now=now)
        assert health.verdict(now=now)[0] == (Status.OK if number < 6 else Status.SYNC)


def test_a_model_that_is_busy_too_long_is_a_fault():
    assert well().verdict(now=10.0, busy_for=2.1) == (Status.FAULT, "the model is busy for more than 2 s")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"required": ()}, "required is empty"),
        ({"stale_after": 0.0}, "stale_after must be > 0 s, got 0.0"),
        ({"robot_timeout": math.nan}, "robot_timeout must be > 0 s, got nan"),
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong, text):
    given_ = {"required": ("front",), "stale_after": 0.5, "inference_timeout": 2.0}
    with pytest.raises(ValueError, match=text):
        HealthLimits(**(given_ | wrong))


EVENTS = ("front", "wrist", "set", "robot", "stop", "fault", "mended", "blind", "sees", "off", "on", "time")


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_ok_needs_everything_at_once(events):
    health, now = Health(LIMITS, now=0.0), 0.0
    seen, robot, fault, blind, enabled = {}, False, False, False, True
    for event in events:
        now += 0.2 if event == "time" else 0.0
        if event in LIMITS.required:
            health.picture_came(event, now=now)
            seen[event] = now
        elif event == "set":
            health.set_came(now=now)
        elif event in ("robot", "stop"):
            robot = event == "robot"
            health.robot_said(ok=robot, now=now)
        elif event in ("fault", "mended"):
            fault = event == "fault"
            health.failed("broken" if fault else "")
        elif event in ("blind", "sees"):
            blind = event == "blind"
            health.unreadable("front", "broken") if blind else health.readable("front")
        elif event in ("on", "off"):
            enabled = event == "on"
            health.enable(enabled=enabled)
        fresh = all(camera in seen and now - seen[camera] <= 0.5 for camera in LIMITS.required)
        if health.verdict(now=now)[0] == Status.OK:
            assert (enabled, robot, fault, blind, fresh) == (True, True, False, False, True)


def test_an_objection_stands_until_it_is_withdrawn_and_weighs_as_its_status():
    health = well()
    health.object("camera_info of 'a'", Status.WARMUP, "none has come")
    assert health.verdict(now=10.2) == (Status.WARMUP, "camera_info of 'a': none has come")
    health.object("camera_info of 'a'", Status.FAULT, "k is zero")
    health.object("camera_info of 'b'", Status.WARMUP, "none has come")
    assert health.verdict(now=10.2) == (Status.FAULT, "camera_info of 'a': k is zero")
    health.object("camera_info of 'a'", Status.OK)
    health.object("camera_info of 'b'", Status.OK)
    assert health.verdict(now=10.2) == (Status.OK, "")
    with pytest.raises(ValueError, match="an objection is FAULT or WARMUP, or OK to withdraw it; got SYNC"):
        health.object("somebody", Status.SYNC, "no")
