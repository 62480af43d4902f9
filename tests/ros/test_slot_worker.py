"""The worker's slot: newest first, in order, nothing out of date."""

from threading import Event
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robo_reward_ros.slot_worker import SlotWorker
from ros_pictures import until


@pytest.fixture
def slow():
    """A worker that waits at a gate, and what it delivered."""
    gate, started, delivered = Event(), [], []

    def work(job):
        started.append(job)
        assert gate.wait(10)
        return job

    worker = SlotWorker(work, delivered.append)
    yield worker, gate, started, delivered
    gate.set()
    assert worker.close(5)


def test_of_jobs_that_come_meanwhile_the_newest_is_worked_on(slow):
    worker, gate, started, delivered = slow
    worker.offer(0)
    until(lambda: started)
    for job in (1, 2, 3):
        worker.offer(job)
    gate.set()
    until(lambda: len(delivered) == 2)
    assert delivered == [0, 3]
    assert worker.dropped == 2


def test_a_result_of_an_earlier_generation_is_not_delivered(slow):
    worker, gate, started, delivered = slow
    worker.offer("old")
    until(lambda: started)
    worker.offer("waits, old")
    worker.begin_generation()
    worker.offer("new")
    gate.set()
    until(lambda: delivered)
    assert (started, delivered) == (["old", "new"], ["new"])


def test_a_job_that_waits_is_not_begun_once_another_generation_has(slow):
    worker, gate, started, _ = slow
    worker.offer("at work")
    until(lambda: started)
    worker.offer("waits")
    worker.begin_generation()
    gate.set()
    until(lambda: worker.idle)
    assert started == ["at work"]


def test_a_call_comes_after_the_job_at_work_and_before_the_one_that_waits(slow):
    worker, gate, started, delivered = slow
    order = []
    worker.offer("first")
    until(lambda: started)
    worker.offer("second")
    future = worker.call(lambda: order.append(list(delivered)) or "answer")
    gate.set()
    assert future.result(5) == "answer"
    until(lambda: len(delivered) == 2)
    assert order == [["first"]]


def test_an_error_of_a_call_is_the_callers_and_the_worker_lives(slow):
    worker, gate, _, delivered = slow
    gate.set()
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 / 0).result(5)
    worker.offer(1)
    until(lambda: delivered)
    assert worker.alive


def test_close_says_when_the_worker_is_still_busy_and_nothing_is_delivered_after_it(slow):
    worker, gate, started, delivered = slow
    worker.offer(1)
    until(lambda: started)
    assert not worker.close(0.01)
    assert worker.busy_for > 0
    gate.set()
    assert worker.close(5)
    assert not worker.alive
    assert delivered == []


@given(st.lists(st.sampled_from(["offer", "generation", "wait"]), max_size=30))
def test_deliveries_are_in_order_and_of_their_generation(events):
    generation, delivered = 0, []
    worker = SlotWorker(lambda job: job, lambda job: delivered.append((job, generation)))
    offered = 0
    for event in events:
        if event == "offer":
            worker.offer((offered, generation))
            offered += 1
        elif event == "generation":
            worker.begin_generation()
            generation += 1
        else:
            sleep(0.0005)
    assert worker.close(5)
    jobs = [job for job, _ in delivered]
    assert jobs == sorted(set(jobs))
    assert all(born == told for (_, born), told in delivered)
