import math

import pytest
import torch
from scipy.stats import binom

from robo_reward.models.success_decision import (
    SuccessLatch,
    choose_threshold,
    false_positive_bound,
    negatives_needed,
)


def latch(votes: int = 3, window: int = 5) -> SuccessLatch:
    return SuccessLatch(on=0.8, off=0.4, votes=votes, window=window)


def test_a_single_false_positive_never_fires():
    for where in range(20):
        probability = torch.full((20,), 0.3)
        probability[where] = 0.999
        assert not any(latch(votes=2).over(probability))


def test_it_fires_at_the_kth_vote_within_the_window_and_not_before():
    assert latch().over(torch.tensor([0.9, 0.5, 0.9, 0.5, 0.9, 0.5])) == [False] * 4 + [True] * 2
    assert not any(latch().over(torch.tensor([0.9, 0.5, 0.5, 0.9, 0.5, 0.5, 0.9])))


def test_at_the_threshold_is_not_above_it():
    assert not any(latch().over(torch.full((9,), 0.8, dtype=torch.float64)))


def test_it_stays_on_between_the_thresholds_and_ends_below_the_lower_one():
    decided = latch().over(torch.tensor([0.9, 0.9, 0.9, 0.5, 0.41, 0.39, 0.9, 0.9, 0.9]))
    assert decided == [False, False, True, True, True, False, False, False, True]


def test_an_abstention_is_no_vote_and_changes_nothing():
    nan = math.nan
    assert latch().over(torch.tensor([nan] * 9)) == [False] * 9
    assert latch().over(torch.tensor([0.9, 0.9, nan, 0.9, nan, nan, nan, nan, nan])) == [False] * 3 + [True] * 6


def test_a_closed_gate_is_no_success_and_votes_start_anew():
    probability, gate = torch.full((8,), 0.9), torch.tensor([True, True, False, True, True, True, False, True])
    assert latch().over(probability, gate=gate) == [False] * 5 + [True, False, False]


def test_each_episode_begins_as_new():
    one = latch()
    assert one.over(torch.full((4,), 0.9)) == one.over(torch.full((4,), 0.9)) == [False, False, True, True]
    one.step(0.9)
    one.step(0.9)
    assert one.over(torch.full((4,), 0.9)) == [False, False, True, True]
    one.step(0.9)
    one.step(0.9)
    one.reset()
    assert not one.step(0.9)


def test_bad_latches_are_refused():
    with pytest.raises(ValueError, match="one vote may be an error"):
        latch(votes=1)
    with pytest.raises(ValueError, match="2 <= votes <= window"):
        latch(votes=6)
    with pytest.raises(ValueError, match="off <= on"):
        SuccessLatch(on=0.4, off=0.8, votes=2, window=3)
    with pytest.raises(ValueError, match=r"probability must be in \[0, 1\] or NaN, got 1.5"):
        latch().step(1.5)
    with pytest.raises(ValueError, match=r"gate must be \(time=3,\)"):
        latch().over(torch.zeros(3), gate=torch.ones(2, dtype=torch.bool))


def scores(seed: int, negatives: int = 120, positives: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.rand(negatives, generator=generator), torch.rand(positives, generator=generator) + 0.5
    return torch.cat([low, high]), torch.arange(negatives + positives) >= negatives


def test_the_bound_holds_in_as_many_draws_as_stated():
    """True rate of negatives above a threshold t is 1 − t; it may exceed the limit in one draw of ten, not more."""
    trials = 500
    broken = 0
    for seed in range(trials):
        found = choose_threshold(*scores(seed), max_false_positive_rate=0.1, confidence=0.9)
        assert found.false_positive_bound <= 0.1
        broken += 1 - found.threshold > 0.1
    assert broken <= binom.ppf(0.999, trials, 0.1)


def test_it_is_the_lowest_threshold_that_can_be_certified():
    value, labels = scores(0)
    found = choose_threshold(value, labels, max_false_positive_rate=0.1, confidence=0.9)
    assert found.false_positives == 7
    assert false_positive_bound(7, 120, confidence=0.9) == found.false_positive_bound <= 0.1
    assert false_positive_bound(8, 120, confidence=0.9) > 0.1
    assert found.recall == pytest.approx(float((value[labels] > found.threshold).double().mean()))
    assert found.negatives == 120


def test_the_exact_bound_is_that_of_clopper_and_pearson():
    """Golden: the rule of three (0 of n: about 3/n), and 5 of 100 at 95 % one-sided, from R's binom.test: 0.10225."""
    assert false_positive_bound(0, 300, confidence=0.95) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert false_positive_bound(5, 100, confidence=0.95) == pytest.approx(0.10225, abs=2e-5)
    assert binom.cdf(5, 100, false_positive_bound(5, 100, confidence=0.95)) == pytest.approx(0.05)
    assert false_positive_bound(3, 3, confidence=0.95) == 1


def test_too_few_negatives_are_refused_with_the_number_needed():
    assert negatives_needed(0.05, confidence=0.95) == 59
    enough, labels = scores(0, negatives=59)
    found = choose_threshold(enough, labels, max_false_positive_rate=0.05, confidence=0.95)
    assert found.false_positives == 0
    few, labels = scores(0, negatives=58)
    with pytest.raises(ValueError, match="58 negatives cannot certify .* 0.05 with confidence 0.95; at least 59"):
        choose_threshold(few, labels, max_false_positive_rate=0.05, confidence=0.95)


def test_ties_are_no_false_positives_and_without_positives_recall_is_unknown():
    found = choose_threshold(
        torch.full((60,), 0.5), torch.zeros(60, dtype=torch.bool), max_false_positive_rate=0.2, confidence=0.95
    )
    assert (found.threshold, found.false_positives) == (0.5, 0)
    assert math.isnan(found.recall)


def test_bad_arguments_are_refused():
    value, labels = scores(0)
    with pytest.raises(ValueError, match=r"must be in \(0, 1\), got 0 and 0.9"):
        choose_threshold(value, labels, max_false_positive_rate=0.0, confidence=0.9)
    value[0] = torch.nan
    with pytest.raises(ValueError, match="leave abstentions out"):
        choose_threshold(value, labels, max_false_positive_rate=0.1, confidence=0.9)
