import pytest
import torch

from robo_reward.models.step_features import discriminability, select_features, step_means, sum_steps


def two_steps(*, dim=2000, informative=32, effect=2.0, frames=60, seed=0):
    """The first features differ by `effect` standard deviations between the steps."""
    generator = torch.Generator().manual_seed(seed)
    step = (torch.arange(frames) >= frames // 2).long()
    rows = torch.randn(frames, dim, generator=generator)
    rows[:, :informative] += effect * step[:, None]
    return rows, step


def sums_of(rows, step, num_steps=2):
    return sum_steps(rows, step, torch.linspace(0, 1, len(rows)), num_steps=num_steps)


@pytest.mark.parametrize("seed", range(3))
def test_every_informative_feature_is_selected_and_no_other(seed):
    rows, step = two_steps(seed=seed)
    rows = rows * torch.logspace(-3, 3, 2000)  # the scale of a feature says nothing
    for chosen in select_features(sums_of(rows, step), alpha=5.0, per_step=32):
        assert set(chosen.tolist()) == set(range(32))


def test_discriminability_is_the_printed_formula():
    rows, step = two_steps(dim=5, informative=2)
    z = discriminability(sums_of(rows, step), alpha=5.0)
    standard = (rows - rows.mean(0)).double() / rows.double().std(0, correction=0)
    for each in range(2):
        inside, outside = standard[step == each], standard[step != each]
        mean = (inside.mean(0) - outside.mean(0)).abs()
        deviation = inside.std(0, correction=0) + outside.std(0, correction=0)
        torch.testing.assert_close(z[each], 5.0 * mean - deviation, atol=1e-5, rtol=1e-5)


def test_a_feature_that_never_varies_is_selected_last_and_read_as_nothing():
    rows, step = two_steps(dim=4, informative=2)
    rows[:, 3] = 7.0
    sums = sums_of(rows, step)
    assert select_features(sums, alpha=5.0, per_step=4)[:, -1].tolist() == [3, 3]
    mean, deviation = step_means(sums)
    assert mean[:, 3].tolist() == deviation[:, 3].tolist() == [0.0, 0.0]


def test_the_sums_of_two_parts_are_those_of_the_whole():
    rows, step = two_steps(dim=6, frames=40)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    rows, step = rows[order], step[order]
    progress = torch.rand(40)
    whole = sum_steps(rows, step, progress, num_steps=2)
    part = sum_steps(rows[:10], step[:10], progress[:10], num_steps=2)
    others = sum_steps(rows[10:], step[10:], progress[10:], num_steps=2)
    for name in ("count", "total", "squares", "progress"):
        torch.testing.assert_close(getattr(part + others, name), getattr(whole, name))


def test_steps_that_cannot_be_told_apart_are_refused():
    rows, step = two_steps(dim=4, informative=2)
    with pytest.raises(ValueError, match="alpha must be > 0, got 0"):
        discriminability(sums_of(rows, step), alpha=0.0)
    with pytest.raises(ValueError, match="at least two steps with frames are needed"):
        discriminability(sums_of(rows, step, num_steps=3), alpha=5.0)
    with pytest.raises(ValueError, match="per_step must be at least 1, got 0"):
        select_features(sums_of(rows, step), alpha=5.0, per_step=0)
