from dataclasses import replace

import numpy as np
import pytest
import torch
from demonstrations import demonstration

from robo_reward.clip import Episode
from robo_reward.errors import DataSetError
from robo_reward.training.recordings import labelled_by_time_left, labelled_clips, progress_of_steps


@pytest.mark.parametrize(
    ("step", "progress"),
    [
        ([0, 0, 0, 0], [0, 0.25, 0.5, 0.75]),
        ([-1, -1, 0, 1, -1, -1], [0, 0, 0, 0.5, 1, 1]),
        ([0, 0, -1, -1, 1, 1], [0, 0.25, 0.5, 0.5, 0.5, 0.75]),  # between two steps: where the first one ended
        ([0, -1, 0, 0, 1], [0, 0.125, 0.25, 0.375, 0.5]),  # inside one: part of it
        ([0, 0, 0, 0, 1, 1], [0, 0.125, 0.25, 0.375, 0.5, 0.75]),  # long or short, a step is worth the same
        ([1, 1, 2], [1 / 3, 0.5, 2 / 3]),
    ],
)
def test_every_step_is_an_equal_share(step, progress):
    assert progress_of_steps(np.array(step), episode=0).tolist() == pytest.approx(progress)


@pytest.mark.parametrize("step", [[-1, -1], [0, 1, 0], [2, -1, 1]])
def test_steps_that_are_none_or_go_backwards_are_refused(step):
    with pytest.raises(DataSetError, match="episode 7: step numbers must not go backwards, and some must be >= 0"):
        progress_of_steps(np.array(step), episode=7)


class Source:
    """Says of each episode's frames which step they are of."""

    description, fps, episodes, column_names = "steps", 10.0, (), ("step",)

    def columns(self, episode, names):
        assert names == ["step"]
        return {"step": np.repeat([0, 1], episode.num_frames // 2)}

    def clips(self, episode, *, num_frames):
        raise NotImplementedError

    def fingerprint(self, episode, camera):
        raise NotImplementedError


def recorded(success) -> Episode:
    return Episode(
        index=0,
        instruction="make it green",
        cameras=("front", "wrist"),
        stamp=torch.arange(8, dtype=torch.float64),
        terminated=True,
        success=None if success is None else torch.tensor([False] * 7 + [success]),
    )


@pytest.mark.parametrize(
    ("said", "unknown", "counts"), [(True, False, True), (False, True, False), (None, True, True), (None, None, None)]
)
def test_success_is_what_was_said_or_what_counts_where_nobody_did(said, unknown, counts):
    pairs = [(recorded(said), demonstration(8).clip)]
    (clip,) = labelled_clips(Source(), pairs, steps_column=None, unknown_success=unknown)
    assert clip.success is counts
    assert clip.progress is None


def test_a_column_of_steps_becomes_progress():
    pairs = [(replace(recorded(True), index=3), demonstration(8).clip)]
    (clip,) = labelled_clips(Source(), pairs, steps_column="step", unknown_success=True)
    assert clip.progress.tolist() == pytest.approx(np.linspace(0, 7 / 8, 8).tolist())


def test_by_time_left_frames_equally_far_from_the_end_get_the_same_label_however_long_the_demonstration():
    long, short = (demonstration(frames) for frames in (11, 5))
    told = labelled_by_time_left([short, long])
    assert told[1].target.tolist() == pytest.approx(np.linspace(0, 1, 11).tolist())
    assert told[0].target.tolist() == pytest.approx(told[1].target[-5:].tolist())
    assert told[0].target.tolist() != short.target.tolist()  # whose own time would have it begin at 0


def test_by_time_left_seconds_count_not_frames():
    slow = demonstration(3)
    slow = replace(slow, clip=replace(slow.clip, stamp=slow.clip.stamp * 10))
    assert labelled_by_time_left([slow, demonstration(11)])[0].target.tolist() == pytest.approx([0, 0.5, 1])


def test_one_demonstration_in_ten_that_dawdles_does_not_set_the_scale():
    told = labelled_by_time_left([demonstration(101), *[demonstration(11)] * 19])
    assert told[1].target[0] == 0
    assert told[0].target.tolist() == pytest.approx([0.0] * 91 + np.linspace(0.1, 1, 10).tolist())


def test_failures_tell_no_time_left_and_keep_what_they_have():
    failed = replace(demonstration(20), success=False)
    told = labelled_by_time_left([demonstration(5), failed])
    assert told[1] is failed
    assert told[0].target[0] == 0  # the longest success sets the scale, not a failure


def test_time_left_of_what_is_labelled_already_or_takes_no_time_is_refused():
    labelled = replace(demonstration(5), progress=torch.linspace(0, 1, 5))
    with pytest.raises(ValueError, match=r"episodes \[1\] have labels of progress already"):
        labelled_by_time_left([demonstration(5), labelled])
    with pytest.raises(ValueError, match="no success that lasts longer than a frame"):
        labelled_by_time_left([replace(demonstration(5), success=False), demonstration(1)])
