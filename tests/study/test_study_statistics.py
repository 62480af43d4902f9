import math

import numpy as np
import pytest
from test_study_result import result

from robo_reward.study.statistics import condition_figures, first_at_level, interquartile_mean
from robo_reward.study.verdict import judge

STEPS = [500, 1000, 1500, 2000]
RLIABLE_VALUE = [0.57666667, 0.71, 0.47333333, 0.55]
RLIABLE_LOW = [0.26666667, 0.45666667, 0.10666667, 0.24666667]
RLIABLE_HIGH = [0.93333333, 0.89, 0.72666667, 0.93333333]


def runs(*curves, **told):
    return [
        result(name=f"{told.get('reward', 'sparse')}.{seed}", seed=seed, steps=STEPS, success=list(curve),
               returns=list(curve), lengths=list(curve), **told)
        for seed, curve in enumerate(curves)
    ]  # fmt: skip


def test_steps_to_80_percent_are_those_of_the_first_evaluation_there():
    steps = np.array(STEPS)
    assert first_at_level(steps, np.array([0.0, 0.79, 0.8, 0.2])) == 1500
    assert first_at_level(steps, np.array([1.0, 0.0, 0.0, 0.0])) == 500
    assert first_at_level(steps, np.array([0.0, 0.5, 0.7, 0.79])) == math.inf


def test_the_interquartile_mean_leaves_a_quarter_of_runs_out_at_each_end():
    success = np.array([[0.0], [0.3], [0.5], [0.6], [1.0]])
    assert interquartile_mean(success) == pytest.approx([(0.3 + 0.5 + 0.6) / 3])  # of five runs one at each end
    assert interquartile_mean(success[:3]) == pytest.approx([0.8 / 3])  # of three runs none


def test_figures_are_those_of_rliable():
    """Origin: rliable 1.2.0, get_interval_estimates with aggregate_iqm a frame, 50000 repetitions, on these runs."""
    success = np.round(np.random.default_rng(7).random((5, 4)), 2)
    figures = condition_figures(runs(*success.tolist()))
    assert figures.success == pytest.approx(RLIABLE_VALUE, abs=1e-7)
    assert figures.low == pytest.approx(RLIABLE_LOW, abs=0.02)
    assert figures.high == pytest.approx(RLIABLE_HIGH, abs=0.02)


def test_one_run_has_no_interval():
    figures = condition_figures(runs([0.0, 0.5, 0.9, 1.0]))
    assert figures.steps_to_level.value == 1500
    assert np.isnan([*figures.low, figures.final.low, figures.steps_to_level.high]).all()


def test_figures_of_a_tiny_example_are_those_by_hand():
    figures = condition_figures(runs([0.0, 0.2, 0.8, 1.0], [0.0, 0.4, 1.0, 1.0], [0.0, 0.9, 0.9, 0.7]))
    # of three runs none is trimmed: the mean
    assert figures.success == pytest.approx([0.0, 0.5, 0.9, 0.9])
    assert figures.final.value == pytest.approx(np.mean([2.0 / 3, 2.4 / 3, 2.5 / 3]))
    assert figures.steps_to_level.value == 1500
    # the 27 samples of three runs: one of them is the third run alone, at 80 % after 1000 steps, with 1/27 > 2.5 %
    assert (figures.steps_to_level.low, figures.steps_to_level.high) == (1000, 1500)
    assert (figures.budget, figures.num_runs) == (2000, 3)


def test_a_task_that_is_not_learnt_within_the_budget_takes_more_than_that():
    figures = condition_figures(runs(*[[0.0, 0.1, 0.1, 0.2]] * 3))
    assert figures.steps_to_level.value == figures.steps_to_level.low == figures.steps_to_level.high == math.inf


def test_the_same_results_give_the_same_figures():
    some = runs([0.0, 0.2, 0.8, 1.0], [0.0, 0.4, 0.7, 1.0], [0.0, 0.9, 0.9, 0.7])
    assert condition_figures(some).low.tolist() == condition_figures(some).low.tolist()


def test_runs_of_two_conditions_have_no_figures_together():
    with pytest.raises(ValueError, match="runs of one condition are wanted"):
        condition_figures(runs([0.0] * 4) + runs([0.0] * 4, reward="shaped", model="process"))


NEVER, SLOW, FAST = [0.0, 0.0, 0.1, 0.1], [0.0, 0.1, 0.5, 0.9], [0.1, 0.9, 1.0, 1.0]


@pytest.mark.parametrize(
    ("shaped", "sparse", "half", "apart", "lower"),
    [
        (FAST, NEVER, True, True, False),
        (FAST, SLOW, True, True, False),
        ([0.0, 0.2, 0.9, 0.9], SLOW, False, True, False),
        (SLOW, FAST, False, False, True),
        (NEVER, NEVER, False, False, False),
        (SLOW, NEVER, False, True, False),
    ],
)
def test_the_claims_are_judged_by_the_figures(shaped, sparse, half, apart, lower):
    verdict = judge(
        condition_figures(runs(*[shaped] * 3, reward="shaped", model="process")),
        [condition_figures(runs(*[sparse] * 3))],
    )
    assert (verdict.half_the_steps, verdict.apart, verdict.ends_lower) == (half, apart, lower)
    assert verdict.holds == (half and apart and not lower)


def test_a_claim_has_to_hold_against_every_learner_of_sparse_rewards():
    shaped = condition_figures(runs(*[FAST] * 3, reward="shaped", model="process"))
    fast, never = (condition_figures(runs(*[each] * 3)) for each in (FAST, NEVER))
    assert judge(shaped, [never]).holds
    for both in ([never, fast], [fast, never]):
        verdict = judge(shaped, both)
        assert (verdict.half_the_steps, verdict.apart, verdict.holds) == (False, False, False)
    worse = condition_figures(runs(*[NEVER] * 3, reward="shaped", model="process"))
    assert all(judge(worse, both).ends_lower for both in ([never, fast], [fast, never]))
    with pytest.raises(ValueError, match=r"sparse rewards of the same budget are wanted, got 0, of \[2000\] steps"):
        judge(shaped, [])
