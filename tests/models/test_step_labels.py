import pytest
import torch

from robo_reward.models.step_labels import step_boundaries, step_progress
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.perception.fitting import LabelledClip


def demonstration(sizes, *, seed=0, views=2, dim=24, success=True, deviation=0.2):
    """Every demonstration passes the same levels, for as long as `sizes` says."""
    levels = torch.randn(len(sizes), views, dim, generator=torch.Generator().manual_seed(77))
    step = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    noise = torch.randn(len(step), views, dim, generator=torch.Generator().manual_seed(seed))
    stamp = torch.arange(len(step), dtype=torch.float64)[None]
    cameras = ("front", "wrist", "side")[:views]
    clip = EmbeddedClip(embedding=(levels[step] + deviation * noise)[None], cameras=cameras, stamp=stamp)
    return LabelledClip(clip=clip, success=success)


def without(labelled, view, frames):
    embedding = labelled.clip.embedding.clone()
    embedding[0, frames, view] = torch.nan
    clip = EmbeddedClip(embedding=embedding, cameras=labelled.clip.cameras, stamp=labelled.clip.stamp)
    return LabelledClip(clip=clip, success=labelled.success)


def test_demonstrations_of_other_speed_get_the_same_steps():
    clips = [demonstration((10, 30, 20)), demonstration((25, 15, 12), seed=1)]
    assert step_boundaries(clips, 3) == [(10, 40), (25, 40)]


def test_each_step_is_an_equal_share_of_progress_and_linear_within():
    fast_start, slow_start = step_progress([demonstration((10, 30, 20)), demonstration((40, 15, 12), seed=1)], 3)
    assert fast_start[[0, 10, 40, 59]].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert slow_start[[0, 40, 55, 66]].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert float(fast_start[25]) == pytest.approx(1 / 3 + 15 / 30 / 3)
    for labels in (fast_start, slow_start):
        assert bool((labels.diff() > 0).all())


def test_one_step_gives_the_fraction_of_time():
    (labels,) = step_progress([demonstration((10, 30, 20))], 1)
    torch.testing.assert_close(labels, torch.linspace(0, 1, 60))


def test_a_camera_that_is_lost_for_a_while_does_not_move_the_steps():
    clip = demonstration((20, 20, 20))
    assert step_boundaries([without(clip, 0, slice(25, 38))], 3) == step_boundaries([clip], 3) == [(20, 40)]
    assert step_boundaries([without(clip, 1, slice(0, 9))], 3) == [(20, 40)]


def test_what_cannot_be_labelled_is_refused():
    clip = demonstration((20, 20, 20))
    with pytest.raises(ValueError, match="clips are empty"):
        step_progress([], 3)
    with pytest.raises(ValueError, match="successful episodes only"):
        step_progress([clip, demonstration((20, 20, 20), success=False)], 3)
    with pytest.raises(ValueError, match="disagree on cameras"):
        step_boundaries([clip, demonstration((20, 20, 20), views=1)], 3)
    with pytest.raises(ValueError, match="camera 'wrist' gave no frame"):
        step_boundaries([without(clip, 1, slice(None))], 3)
    with pytest.raises(ValueError, match="61 steps need at least as many frames, got 60"):
        step_progress([clip], 61)
