"""When a policy may act; no ROS is needed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robo_reward_ros.policy_guard import PolicyGuard, PolicyLimits
from robo_reward_ros.policy_loading import load_policy

LIMITS = PolicyLimits(max_observation_age=0.5, gate_timeout=0.3, robot_timeout=1.0)


def guard(*, enabled: bool = True) -> PolicyGuard:
    """All is well at 10 s."""
    made = PolicyGuard(LIMITS, enabled=enabled)
    made.gate_said(is_open=True, now=10.0)
    made.robot_said(ok=True, now=10.0)
    return made


def asked(made: PolicyGuard, *, age: float = 0.1, missing: str = "", now: float = 10.1) -> str:
    return made.objection(observation_age=age, missing=missing, now=now)


def test_while_all_is_well_nothing_stands_against_acting():
    assert asked(guard()) == ""


def test_a_policy_that_nobody_enabled_does_not_act():
    assert asked(guard(enabled=False)) == "nobody has enabled the policy"


@pytest.mark.parametrize(
    ("age", "text"), [(0.5, ""), (0.51, "the observation is 0.51 s old"), (math.nan, "the observation is nan s old")]
)
def test_an_old_observation_stops_it(age, text):
    assert asked(guard(), age=age) == text


def test_a_missing_part_of_the_observation_stops_it_and_is_named():
    assert asked(guard(), age=math.nan, missing="tool_pose") == "nothing was heard yet on tool_pose"


def test_a_gate_that_is_closed_or_silent_stops_it():
    made = guard()
    assert asked(made, now=10.25) == ""
    assert asked(made, now=10.31) == "the gate says nothing to whether good rewards come"
    made.gate_said(is_open=False, now=10.4)
    assert asked(made, now=10.4) == "the gate says no to whether good rewards come"


def test_a_robot_that_is_stopped_or_silent_stops_it():
    made = guard()
    made.gate_said(is_open=True, now=11.0)
    assert asked(made, now=11.01) == "the robot says nothing to whether it runs as it should"
    made.robot_said(ok=False, now=11.0)
    assert asked(made, now=11.0) == "the robot says no to whether it runs as it should"


WORDS = st.lists(st.tuples(st.sampled_from(["gate", "robot"]), st.booleans(), st.floats(0, 5)), max_size=12)


@given(WORDS, st.floats(0, 6), st.floats(0, 1))
def test_nothing_but_a_recent_yes_of_everybody_lets_it_act(words, now, age):
    made, last = PolicyGuard(LIMITS, enabled=True), {}
    for who, well, at in sorted(words, key=lambda word: word[2]):
        if at > now:
            break
        made.gate_said(is_open=well, now=at) if who == "gate" else made.robot_said(ok=well, now=at)
        last[who] = (well, at)
    recent = {who: well and now - at <= {"gate": 0.3, "robot": 1.0}[who] for who, (well, at) in last.items()}
    may = recent.get("gate", False) and recent.get("robot", False) and age <= 0.5
    assert (asked(made, age=age, now=now) == "") == may


def test_what_is_not_heeded_does_not_stop_it():
    made = PolicyGuard(PolicyLimits(heed_gate=False, heed_robot=False), enabled=True)
    assert asked(made) == ""


def test_limits_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="gate_timeout must be > 0 s, got 0.0"):
        PolicyLimits(gate_timeout=0.0)


def constant(value: float, size: int = 2):
    """A policy for `module:function`."""
    return lambda observation: np.full(size, value)


def test_a_policy_is_made_by_its_function():
    policy = load_policy("test_policy_guard:constant", ("value=0.5", "size=3"))
    assert policy(None).tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("", (), "policy must be FILE.zip or module:function, got ''"),
        ("nowhere.zip", (), "policy=nowhere.zip: there is no such file"),
        ("nowhere:at_all", (), "policy=nowhere:at_all cannot be imported: No module named 'nowhere'"),
        ("math:at_all", (), "policy=math:at_all cannot be imported: module 'math' has no attribute 'at_all'"),
        ("test_policy_guard:constant", ("half",), "policy_arguments must be name=value, got 'half'"),
    ],
)
def test_a_policy_that_there_is_none_of_is_named(name, arguments, text):
    with pytest.raises(ValueError, match=text):
        load_policy(name, arguments)
