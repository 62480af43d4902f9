import threading

import pytest
import torch

from robo_reward import Clip
from robo_reward.rl.looking_ahead import LookingAhead


def frames(first: int, rows: int, *, views: int = 1) -> Clip:
    """One frame set a row, whose stamp is its number."""
    return Clip(
        views={f"camera{view}": torch.zeros(rows, 1, 3, 2, 2, dtype=torch.uint8) for view in range(views)},
        present=torch.ones(rows, 1, views, dtype=torch.bool),
        stamp=torch.arange(first, first + rows, dtype=torch.float64)[:, None],
    )


def test_rows_come_back_in_order_and_are_looked_at_in_whole_batches_before_they_are_asked_for():
    looked, begun = [], threading.Event()

    def look(clip):
        looked.append(clip.stamp.shape[0])
        begun.set()
        return clip

    ahead = LookingAhead(look)
    for step in range(10):
        ahead.take(frames(16 * step, 16))
        assert step < 3 or begun.wait(5)
    assert ahead.everything().stamp[:, 0].tolist() == list(range(160))
    assert looked == [64, 64, 32]
    ahead.take(frames(160, 16))
    assert ahead.everything().stamp[:, 0].tolist() == list(range(160, 176))


def test_pictures_of_all_cameras_count():
    looked = []
    ahead = LookingAhead(lambda clip: looked.append(clip.stamp.shape[0]) or clip)
    for step in range(8):
        ahead.take(frames(8 * step, 8, views=2))
    ahead.everything()
    assert looked == [32, 32]


def test_whoever_brings_more_than_the_encoder_can_take_waits_so_that_memory_is_bounded():
    going, brought = threading.Event(), []

    def look(clip):
        assert going.wait(20)
        return clip

    ahead = LookingAhead(look)

    def bring():
        for step in range(12):
            ahead.take(frames(64 * step, 64))
            brought.append(step)

    thread = threading.Thread(target=bring)
    thread.start()
    thread.join(0.5)
    before = len(brought)
    going.set()
    thread.join(20)
    assert before == 4
    assert len(ahead.everything().stamp) == 12 * 64


def test_an_error_of_the_encoder_is_raised_where_its_answers_are_asked_for():
    def look(clip):
        raise RuntimeError("out of memory")

    ahead = LookingAhead(look)
    ahead.take(frames(0, 64))
    with pytest.raises(RuntimeError, match="out of memory"):
        ahead.everything()
