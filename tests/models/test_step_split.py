import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.models.step_split import split_jointly, split_steps, step_of_frame


def steps_of_noise(sizes, *, dim, informative, deviation, seed=0):
    """Each step has its own level in the informative features; the others are noise alone."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.zeros(len(sizes), dim, dtype=torch.float64)
    level[:, :informative] = torch.randn(len(sizes), informative, generator=generator, dtype=torch.float64)
    step = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    noise = torch.randn(len(step), dim, generator=generator, dtype=torch.float64)
    return level[step] + deviation * noise


def average_std(frames):
    return float(frames.std(dim=0, correction=0).mean())


def printed_recursion(video, start, end, n, *, min_size, prev_std):
    """Algorithm 1 as the paper prints it."""
    if n == 1:
        return [], [average_std(video[start:end])]
    best, splits, stds = float("inf"), [], []
    for i in range(start + min_size, end - (n - 1) * min_size + 1):
        std1 = [average_std(video[start:i])]
        splits2, std2 = printed_recursion(video, i, end, n - 1, min_size=min_size, prev_std=std1 + prev_std)
        avg = sum(prev_std + std1 + std2) / len(prev_std + std1 + std2)
        if avg < best:
            best, splits, stds = avg, [i, *splits2], std1 + std2
    return splits, stds


def costs(video, split, *, weighted):
    bounds = [0, *split, len(video)]
    parts = [video[a:b] for a, b in itertools.pairwise(bounds)]
    return sum(average_std(part) * (len(part) if weighted else 1) for part in parts)


def jaccard(split, truth, num_frames):
    one, other = step_of_frame(num_frames, split), step_of_frame(num_frames, truth)
    scores = [((one == k) & (other == k)).sum() / ((one == k) | (other == k)).sum() for k in range(len(truth) + 1)]
    return float(torch.stack(scores).mean())


@pytest.mark.parametrize("num_steps", [2, 3])
@pytest.mark.parametrize("min_size", [1, 2, 3])
@given(seed=st.integers(0, 10_000))
def test_the_published_objective_is_minimised_as_by_the_printed_recursion(num_steps, min_size, seed):
    video = torch.randn(14, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    split = split_steps(video, num_steps, min_size=min_size / 14, objective="paper")
    printed, _ = printed_recursion(video, 0, 14, num_steps, min_size=min_size, prev_std=[])
    assert costs(video, split, weighted=False) == pytest.approx(costs(video, printed, weighted=False), abs=1e-6)


@pytest.mark.parametrize("objective", ["paper", "weighted"])
@given(seed=st.integers(0, 10_000), num_steps=st.integers(1, 4), shortest=st.integers(1, 3))
def test_no_split_costs_less_than_the_one_found(objective, seed, num_steps, shortest):
    video = torch.randn(12, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = split_steps(video, num_steps, min_size=shortest / 12, objective=objective)
    weighted = objective == "weighted"
    every = [
        costs(video, split, weighted=weighted)
        for split in itertools.combinations(range(1, 12), num_steps - 1)
        if all(b - a >= shortest for a, b in itertools.pairwise([0, *split, 12]))
    ]
    assert costs(video, found, weighted=weighted) == pytest.approx(min(every), abs=1e-6)
    assert all(b - a >= shortest for a, b in itertools.pairwise([0, *found, 12]))


@pytest.mark.parametrize("objective", ["paper", "weighted"])
@pytest.mark.parametrize("deviation", [0.1, 0.3, 0.6])
def test_three_steps_are_found_without_error(objective, deviation):
    for seed in range(5):
        video = steps_of_noise((20, 15, 25), dim=64, informative=64, deviation=deviation, seed=seed)
        # at 0.6 the published objective already needs steps that cannot become tiny
        min_size = 8 / 60 if objective == "paper" else 3 / 60
        assert split_steps(video, 3, min_size=min_size, objective=objective) == (20, 35)


def test_the_published_objective_needs_a_minimum_size_against_tiny_steps():
    video = steps_of_noise((50, 10), dim=64, informative=64, deviation=0.3)
    assert split_steps(video, 2, min_size=1 / 60, objective="paper") == (59,)
    assert split_steps(video, 2, min_size=5 / 60, objective="paper") == (50,)
    assert split_steps(video, 2, min_size=1 / 60) == (50,)


@pytest.mark.parametrize("min_size", [3, 8])
def test_among_many_features_that_tell_nothing_only_the_weighted_objective_finds_the_steps(min_size):
    paper, weighted = [], []
    for seed in range(4):
        sizes = torch.randint(12, 30, (3,), generator=torch.Generator().manual_seed(seed)).tolist()
        truth, time = (sizes[0], sizes[0] + sizes[1]), sum(sizes)
        video = steps_of_noise(sizes, dim=500, informative=60 if min_size == 3 else 20, deviation=0.3, seed=seed)
        paper.append(jaccard(split_steps(video, 3, min_size=min_size / time, objective="paper"), truth, time))
        weighted.append(jaccard(split_steps(video, 3, min_size=min_size / time), truth, time))
    assert weighted == [1.0] * 4
    assert sum(paper) / 4 <= 0.4


def test_the_offset_of_a_feature_changes_nothing():
    video = steps_of_noise((20, 15, 25), dim=16, informative=16, deviation=0.3)
    assert split_steps(video + 1e8, 3, min_size=0.05) == split_steps(video, 3, min_size=0.05)


def test_a_long_recording_is_split_at_the_right_frames_of_it():
    video = steps_of_noise((400, 700, 300), dim=16, informative=16, deviation=0.2)
    split = split_steps(video, 3, min_size=0.05)
    assert max(abs(found - true) for found, true in zip(split, (400, 1100), strict=True)) <= 6


def test_demonstrations_are_split_alike_though_one_has_a_distraction():
    """Alone, the second one's largest change is a light that goes on within its first step."""
    plain = [steps_of_noise((20, 20, 20), dim=40, informative=20, deviation=0.2, seed=3) for _ in range(4)]
    noise = torch.Generator().manual_seed(9)
    demonstrations = [each + 0.2 * torch.randn(60, 40, generator=noise, dtype=torch.float64) for each in plain]
    demonstrations[1][:10, 30:] += 4.0
    assert split_steps(demonstrations[1], 3, min_size=0.05) != (20, 40)
    assert split_jointly(demonstrations, 3, min_size=0.05) == [(20, 40)] * 4


def test_what_cannot_be_split_is_refused():
    video = torch.randn(5, 3)
    with pytest.raises(ValueError, match=r"6 steps need at least as many frames, got 5"):
        split_steps(video, 6, min_size=0.1)
    with pytest.raises(ValueError, match=r"min_size must be in \[0, 1 / num_steps = 0\.5\], got 0\.6"):
        split_steps(video, 2, min_size=0.6)
    with pytest.raises(ValueError, match=r"objective must be one of \['weighted', 'paper'\], got 'mean'"):
        split_steps(video, 2, min_size=0.1, objective="mean")
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        split_steps(video, 0, min_size=0.1)
    with pytest.raises(ValueError, match="demonstrations are empty"):
        split_jointly([], 2, min_size=0.1)
