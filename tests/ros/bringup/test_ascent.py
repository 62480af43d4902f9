"""What is asked of a lifecycle node until it is active."""

import pytest
from robo_reward_bringup.ascent import Ascent, NotActiveError


def test_one_transition_after_the_other_and_none_while_the_node_is_busy():
    ascent = Ascent("/reward_node", timeout=10.0)
    asked = [
        ascent.next_transition(state, passed=1.0) for state in (None, "unconfigured", "configuring", None, "inactive")
    ]
    assert asked == [None, "configure", None, None, "activate"]


def test_time_is_up_with_what_it_last_was():
    ascent = Ascent("/reward_node", timeout=10.0)
    ascent.next_transition("unconfigured", passed=1.0)
    with pytest.raises(NotActiveError, match=r"/reward_node did not become active within 10 s \(it is unconfigured\)"):
        ascent.next_transition(None, passed=10.1)
    with pytest.raises(NotActiveError, match="it is silent"):
        Ascent("/x", timeout=1.0).next_transition(None, passed=2.0)


def test_a_node_that_shut_down_comes_back_by_a_new_start_only():
    with pytest.raises(NotActiveError, match="has shut down"):
        Ascent("/x", timeout=1.0).next_transition("finalized", passed=0.0)


def test_a_refusal_points_at_the_log():
    assert str(Ascent("/x", timeout=1.0).refused("configure")) == (
        "/x refused to configure: it logged why, as an error of on_configure"
    )
