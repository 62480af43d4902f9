"""What a learner is paid for its own transitions, whatever the cameras' rate and whatever gets lost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.reward_gate import GateLimits, Refusal, RewardGate
from robo_reward_ros.transition_alignment import TransitionAlignment

SECOND = 1_000_000_000
PERIOD = SECOND // 10
DISCOUNT = 0.9
NUMBERLESS = dict.fromkeys(("reward", "potential", "task_reward"), math.nan)


def answer(number: int, potential: float, before: float = 0.0, /, **changes) -> Answer:
    """The answer to the set of pictures taken after `number` tenths of a second."""
    given_ = {
        "status": Status.OK,
        "stamp_ns": SECOND + number * PERIOD,
        "sequence": number,
        "views": ("front",),
        "spread": 0.1,
        "potential": potential,
        "reward": DISCOUNT * potential - before,
        "task_reward": 0.0,
        "discount": DISCOUNT,
        "steps": 1,
        "session": 5,
        "episode": 2,
    }
    return Answer(**(given_ | changes))


def doubtful(number: int, **changes) -> Answer:
    said = {"status": Status.LOW_CONFIDENCE, "reason": "the model abstained"}
    return answer(number, 0.0, **(NUMBERLESS | said | changes))


def ended(number: int, potential: float, /, **changes) -> Answer:
    """As the reward node marks an outcome: for the last picture, without a new one."""
    end = {"sequence": number + 1, "views": (), "terminated": True, "reward": -potential, "task_reward": 1.0}
    return answer(number, potential, **(end | {"success": True} | changes))


def begun(potential: float = 0.2, **settings) -> TransitionAlignment:
    alignment = TransitionAlignment(DISCOUNT, **({"tolerance": 0.01, "max_hold": 1.0} | settings))
    alignment.begin(answer(0, potential))
    return alignment


def stamp(number: int) -> int:
    return SECOND + number * PERIOD


class Judged:
    """An alignment behind a gate, as the environment has it."""

    def __init__(self, potential: float) -> None:
        self.gate = RewardGate(GateLimits(max_age=0.5, silent_after=1.0, discount=DISCOUNT))
        first = answer(0, potential)
        assert self.gate.judge(first, now_ns=first.stamp_ns, now=0.0) is None
        self.alignment = begun(potential, max_hold=math.inf)

    def hear(self, heard: Answer) -> None:
        self.alignment.take(heard, self.gate.judge(heard, now_ns=heard.stamp_ns, now=0.0))


ARRIVALS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["once", "twice", "lost", "doubtful"])), min_size=1, max_size=30
)


@given(ARRIVALS, st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=10), st.booleans())
def test_over_an_episode_rewards_add_up_to_the_difference_of_its_potentials(arrivals, transitions, terminates):
    judged, heard = Judged(0.3), 0
    total, discount, last, said = 0.0, 1.0, 0.3, []
    for sets, steps in transitions:
        for potential, fate in arrivals[heard : heard + sets]:
            heard += 1
            told = doubtful(heard) if fate == "doubtful" else answer(heard, potential)
            if fate != "lost":
                judged.hear(told)
                said.append(told)
            for again in reversed(said) if fate == "twice" else ():  # as a bridge or a recorder may
                judged.hear(again)
            last = potential if fate in ("once", "twice") else last
        if terminates and (sets, steps) == transitions[-1]:
            judged.hear(ended(heard, last, sequence=heard + 1))
        settled = judged.alignment.settle(stamp(heard), steps=steps)
        total += discount * settled.shaping_reward
        discount *= settled.discount
        if settled.terminated:
            break
    expected = (0.0 if settled.terminated else discount * last) - 0.3
    assert total == pytest.approx(expected, abs=1e-12)
    assert not settled.truncated


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.booleans())
def test_several_answers_in_one_transition_compose_with_their_own_discounts(potentials, terminates):
    judged, before, composed, discount = Judged(0.4), 0.4, 0.0, 1.0
    for number, potential in enumerate(potentials, 1):
        judged.hear(answer(number, potential, before))
        composed += discount * (DISCOUNT * potential - before)
        discount, before = discount * DISCOUNT, potential
    if terminates:
        judged.hear(ended(len(potentials), before))
        composed += discount * -before
    settled = judged.alignment.settle(stamp(len(potentials)), steps=len(potentials))
    assert settled.shaping_reward == pytest.approx(composed, abs=1e-12)
    assert settled.answers == len(potentials)
    assert settled.discount == DISCOUNT ** len(potentials)


def test_a_picture_later_than_the_observation_belongs_to_the_next_transition():
    alignment = begun(0.2)
    alignment.take(answer(1, 0.5), None)
    alignment.take(answer(2, 0.7), None)
    assert alignment.settle(stamp(1), steps=1).shaping_reward == DISCOUNT * 0.5 - 0.2
    assert alignment.settle(stamp(2), steps=1).shaping_reward == DISCOUNT * 0.7 - 0.5


def test_a_potential_that_does_not_come_is_held_and_paid_when_the_next_one_comes():
    alignment = begun(0.2)
    alignment.take(doubtful(1), Refusal.STATUS)
    held = alignment.settle(stamp(1), steps=1)
    assert (held.held, held.shaping_reward) == (True, DISCOUNT * 0.2 - 0.2)
    assert held.reason == "the potential of 0.1 s ago is held; the last word was LOW_CONFIDENCE: the model abstained"
    assert held.status == Status.LOW_CONFIDENCE
    alignment.take(answer(2, 0.8), None)
    caught_up = alignment.settle(stamp(2), steps=1)
    assert (caught_up.held, caught_up.shaping_reward) == (False, DISCOUNT * 0.8 - 0.2)


def test_held_for_too_long_the_episode_is_truncated_with_its_potential_kept():
    alignment = begun(0.2, max_hold=0.25)
    assert not alignment.settle(stamp(2), steps=1).truncated
    cut = alignment.settle(stamp(3), steps=1)
    assert (cut.truncated, cut.terminated, cut.potential) == (True, False, 0.2)
    assert cut.shaping_reward == DISCOUNT * 0.2 - 0.2
    assert cut.reason == "no reward passed for 0.3 s, allowed are 0.25 s; the last word was OK"
    assert not alignment.running


def test_at_a_terminal_state_the_potential_counts_as_zero_and_the_node_says_the_task_reward():
    alignment = begun(0.2)
    alignment.take(answer(1, 0.9), None)
    alignment.take(ended(1, 0.9, task_reward=10.0), None)
    end = alignment.settle(stamp(1), steps=3)
    assert (end.terminated, end.truncated, end.success) == (True, False, True)
    assert (end.shaping_reward, end.task_reward, end.reward) == (-0.2, 10.0, 10.0 - 0.2)


def test_a_failure_terminates_without_the_task_reward():
    alignment = begun(0.2)
    alignment.take(ended(0, 0.2, success=False, task_reward=0.0), None)
    end = alignment.settle(stamp(1), steps=1)
    assert (end.terminated, end.success, end.task_reward, end.shaping_reward) == (True, False, 0.0, -0.2)


def test_an_end_that_the_node_marked_while_nothing_was_fit_to_be_paid_still_pays_by_the_law():
    alignment = begun(0.2, success_reward=7.0)
    alignment.take(ended(1, 0.2, **NUMBERLESS, status=Status.ROBOT_STOPPED), Refusal.STATUS)
    end = alignment.settle(stamp(1), steps=1)
    assert (end.terminated, end.shaping_reward, end.task_reward) == (True, -0.2, 7.0)


def test_an_end_that_the_caller_noted_counts_once():
    alignment = begun(0.2, success_reward=3.0)
    alignment.end(success=True)
    alignment.take(ended(0, 0.2), None)
    end = alignment.settle(stamp(1), steps=1)
    assert (end.terminated, end.success, end.task_reward) == (True, True, 3.0)


def test_an_episode_that_the_node_cuts_is_truncated_for_its_reason_with_the_last_potential_kept():
    alignment = begun(0.2)
    alignment.take(answer(1, 0.6), None)
    alignment.take(doubtful(1, sequence=2, truncated=True, reason="the operator ended the episode"), Refusal.STATUS)
    cut = alignment.settle(stamp(1), steps=1)
    assert (cut.terminated, cut.truncated, cut.potential) == (False, True, 0.6)
    assert cut.shaping_reward == DISCOUNT * 0.6 - 0.2
    assert cut.reason == "the operator ended the episode"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"episode": 3}, "the reward node began another episode"),
        ({"session": 6, "episode": 0}, "the reward node was started again"),
    ],
)
def test_a_reward_of_another_episode_or_session_cuts_and_is_never_counted(changes, reason):
    alignment = begun(0.2)
    alignment.take(answer(1, 0.9, **changes), None)
    cut = alignment.settle(stamp(1), steps=1)
    assert (cut.truncated, cut.potential, cut.answers, cut.reason) == (True, 0.2, 0, reason)


@pytest.mark.parametrize("changes", [{"episode": 1}, {"session": 4, "episode": 9}])
def test_what_is_left_of_an_earlier_episode_is_not_heard(changes):
    alignment = begun(0.2)
    alignment.take(answer(1, 0.9, **changes), None)
    settled = alignment.settle(stamp(1), steps=1)
    assert (settled.truncated, settled.held, settled.potential) == (False, True, 0.2)


def test_an_answer_without_a_number_is_an_answer_but_a_heartbeat_is_none():
    alignment = begun(0.2)
    alignment.take(doubtful(1, views=()), Refusal.STATUS)
    assert not alignment.answered(stamp(1))
    alignment.take(doubtful(1), Refusal.STATUS)
    assert alignment.answered(stamp(1))
    assert alignment.answered(stamp(1) + SECOND // 200)  # within the tolerance
    assert not alignment.answered(stamp(2))


def test_the_success_latch_counts_from_the_observation_that_saw_it():
    alignment = begun(0.2)
    alignment.take(answer(2, 0.9, success=True), None)
    assert not alignment.succeeded(stamp(1))
    assert alignment.succeeded(stamp(2))
    assert not alignment.settle(stamp(1), steps=1).success
    assert alignment.settle(stamp(2), steps=1).success


def test_no_episode_begins_without_a_potential_or_is_settled_after_its_end():
    alignment = TransitionAlignment(DISCOUNT, tolerance=0.0, max_hold=1.0)
    with pytest.raises(ValueError, match="begins at a known potential; the answer has status LOW_CONFIDENCE"):
        alignment.begin(doubtful(0))
    with pytest.raises(ValueError, match="no episode is running: begin one first"):
        alignment.settle(stamp(0), steps=1)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"tolerance": -0.1}, "tolerance must be >= 0 s and finite, got -0.1"),
        ({"max_hold": 0.0}, "max_hold must be > 0 s, got 0.0"),
        ({"discount": 1.5}, r"discount must be in \(0, 1\], got 1.5"),
    ],
)
def test_settings_out_of_their_range_are_refused(settings, text):
    discount = settings.pop("discount", DISCOUNT)
    with pytest.raises(ValueError, match=text):
        TransitionAlignment(discount, **({"tolerance": 0.01, "max_hold": 1.0} | settings))
