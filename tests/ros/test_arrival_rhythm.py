"""When a newer set is worth waiting for."""

from threading import Event, Thread
from time import monotonic, sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robo_reward_ros.arrival_rhythm import ArrivalRhythm
from robo_reward_ros.slot_worker import SlotWorker

PERIOD = 1 / 30


def rhythm(*times: float) -> ArrivalRhythm:
    made = ArrivalRhythm()
    for time in times:
        made.heard(time)
    return made


def regular(number: int = 9) -> ArrivalRhythm:
    """Arrivals at 30 Hz, the latest at time 0."""
    return rhythm(*((place + 1 - number) * PERIOD for place in range(number)))


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_without_a_rhythm_nothing_is_waited_for(number):
    assert all(regular(number).patience(0.05 * PERIOD * step) == 0 for step in range(40))


@pytest.mark.parametrize(("since", "patience"), [(0, 0), (0.74, 0), (0.76, 0.34), (1.0, 0.1), (1.09, 0.01), (1.11, 0)])
def test_the_next_is_waited_for_from_three_quarters_of_a_period_until_it_is_late(since, patience):
    assert regular().patience(since * PERIOD) == pytest.approx(patience * PERIOD, abs=1e-9)


def test_a_lost_picture_does_not_change_the_rhythm():
    times = [-8, -7, -6, -4, -3, -2, -1, 0]
    assert rhythm(*(PERIOD * each for each in times)).patience(0.9 * PERIOD) == pytest.approx(0.2 * PERIOD)


@given(st.lists(st.floats(0, 0.2), min_size=4, max_size=30), st.floats(0, 3))
def test_the_wait_ends_within_a_tenth_of_a_period_after_the_next_was_due(intervals, since):
    times = [sum(intervals[:place]) for place in range(len(intervals) + 1)]
    found = rhythm(*times)
    patience = found.patience(times[-1] + since)
    assert 0 <= patience <= 0.36 * max(intervals)
    assert patience == 0 or found.patience(times[-1] + since + patience + 1e-9) == 0


def test_a_worker_that_is_free_when_the_next_is_due_takes_the_next():
    gate, started = Event(), []

    def work(job):
        started.append((job, monotonic()))
        assert gate.wait(10)

    worker = SlotWorker(work, lambda _: None)
    for job in range(8):  # every 0.2 s
        worker.offer(job)
        sleep(0.2)
    worker.offer(8)
    Thread(target=lambda: (sleep(0.17), gate.set())).start()  # free 85 % of a period later
    sleep(0.2)
    worker.offer(9)
    sleep(0.1)
    assert [job for job, _ in started] == [0, 9]
    assert worker.close(5)
