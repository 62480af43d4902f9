"""How an episode went, told by its answers."""

import math

import pytest
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.episode_tally import EpisodeTally


def good(reward: float, *, stamp: float, progress: float = 0.5, episode: int = 4, **more) -> Answer:
    return Answer(
        status=Status.OK,
        reward=reward,
        potential=0.5,
        task_reward=more.pop("task_reward", 0.0),
        discount=0.9,
        progress=progress,
        stamp_ns=round(stamp * 1e9),
        views=("front",),
        episode=episode,
        **more,
    )


def other(status: Status, *, episode: int = 4, views=(), **more) -> Answer:
    return Answer(status=status, episode=episode, views=views, stamp_ns=2_000_000_000, **more)


def heard(*answers: Answer) -> EpisodeTally:
    tally = EpisodeTally()
    for answer in answers:
        tally.hear(answer)
    return tally


def test_the_return_is_the_discounted_sum_of_shaped_and_task_rewards():
    tally = heard(
        other(Status.WARMUP, views=("front",)),
        good(1.0, stamp=2.1, progress=0.4),
        good(2.0, stamp=2.2, progress=0.9),
        good(-0.5, stamp=2.2, progress=0.7, task_reward=1.0, terminated=True, success=True),
    )
    assert tally.discounted_return == pytest.approx(1.0 + 0.9 * 2.0 + 0.81 * 0.5)
    assert (tally.transitions, tally.refused, tally.episode) == (3, 1, 4)
    assert (tally.final_progress, tally.max_progress) == (0.7, 0.9)
    assert (tally.over, tally.terminated, tally.truncated, tally.success) == (True, True, False, True)
    assert tally.duration == pytest.approx(0.2)


def test_it_begins_with_the_first_set_that_is_answered():
    tally = heard(other(Status.STALE_INPUT), other(Status.WARMUP, truncated=True))
    assert (tally.episode, tally.over, tally.refused) == (None, False, 0)
    assert math.isnan(tally.max_progress)


def test_heartbeats_of_the_next_episode_do_not_end_it_but_its_pictures_do():
    begun = (other(Status.WARMUP, views=("front",)), good(1.0, stamp=2.1))
    assert not heard(*begun, other(Status.WARMUP, episode=5)).over
    assert heard(*begun, other(Status.WARMUP, episode=5, views=("front",))).truncated


def test_answers_without_a_reward_are_counted_and_add_nothing():
    begun = (other(Status.WARMUP, views=("front",)), good(1.0, stamp=2.1))
    tally = heard(*begun, other(Status.LOW_CONFIDENCE, views=("front",)), other(Status.WARMUP, truncated=True))
    assert (tally.discounted_return, tally.transitions, tally.refused) == (1.0, 1, 3)
    assert (tally.truncated, tally.final_progress) == (True, 0.5)
    assert heard(*begun, good(0.0, stamp=2.3, truncated=True), good(9.0, stamp=2.4)).discounted_return == 1.0
