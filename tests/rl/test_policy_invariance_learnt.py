"""Policy invariance end to end: learners whose potential points to the wrong end come to the same task return.

What is tested is equivalence, not the absence of a significant difference: the 95 % interval (Welch's t) of the
difference between the mean returns of shaped and unshaped learners must lie within ±`BOUND`. That the test can fail is
shown by the same potential paid as a score and as a plain difference, whose intervals must lie below −`BOUND`.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from misled_point import DISCOUNT, OPTIMUM, MisledPoint, discounted_return
from scipy import stats

from robo_reward.rl.environments import Environments
from robo_reward.rl.learners import Sac
from robo_reward.rl.state_progress import StateProgress
from robo_reward.rl.training import Training
from robo_reward.rl.training_result import TrainingListener
from robo_reward.rl.training_settings import TrainingSettings

BOUND = 0.05
"""Of the return, whose optimum is 0.78: some two thirds of a step later at the goal."""
LEARNER = Sac(
    num_envs=16,
    discount=DISCOUNT,
    learning_rate=3e-3,
    hidden=(32, 32),
    batch_size=64,
    learning_starts=1500,
    updates_per_step=0.25,
    tau=0.02,
    entropy=0.01,
    normalised_critics=False,
)
STEPS, SEGMENT = 4256, 608


def learnt(reward: str, seed: int, folder: Path) -> list[float]:
    """The discounted task return after each segment of a training."""
    found = []

    def act(place):
        return training.algorithm.predict(place[:, None].astype(np.float32), deterministic=True)[0][:, 0]

    training = Training(
        Environments(make=MisledPoint),
        LEARNER,
        settings=TrainingSettings(
            reward=reward, total_steps=STEPS, every=SEGMENT, evaluation_episodes=0, videos=0, seed=seed
        ),
        output=folder,
        model=StateProgress(),
        listener=TrainingListener(on_metrics=lambda _: found.append(discounted_return(act))),
    )
    training.run()
    return found


def returns(reward: str, seeds: int, folder: Path) -> np.ndarray:
    """Of each seed, after each segment."""
    return np.array([learnt(reward, seed, folder / f"{reward}{seed}") for seed in range(seeds)])


def interval(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """95 % interval of the difference of the means."""
    difference = float(one.mean() - other.mean())
    variances = np.array([each.var(ddof=1) / len(each) for each in (one, other)])
    if not variances.any():  # all learners alike
        return difference, difference
    degrees = variances.sum() ** 2 / (variances**2 / [len(one) - 1, len(other) - 1]).sum()
    half = float(stats.t.ppf(0.975, degrees) * np.sqrt(variances.sum()))
    return difference - half, difference + half


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute of work on a machine that is left alone
def test_learners_shaped_by_a_misleading_potential_come_to_the_same_return_and_misled_ones_do_not(tmp_path):
    of = partial(returns, folder=tmp_path)
    plain, shaped = of("sparse", 3), of("shaped", 4)
    for learners in (plain, shaped):
        assert abs(learners[:, -1].mean() - learners[:, -2].mean()) < BOUND  # they have converged
        assert OPTIMUM - learners[:, -1].mean() < BOUND
    low, high = interval(shaped[:, -1], plain[:, -1])
    assert -BOUND < low <= high < BOUND
    for misled in (of("score", 2), of("difference", 4)):
        assert interval(misled[:, -1], plain[:, -1])[1] < -BOUND
