import math

import pytest
import torch

from robo_reward.evaluation.success_separation import success_auroc, success_auroc_interval

SUCCESS = torch.tensor([True, True, False, False])


def test_separable_reversed_and_tied():
    assert success_auroc(torch.tensor([0.9, 0.8, 0.2, 0.1]), SUCCESS) == 1.0
    assert success_auroc(torch.tensor([0.1, 0.2, 0.8, 0.9]), SUCCESS) == 0.0
    assert success_auroc(torch.tensor([0.5, 0.5, 0.5, 0.5]), SUCCESS) == 0.5
    assert success_auroc(torch.tensor([0.9, 0.5, 0.5, 0.1]), SUCCESS) == 0.875  # 3 of 4 pairs won, 1 tied


def test_it_is_the_fraction_of_pairs_won():
    generator = torch.Generator().manual_seed(3)
    score = torch.randint(0, 6, (40,), generator=generator).double()
    success = torch.rand(40, generator=generator) < 0.4
    pairs = (score[success][:, None] - score[~success][None, :]).sign()
    assert success_auroc(score, success) == pytest.approx(float((pairs + 1).mean() / 2), abs=1e-12)


def test_one_class_alone_is_not_defined():
    score = torch.tensor([0.1, 0.2])
    for label in (True, False):
        success = torch.tensor([label, label])
        assert math.isnan(success_auroc(score, success))
        assert all(math.isnan(bound) for bound in success_auroc_interval(score, success, seed=0))


def test_episodes_without_a_score_are_left_out():
    score = torch.tensor([0.9, float("nan"), 0.2, 0.1])
    assert success_auroc(score, SUCCESS) == 1.0
    assert math.isnan(success_auroc(torch.full((4,), float("nan")), SUCCESS))


def test_the_interval_holds_the_estimate_and_depends_on_the_seed_only():
    generator = torch.Generator().manual_seed(0)
    success = torch.arange(60) % 2 == 0
    score = torch.randn(60, generator=generator) + success
    low, high = success_auroc_interval(score, success, seed=5)
    assert low < success_auroc(score, success) < high
    assert 0.05 < high - low < 0.35
    assert (low, high) == success_auroc_interval(score, success, seed=5)
    assert (low, high) != success_auroc_interval(score, success, seed=6)


def test_a_lower_level_gives_a_narrower_interval():
    success = torch.arange(20) % 2 == 0
    score = torch.randn(20, generator=torch.Generator().manual_seed(1)) + 0.5 * success
    wide = success_auroc_interval(score, success, seed=0, level=0.95)
    narrow = success_auroc_interval(score, success, seed=0, level=0.5)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_bad_arguments_are_named():
    score = torch.tensor([0.1, 0.2])
    with pytest.raises(ValueError, match="num_resamples must be at least 1, got 0"):
        success_auroc_interval(score, SUCCESS[1:3], seed=0, num_resamples=0)
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\), got 1"):
        success_auroc_interval(score, SUCCESS[1:3], seed=0, level=1.0)
