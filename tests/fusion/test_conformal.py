import math

import pytest
import torch
from scipy.stats import binom

from robo_reward.fusion.conformal import (
    ConformalProgress,
    episode_score,
    episodes_needed,
    normalised_residual,
)
from robo_reward.reward_model import Estimate


def episode(generator: torch.Generator, *, time: int = 40, told: float = 0.05) -> tuple[Estimate, torch.Tensor]:
    """Errors of one episode have a common part, and are about three times what the model says."""
    truth = torch.linspace(0, 1, time)
    common, own = torch.randn(1, generator=generator), torch.randn(time, generator=generator)
    spread = told * (1 + torch.rand(time, generator=generator))
    progress = (truth + 3 * spread * (0.8 * common + 0.6 * own)).clamp(0, 1)
    return Estimate(progress=progress[None], spread=spread[None]), truth


def covered(conformal: ConformalProgress, estimate: Estimate, truth: torch.Tensor) -> bool:
    lower, upper = conformal.interval(estimate)
    within = ((lower[0] <= truth) & (truth <= upper[0])).double().mean()
    return float(within) >= conformal.frames_within - 1e-9


@pytest.mark.parametrize(("coverage", "episodes"), [(0.9, 9), (0.9, 25), (0.8, 10)])
def test_new_episodes_are_covered_as_often_as_stated(coverage, episodes):
    """Over many draws of calibration and test episodes, within a binomial band of 99.9 %."""
    generator, trials = torch.Generator().manual_seed(0), 400
    hits = 0
    for _ in range(trials):
        estimates, truths = zip(*(episode(generator) for _ in range(episodes)), strict=True)
        conformal = ConformalProgress.calibrated_on(estimates, truths, coverage=coverage)
        hits += covered(conformal, *episode(generator))
    exact = math.ceil((episodes + 1) * coverage) / (episodes + 1)  # of exchangeable scores without ties
    assert binom.ppf(0.0005, trials, coverage) <= hits <= binom.ppf(0.9995, trials, exact)


def test_the_spread_as_stated_covers_far_less():
    generator = torch.Generator().manual_seed(1)
    plain = ConformalProgress(scale=1.645, coverage=0.9, frames_within=0.9)
    assert sum(covered(plain, *episode(generator)) for _ in range(200)) < 100


def test_a_frame_by_frame_calibration_would_not_cover_episodes():
    """Why episodes are the units: frames of one episode err together."""
    generator, trials, hits = torch.Generator().manual_seed(2), 300, 0
    for _ in range(trials):
        residuals = []
        for _ in range(9):
            estimate, truth = episode(generator)
            residuals.append(normalised_residual(estimate, truth[None])[0])
        scale = float(torch.cat(residuals).quantile(0.9))
        hits += covered(ConformalProgress(scale=scale, coverage=0.9, frames_within=0.9), *episode(generator))
    assert hits < binom.ppf(0.0005, trials, 0.9)


def test_the_scale_is_the_stated_order_statistic():
    truths = [torch.zeros(1) for _ in range(9)]
    estimates = [
        Estimate(progress=torch.tensor([[0.1 * k]]), spread=torch.tensor([[0.1]])) for k in (3, 1, 2, 9, 5, 4, 8, 6, 7)
    ]
    assert ConformalProgress.calibrated_on(estimates, truths, coverage=0.9).scale == pytest.approx(9)
    assert ConformalProgress.calibrated_on(estimates, truths, coverage=0.5).scale == pytest.approx(5)
    assert ConformalProgress.calibrated_on(estimates, truths, coverage=0.71).scale == pytest.approx(8)  # ⌈10 · 0.71⌉


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_episodes_are_refused_with_the_number_needed(coverage, needed):
    assert episodes_needed(coverage) == needed
    generator = torch.Generator().manual_seed(0)
    estimates, truths = zip(*(episode(generator) for _ in range(needed)), strict=True)
    assert ConformalProgress.calibrated_on(estimates, truths, coverage=coverage).scale > 0
    with pytest.raises(ValueError, match=f"{needed - 1} labelled episodes .* at least {needed} are needed"):
        ConformalProgress.calibrated_on(estimates[1:], truths[1:], coverage=coverage)


def test_abstentions_and_unknown_truths_do_not_count_and_stay_unknown():
    estimate = Estimate(
        progress=torch.tensor([[0.2, torch.nan, 0.9, 0.5]]), spread=torch.tensor([[0.1, torch.nan, 0.1, 0.1]])
    )
    truth = torch.tensor([0.1, 0.5, torch.nan, 0.2])
    assert normalised_residual(estimate, truth[None]).isnan().tolist() == [[False, True, True, False]]
    assert episode_score(estimate, truth, frames_within=1.0) == pytest.approx(3)
    lower, upper = ConformalProgress(scale=2, coverage=0.9, frames_within=0.9).interval(estimate)
    assert lower.isnan().tolist() == upper.isnan().tolist() == [[False, True, False, False]]
    assert lower[0, 0] == pytest.approx(0.0)
    assert upper[0, 2] == 1.0  # limited to what progress can be


def test_a_model_that_claims_no_error_at_all_is_not_believed():
    sure = Estimate(progress=torch.tensor([[0.5]]), spread=torch.tensor([[0.0]]))
    assert bool(torch.isfinite(normalised_residual(sure, torch.tensor([[0.6]]))).all())


def test_a_widened_estimate_has_the_interval_at_its_width():
    estimate, _ = episode(torch.Generator().manual_seed(3))
    conformal = ConformalProgress(scale=2.5, coverage=0.9, frames_within=0.9)
    wide = conformal.widened(estimate, width=1.645)
    lower, upper = conformal.interval(estimate)
    assert torch.allclose((wide.progress - 1.645 * wide.spread).clamp(0, 1), lower, atol=1e-6)
    assert torch.allclose((wide.progress + 1.645 * wide.spread).clamp(0, 1), upper, atol=1e-6)


def test_bad_arguments_are_refused():
    estimate, truth = episode(torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"coverage must be in \(0, 1\), got 1"):
        ConformalProgress.calibrated_on([estimate], [truth], coverage=1.0)
    with pytest.raises(ValueError, match=r"frames_within must be in \(0, 1\], got 0"):
        ConformalProgress(scale=1, coverage=0.9, frames_within=0.0)
    with pytest.raises(ValueError, match="scale must be >= 0"):
        ConformalProgress(scale=math.nan, coverage=0.9, frames_within=0.9)
    with pytest.raises(ValueError, match="1 estimates and 2 truths"):
        ConformalProgress.calibrated_on([estimate], [truth, truth], coverage=0.5)
    with pytest.raises(ValueError, match=r"must be \(1, time=3\)"):
        episode_score(estimate, torch.zeros(3), frames_within=0.9)
    with pytest.raises(ValueError, match="no frame with both"):
        episode_score(estimate, truth * torch.nan, frames_within=0.9)
    with pytest.raises(ValueError, match="width must be > 0"):
        ConformalProgress(scale=1, coverage=0.9, frames_within=0.9).widened(estimate, width=0.0)
