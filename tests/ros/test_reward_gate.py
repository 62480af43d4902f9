"""The gate: what a learner or controller may be fed."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.reward_gate import GateLimits, Refusal, RewardGate

SECOND = 1_000_000_000
LIMITS = GateLimits(max_age=0.5, silent_after=1.0)
NUMBERLESS = dict.fromkeys(("reward", "potential", "task_reward"), math.nan)


def good(sequence: int = 0, **changes) -> Answer:
    given_ = {
        "status": Status.OK,
        "stamp_ns": SECOND + sequence * SECOND // 10,
        "sequence": sequence,
        "progress": 0.5,
        "spread": 0.1,
        "potential": 0.5,
        "reward": 0.01,
        "task_reward": 0.0,
        "discount": 0.99,
        "steps": 1,
        "session": 5,
        "model_id": "m",
    }
    return Answer(**(given_ | changes))


def bad(sequence: int, status: Status, **changes) -> Answer:
    return good(sequence, **(NUMBERLESS | {"status": status} | changes))


def judged(gate: RewardGate, answer: Answer, *, age: float = 0.1, now: float = 10.0) -> Refusal | None:
    before = dict(gate.refused)
    passed = gate.passes(answer, now_ns=answer.stamp_ns + round(age * SECOND), now=now)
    grown = [reason for reason, count in gate.refused.items() if count != before.get(reason, 0)]
    assert passed == (grown == [])
    return grown[0] if grown else None


@pytest.mark.parametrize("status", [status for status in Status if status != Status.OK])
def test_only_status_ok_passes(status):
    assert judged(RewardGate(LIMITS), bad(0, status)) == Refusal.STATUS


@pytest.mark.parametrize(("age", "reason"), [(0.5, None), (0.51, Refusal.STALE), (-0.05, None), (-0.06, Refusal.STALE)])
def test_old_and_future_rewards_are_refused(age, reason):
    assert judged(RewardGate(LIMITS), good(), age=age) == reason


@pytest.mark.parametrize(("spread", "reason"), [(0.2, None), (0.21, Refusal.DOUBTFUL)])
def test_doubtful_rewards_are_refused(spread, reason):
    assert judged(RewardGate(GateLimits(max_age=0.5, max_spread=0.2)), good(spread=spread)) == reason


def test_repeated_and_overtaken_messages_are_refused():
    gate = RewardGate(LIMITS)
    assert [judged(gate, good(number)) for number in (0, 2, 2, 1, 3)] == [
        None,
        None,
        Refusal.OUT_OF_ORDER,
        Refusal.OUT_OF_ORDER,
        None,
    ]


def test_a_later_message_with_an_earlier_picture_is_refused():
    gate = RewardGate(LIMITS)
    judged(gate, good(0))
    assert judged(gate, good(1, stamp_ns=SECOND)) == Refusal.OUT_OF_ORDER


def test_after_a_restart_of_the_node_the_old_session_is_refused_and_numbers_begin_anew():
    gate = RewardGate(LIMITS)
    judged(gate, good(7, episode=3))
    assert judged(gate, good(0, session=6)) is None
    assert judged(gate, good(8, episode=3)) == Refusal.OLD_SESSION


def test_an_episode_that_is_over_is_not_taken_up_again_and_its_end_passes_once():
    gate = RewardGate(LIMITS)
    judged(gate, good(0))
    end = good(1, stamp_ns=good(0).stamp_ns, terminated=True)
    assert judged(gate, end, age=30.0) is None
    assert judged(gate, good(2)) == Refusal.OUT_OF_ORDER
    assert judged(gate, good(3, episode=1, stamp_ns=SECOND // 2)) is None


def test_another_discount_or_model_than_the_learners_is_refused():
    gate = RewardGate(GateLimits(max_age=0.5, discount=0.99, model_id="m"))
    assert judged(gate, good(0, steps=3, discount=0.99**3)) is None
    assert judged(gate, good(1, discount=0.95)) == Refusal.DISCOUNT
    assert judged(gate, good(2, model_id="other")) == Refusal.MODEL


def test_a_robot_that_is_stopped_silent_or_unknown_closes_the_gate():
    gate = RewardGate(GateLimits(max_age=0.5, heed_robot=True, robot_timeout=0.3))
    assert judged(gate, good(0), now=10.0) == Refusal.ROBOT
    gate.robot_said(ok=True, now=10.0)
    assert judged(gate, good(1), now=10.2) is None
    assert gate.open(now=10.2)
    assert not gate.open(now=10.4)
    assert judged(gate, good(2), now=10.4) == Refusal.ROBOT
    gate.robot_said(ok=False, now=10.5)
    assert not gate.open(now=10.5)


def test_the_gate_is_open_while_good_rewards_come_and_closes_in_silence_or_doubt():
    gate = RewardGate(LIMITS)
    assert not gate.open(now=0.0)
    judged(gate, good(0), now=10.0)
    assert gate.open(now=11.0)
    assert not gate.open(now=11.01)
    judged(gate, good(1), now=12.0)
    judged(gate, bad(2, Status.STALE_INPUT), now=12.1)
    assert not gate.open(now=12.1)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"max_age": 0.0}, "max_age must be > 0, got 0.0"),
        ({"max_future": -1.0}, "max_future must be >= 0 s, got -1.0"),
        ({"discount": 1.5}, r"discount must be in \(0, 1\], got 1.5"),
        ({"silent_after": math.nan}, "silent_after must be > 0, got nan"),
    ],
)
def test_limits_out_of_their_range_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        GateLimits(**({"max_age": 1.0} | wrong))


def test_an_answer_that_contradicts_its_status_cannot_be_made():
    with pytest.raises(ValueError, match="status OK needs finite reward, potential and task_reward"):
        good(reward=math.nan)
    with pytest.raises(ValueError, match="status STALE_INPUT forbids a numeric reward or potential"):
        good(status=Status.STALE_INPUT)


def message(*, status: Status, end: int, **fields) -> Answer:
    numbers = {} if status == Status.OK else NUMBERLESS
    return good(**(fields | numbers), status=status, terminated=end == 1, truncated=end == 2)


answers = st.builds(
    message,
    status=st.sampled_from([Status.OK, Status.OK, Status.OK, Status.STALE_INPUT, Status.WARMUP]),
    end=st.sampled_from([0, 0, 0, 0, 1, 2]),
    sequence=st.integers(0, 12),
    session=st.integers(1, 2),
    episode=st.integers(0, 3),
    stamp_ns=st.integers(1, 10).map(lambda tenth: tenth * SECOND // 10),
    spread=st.sampled_from([0.1, 0.3]),
)


@given(st.lists(st.tuples(answers, st.floats(-0.2, 1.0)), max_size=40))
def test_whatever_comes_only_good_rewards_in_order_pass(messages):
    gate = RewardGate(GateLimits(max_age=0.5, max_spread=0.2))
    passed = [answer for answer, age in messages if judged(gate, answer, age=age) is None]
    order = [(each.session, each.sequence) for each in passed]
    assert order == sorted(set(order))
    assert all(each.status == Status.OK for each in passed)
    assert all(each.spread <= 0.2 or each.terminated for each in passed)
    for before, after in pairwise(passed):
        if before.session == after.session:
            assert before.episode <= after.episode
            assert not ((before.terminated or before.truncated) and before.episode == after.episode)
            if before.episode == after.episode:
                assert before.stamp_ns < after.stamp_ns or (after.terminated and before.stamp_ns == after.stamp_ns)


@given(st.lists(st.sampled_from(["good", "late", "bad"]), max_size=30), st.floats(0.1, 3.0))
def test_the_gate_is_never_open_longer_than_allowed_after_the_last_good_reward(kinds, silence):
    gate, now, last = RewardGate(LIMITS), 0.0, None
    for number, kind in enumerate(kinds):
        now += 0.1
        answer = bad(number, Status.FAULT) if kind == "bad" else good(number)
        if judged(gate, answer, age=0.9 if kind == "late" else 0.1, now=now) is None:
            last = now
        assert not (gate.open(now=now) and last is None)
    now += silence
    assert not gate.open(now=now) or (last is not None and now - last <= 1.0)


def test_an_episode_whose_reward_node_was_killed_is_told_as_truncated_once():
    gate = RewardGate(LIMITS)
    assert judged(gate, good(3, episode=2)) is None
    assert gate.cut() is None
    judged(gate, bad(0, Status.WARMUP, session=6))
    cut = gate.cut()
    assert cut is not None
    assert (cut.session, cut.episode, cut.sequence, cut.truncated, cut.terminated) == (5, 2, 4, True, False)
    assert (cut.status, cut.reason) == (Status.WARMUP, "the reward node was started anew")
    assert math.isnan(cut.reward)
    assert gate.cut() is None


@pytest.mark.parametrize(
    "end", [good(4, terminated=True), bad(4, Status.WARMUP, truncated=True)], ids=["terminated", "truncated"]
)
def test_an_episode_that_ended_before_its_reward_node_was_killed_is_not_cut_again(end):
    gate = RewardGate(LIMITS)
    for answer in (good(3), end, bad(0, Status.WARMUP, session=6)):
        judged(gate, answer)
    assert gate.cut() is None


def test_a_reward_node_that_was_killed_before_its_first_reward_leaves_nothing_to_cut():
    gate = RewardGate(LIMITS)
    for answer in (bad(0, Status.WARMUP), bad(0, Status.WARMUP, session=6)):
        judged(gate, answer)
    assert gate.cut() is None
