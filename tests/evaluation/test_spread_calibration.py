import math

import pytest
import torch

from robo_reward.evaluation.spread_calibration import abstention_rate, linear_progress, spread_coverage


def test_linear_progress_reaches_one_at_the_frame_after_the_successful_transition():
    success = torch.tensor([False, False, False, True, True])
    assert linear_progress(success).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    with pytest.raises(ValueError, match="no row is a success"):
        linear_progress(torch.zeros(3, dtype=torch.bool))


def test_gaussian_errors_of_the_stated_spread_are_covered_as_the_normal_law_says():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(200_000, generator=generator, dtype=torch.float64)
    spread = 0.05 + 0.1 * torch.rand(200_000, generator=generator, dtype=torch.float64)
    progress = truth + spread * torch.randn(200_000, generator=generator, dtype=torch.float64)
    assert spread_coverage(progress, spread, truth=truth, width=1.0) == pytest.approx(0.6827, abs=0.005)
    assert spread_coverage(progress, spread, truth=truth, width=1.645) == pytest.approx(0.900, abs=0.005)


def test_abstained_frames_are_left_out():
    progress, truth = torch.tensor([0.5, float("nan")]), torch.tensor([0.5, 0.5])
    assert spread_coverage(progress, torch.tensor([0.1, float("nan")]), truth=truth, width=1.0) == 1.0
    assert math.isnan(spread_coverage(progress[1:], progress[1:], truth=truth[1:], width=1.0))
    assert abstention_rate(progress) == 0.5


def test_a_width_that_is_not_positive_is_refused():
    half = torch.tensor([0.5])
    with pytest.raises(ValueError, match="width must be > 0, got 0"):
        spread_coverage(half, half, truth=half, width=0.0)
