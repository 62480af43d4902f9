import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from robo_reward.evaluation import OrderCorrelation, kendall_order_correlation, value_order_correlation

BOTH = pytest.mark.parametrize("correlation", [value_order_correlation, kendall_order_correlation])
CURVES = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=40)


@BOTH
def test_a_rising_episode_gives_exactly_one_and_a_falling_one_exactly_minus_one(correlation):
    for time in (2, 3, 7, 101, 1000):
        rising = torch.linspace(0, 1, time) ** 2
        assert correlation(rising).value == 1.0
        assert correlation(rising.flip(0)).value == -1.0


@BOTH
@pytest.mark.parametrize("progress", [[0.5] * 9, [0.5], [], [float("nan")] * 4, [float("nan"), 0.3]])
def test_what_has_no_order_is_zero_and_says_so(correlation, progress):
    result = correlation(torch.tensor(progress))
    assert (result.value, result.degenerate) == (0.0, True)
    assert result.num_known + result.num_abstained == len(progress)


@BOTH
def test_an_order_that_happens_to_be_zero_is_not_degenerate(correlation):
    result = correlation(torch.tensor([0.0, 1.0, 1.0, 0.0]))
    assert result.value == 0.0
    assert not result.degenerate


@BOTH
def test_frames_on_which_the_model_abstained_are_left_out_and_counted(correlation):
    with_gaps = torch.tensor([0.1, float("nan"), 0.3, 0.2, float("nan"), 0.8])
    result, without = correlation(with_gaps), correlation(torch.tensor([0.1, 0.3, 0.2, 0.8]))
    assert result.value == without.value
    assert (result.num_known, result.num_abstained) == (4, 2)


@settings(deadline=None)
@given(CURVES)
def test_backwards_is_exactly_the_opposite(curve):
    progress = torch.tensor(curve)
    assert value_order_correlation(progress.flip(0)).value == -value_order_correlation(progress).value


@settings(deadline=None)
@given(CURVES)
def test_an_increasing_transform_changes_nothing(curve):
    progress = torch.tensor(curve, dtype=torch.float64)
    assert value_order_correlation(progress).value == value_order_correlation(8 * progress).value


def test_ties_take_their_average_rank_as_in_scipy():
    progress = torch.tensor([0.0, 0.2, 0.2, 0.1, 0.9, 0.9, 0.9, 0.4], dtype=torch.float64)
    expected = stats.spearmanr(np.arange(8), progress.numpy()).statistic
    assert value_order_correlation(progress).value == pytest.approx(expected, abs=1e-12)
    assert value_order_correlation(progress).value == pytest.approx(30.5 / (39.5 * 42) ** 0.5)  # by hand


def test_kendall_counts_pairs():
    # 0.1 0.4 0.2 0.3: of 6 pairs 4 rise, 2 fall
    assert kendall_order_correlation(torch.tensor([0.1, 0.4, 0.2, 0.3])).value == pytest.approx(2 / 6)


def test_a_correlation_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"lies in \[-1, 1\], got 1.5"):
        OrderCorrelation(value=1.5, degenerate=False, num_known=2, num_abstained=0)
    with pytest.raises(ValueError, match=r"degenerate order correlation is 0, got 0.5"):
        OrderCorrelation(value=0.5, degenerate=True, num_known=2, num_abstained=0)
