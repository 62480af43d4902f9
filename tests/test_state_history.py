import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.state_history import StateHistory

MS = 1_000_000


def history(**settings) -> StateHistory:
    return StateHistory({"gripper": 1}, settings.pop("max_age", 0.1), **settings)


def said(told: StateHistory, at_ms: int) -> float:
    return float(told.at(at_ms * MS)["gripper"][0])


@given(
    stamps=st.lists(st.integers(0, 3000), unique=True).map(sorted), asked=st.integers(0, 3000), age=st.integers(0, 500)
)
def test_the_latest_word_at_or_before_counts_and_an_old_one_is_unknown(stamps, asked, age):
    told = history(max_age=age / 1000)
    for stamp in stamps:
        told.add("gripper", np.array([float(stamp)]), stamp_ns=stamp * MS)
    before = [stamp for stamp in stamps if asked - age <= stamp <= asked]
    np.testing.assert_equal(said(told, asked), before[-1] if before else np.nan)


def test_words_that_do_not_get_newer_are_left_out():
    told = history()
    for stamp, value in ((100, 1.0), (100, 2.0), (90, 3.0)):
        told.add("gripper", np.array([value]), stamp_ns=stamp * MS)
    assert said(told, 100) == 1.0
    assert np.isnan(said(told, 95))


def test_memory_is_bounded():
    told = history(keep=1.0)
    for stamp in range(0, 10_000, 10):
        told.add("gripper", np.array([float(stamp)]), stamp_ns=stamp * MS)
    assert np.isnan(said(told, 8_000))
    assert said(told, 9_000) == 9_000


def test_reset_forgets_and_lets_the_clock_begin_anew():
    told = history()
    told.add("gripper", np.array([1.0]), stamp_ns=5000 * MS)
    told.reset()
    told.add("gripper", np.array([2.0]), stamp_ns=100 * MS)
    assert said(told, 100) == 2.0


def test_every_name_is_always_there():
    told = StateHistory({"one": 2, "other": 1}, 0.1)
    told.add("other", np.array([4.0]), stamp_ns=5)
    found = told.at(5)
    np.testing.assert_array_equal(found["one"], [np.nan, np.nan])
    assert found["other"].tolist() == [4.0]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_age": -1.0}, "max_age and keep must be >= 0 s and finite, got -1 and 5"),
        ({"keep": float("inf")}, "max_age and keep must be >= 0 s and finite, got 0.1 and inf"),
    ],
)
def test_times_that_make_no_sense_are_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        history(**settings)


def test_sizes_names_and_lengths_are_checked():
    with pytest.raises(ValueError, match=r"sizes must be >= 1, got \{'gripper': 0\}"):
        StateHistory({"gripper": 0}, 0.1)
    with pytest.raises(ValueError, match="unknown state 'arm'; there are gripper"):
        history().add("arm", np.array([1.0]), stamp_ns=1)
    with pytest.raises(ValueError, match="state 'gripper' must have 1 numbers, got 2"):
        history().add("gripper", np.array([1.0, 2.0]), stamp_ns=1)
