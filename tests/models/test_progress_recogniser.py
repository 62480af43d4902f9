import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.models.progress_recogniser import (
    ProgressRecogniser,
    discount_from_progress,
    followed_in_order,
    longest_increasing,
)


def path(num_frames=50, *, seed=None):
    angle = torch.linspace(0, math.pi, num_frames, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    if seed is None:
        return circle
    return circle + 1e-3 * torch.randn(
        num_frames, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_repeats_and_steps_back_do_not_count():
    assert longest_increasing([0, 1, 2, 2, 1, 3]) == 4
    assert longest_increasing([3, 3, 3]) == 1
    assert longest_increasing([]) == 0


@given(matches=st.lists(st.integers(0, 6), max_size=9))
def test_no_increasing_subsequence_is_longer_than_the_longest(matches):
    every = (part for size in range(len(matches) + 1) for part in itertools.combinations(matches, size))
    increasing = [len(part) for part in every if all(a < b for a, b in itertools.pairwise(part))]
    assert longest_increasing(matches) == max(increasing)


def test_a_reversed_trajectory_follows_one_frame_and_the_forward_one_all():
    assert followed_in_order(path(), path(), metric="cosine") == 50
    assert followed_in_order(path().flip(0), path(), metric="cosine") == 1
    assert followed_in_order(path()[torch.arange(50).clamp(max=25)], path(), metric="cosine") == 26
    assert followed_in_order(path()[:1].expand(50, -1), path(), metric="cosine") == 1


@pytest.mark.parametrize(
    ("progress", "discount"), [(5, 0.7248), (10, 0.8513), (20, 0.9227), (50, 0.9683), (100, 0.984), (125, 0.9872)]
)
def test_the_discount_is_the_published_one(progress, discount):
    assert discount_from_progress(progress) == pytest.approx(discount, abs=5e-5)


@given(progress=st.integers(1, 500), alpha=st.floats(0.01, 0.99))
def test_a_reward_that_many_frames_ahead_counts_alpha(progress, alpha):
    assert discount_from_progress(progress, alpha=alpha) ** progress == pytest.approx(alpha)


def recogniser(**changes):
    given_ = {"demonstrations": [path(seed=seed) for seed in range(3)], "progress": 10}
    return ProgressRecogniser(**(given_ | changes))


def test_an_episode_that_follows_raises_progress_by_five_at_most_and_up_to_the_end():
    assert recogniser().after(path(seed=9)).progress == 15
    assert recogniser(progress=48).after(path(seed=9)).progress == 50
    assert recogniser().progress == 10


def test_an_episode_that_stalls_holds_progress_where_it_stalled():
    """24 frames are passed: ⌊0.9 · 27⌋ = 24 of 27, but one too few of 28."""
    stalled = path(seed=9)[torch.arange(50).clamp(max=23)]
    now = recogniser(demonstrations=[path()] * 3)
    for _ in range(20):
        now = now.after(stalled)
    assert now.progress == 28
    assert now.discount() == discount_from_progress(28)


def test_a_reversed_episode_or_one_that_stands_still_raises_nothing():
    assert recogniser().after(path(seed=9).flip(0)).progress == 10
    assert recogniser().after(path()[:1].expand(50, -1)).progress == 10


def test_only_as_many_frames_as_are_followed_so_far_count():
    """An episode that idles first follows all of the demonstrations in the end, but none of them yet."""
    idles_first = torch.cat([path()[:1].expand(20, -1), path()])
    assert followed_in_order(idles_first, path(), metric="cosine") == 50
    assert recogniser().after(idles_first).progress == 10


def test_demonstrations_and_episodes_may_differ_in_length():
    uneven = recogniser(demonstrations=[path(40), path(50), path(63)])
    assert uneven.horizon == 63
    assert uneven.after(path(45)).progress > 10
    assert uneven.after(path(8)).progress == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"demonstrations": [path()]}, "at least two demonstrations are compared, got 1"),
        ({"progress": 51}, r"progress must be in \[1, 50\], got 51"),
        ({"metric": "l1"}, r"metric must be one of \['cosine', 'euclidean'\], got 'l1'"),
        ({"share": 0.0}, r"share must be in \(0, 1\] and most_at_once >= 1, got 0.0, 5"),
    ],
)
def test_a_recogniser_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        recogniser(**changes)


def test_a_discount_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="progress must be at least 1 frame, got 0"):
        discount_from_progress(0)
    with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\), got 1"):
        discount_from_progress(5, alpha=1.0)
