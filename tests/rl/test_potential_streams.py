"""One model for several episodes gives each what a stream of its own gives it, bit for bit."""

from functools import cache

import pytest
import torch
from reward_model import random_clip
from test_every_reward_model import built

from robo_reward import Clip, Estimate, RewardStream
from robo_reward.episode_rows import join_rows, layout_of, take_rows
from robo_reward.potential_streams import PotentialStreams

MODELS = (
    "process",
    "watched",
    "perceptual_steps",
    "trajectory_match",
    "prompt_similarity",
    "object_pose",
    "vlm_process",
)
BEGINS = ((0, 4), (0, 2, 7), (0,))
"""At which frames of each of three rows an episode begins."""


@cache
def rows() -> Clip:
    clip = random_clip(time=9, batch=3, seed=5)
    present = clip.present.clone()
    present[1, 3] = False
    state = {name: numbers.clone() for name, numbers in clip.state.items()}
    for numbers in state.values():
        numbers[1, 3] = torch.nan
    return Clip(views=clip.views, present=present, stamp=clip.stamp, state=state)


def frame_set(time: int, chosen: list[int]) -> Clip:
    clip = rows()
    return Clip(
        views={name: frames[chosen, time : time + 1] for name, frames in clip.views.items()},
        present=clip.present[chosen, time : time + 1],
        stamp=clip.stamp[chosen, time : time + 1],
        state={name: numbers[chosen, time : time + 1] for name, numbers in clip.state.items()},
    )


def streamed(model, row: int) -> list[tuple[float, float] | None]:
    """Reward and potential of each frame of a row, by a stream of its own."""
    told, clip = [], rows()
    for time in range(9):
        if time in BEGINS[row]:
            stream = RewardStream(model, discount=0.97)
        views = {
            name: frames[row, time] if bool(clip.present[row, time, view]) else None
            for view, (name, frames) in enumerate(clip.views.items())
        }
        state = {name: numbers[row, time] for name, numbers in clip.state.items()}
        reward = stream.step(views, stamp=float(clip.stamp[row, time]), state=state)
        told.append(None if reward is None else (reward.reward, reward.potential))
    return told


@pytest.mark.parametrize("name", MODELS)
def test_rows_together_are_told_what_each_is_told_alone_bit_for_bit(name):
    model = built(name)
    streams = PotentialStreams(model, num_streams=3)
    alone = [streamed(model, row) for row in range(3)]
    for time in range(9):
        order = [2, 0, 1] if time % 2 else [0, 1, 2]
        for row in order:
            if time in BEGINS[row]:
                streams.begin([row])
        before = streams.last_known(order)
        arrival = streams.arrive(frame_set(time, order), order)
        for place, row in enumerate(order):
            expected = alone[row][time]
            if expected is None:
                assert time in BEGINS[row]
                continue
            after = float(arrival.potential[place])
            assert (0.97 * after - float(before[place]), after) == expected


class Tally:
    """Remembers how many frames came, and how many rows it was asked about at a time."""

    version, context = "tally", None

    def __init__(self, memory):
        self.asked, self._memory = [], memory

    def resume(self, seen, memory):
        self.asked.append(seen.stamp.shape[0])
        count = self._memory(seen, memory)
        progress = seen.stamp.float().clamp(0, 1)
        return Estimate(progress=progress, spread=progress * 0), count

    def estimate(self, clip):
        return self.resume(clip, None)[0]


def follow(model, times: int = 3) -> None:
    streams = PotentialStreams(model, num_streams=3)
    for time in range(times):
        streams.arrive(frame_set(time, [0, 1, 2]), [0, 1, 2])


def test_rows_with_memories_of_one_shape_are_asked_about_in_one_call():
    follow(model := Tally(lambda seen, _: {"stamp": seen.stamp[:, -1]}))
    assert model.asked == [3, 3, 3]


class Adding:
    """Remembers the sum of the brightness of what it saw of each row, and tells it."""

    version, context = "adding", None

    def resume(self, seen, memory):
        bright = next(iter(seen.views.values())).float().mean(dim=(1, 2, 3, 4)) / 2550
        total = bright if memory is None else memory["total"] + bright
        return Estimate(progress=total[:, None], spread=torch.zeros(len(total), 1)), {"total": total}

    def estimate(self, clip):
        return self.resume(clip, None)[0]


def test_rows_are_cut_out_of_the_memories_that_they_lie_in_once_a_memory_and_in_any_order(monkeypatch):
    streams, alone = (PotentialStreams(Adding(), num_streams=6) for _ in range(2))
    shown = [0, 1, 2, 1, 0, 2]

    def look(time: int, chosen: list[int]) -> Clip:
        return frame_set(time, [shown[row] for row in chosen])

    for together in ([0, 2, 3, 5], [1, 4]):
        streams.arrive(look(0, together), together)
    cuts = []
    monkeypatch.setattr("robo_reward.potential_streams.take_rows", lambda *given: cuts.append(1) or take_rows(*given))
    turned = [5, 1, 3, 2, 4, 0]
    told = streams.arrive(look(1, turned), turned)
    assert len(cuts) == 2 + 1  # of each memory, and into the order that was asked for
    for place, row in enumerate(turned):
        alone.arrive(look(0, [row]), [row])
        assert torch.equal(alone.arrive(look(1, [row]), [row]).potential[0], told.potential[place])
    assert len(told.potential.unique()) == 3


def test_a_memory_that_cannot_be_taken_apart_is_kept_row_by_row():
    follow(model := Tally(lambda seen, _: [float(each) for each in seen.stamp[:, -1]]))
    assert model.asked == [3, 1, 1, 1, 1, 1, 1, 1, 1, 1]


def test_rows_that_are_named_twice_or_do_not_fit_are_refused():
    streams = PotentialStreams(built("prompt_similarity"), num_streams=3)
    for wrong in ([0, 0, 1], [0, 1]):
        with pytest.raises(ValueError, match="rows must name 3 different episodes"):
            streams.arrive(frame_set(0, [0, 1, 2]), wrong)
    with pytest.raises(ValueError, match="num_streams must be >= 1, got 0"):
        PotentialStreams(built("prompt_similarity"), num_streams=0)


def test_rows_are_taken_apart_and_put_together_to_the_same():
    memory = {
        "a": torch.arange(6).reshape(3, 2),
        "names": ("x", "y"),
        "inner": {"b": torch.ones(3), "none": None, "count": 4},
    }
    assert layout_of(memory, 3) == layout_of(take_rows(memory, [0, 2, 1]), 3)
    again = join_rows([take_rows(memory, [row]) for row in range(3)])
    assert torch.equal(again["a"], memory["a"])
    assert again["names"] == ("x", "y")
    assert layout_of(memory, 2) is None
    for own in ([1.0], 0.5, (torch.ones(3),) * 3):
        assert layout_of({"a": own}, 3) is None
