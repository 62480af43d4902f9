import math

import pytest
import torch
from scipy import stats

from robo_reward.evaluation.return_correlation import linear_correlation, rank_correlation, return_so_far


def test_they_agree_with_scipy():
    generator = torch.Generator().manual_seed(2)
    first = torch.randint(0, 9, (30,), generator=generator).double()
    second = first + 3 * torch.randn(30, generator=generator, dtype=torch.float64)
    assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)
    assert linear_correlation(first, second) == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-12)


@pytest.mark.parametrize("correlation", [rank_correlation, linear_correlation])
def test_a_constant_or_a_single_item_is_not_defined(correlation):
    assert math.isnan(correlation(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 2.0])))
    assert math.isnan(correlation(torch.tensor([1.0]), torch.tensor([1.0])))


@pytest.mark.parametrize("correlation", [rank_correlation, linear_correlation])
def test_items_without_a_number_are_left_out(correlation):
    nothing = float("nan")
    assert correlation(torch.tensor([1.0, 9.0, 2.0]), torch.tensor([1.0, nothing, 2.0])) == 1.0


def test_the_return_so_far_leaves_out_the_transition_to_come():
    assert return_so_far(torch.tensor([1.0, 2.0, 3.0])).tolist() == [0.0, 1.0, 3.0]
