import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import least_squares

from robo_reward.calibration.sparse_least_squares import sparse_least_squares


def curve(seed: int, outliers: int):
    """Residuals of a · exp(b t) + c at 60 times, and their derivative."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2, 60)
    seen = 2.0 * np.exp(-1.3 * time) + 0.5 + rng.normal(0, 0.01, 60)
    seen[rng.permutation(60)[:outliers]] += 1.0

    def evaluate(x: np.ndarray):
        decay = np.exp(x[1] * time)
        derivative = np.stack([decay, x[0] * time * decay, np.ones_like(time)], axis=1) / 0.01
        return (x[0] * decay + x[2] - seen) / 0.01, sparse.csr_matrix(derivative)

    return evaluate


@pytest.mark.parametrize(("huber", "loss"), [(None, "linear"), (1.5, "huber")])
@pytest.mark.parametrize("outliers", [0, 8])
def test_the_least_is_where_scipy_finds_it(huber, loss, outliers):
    for seed in range(3):
        evaluate = curve(seed, outliers)
        found = sparse_least_squares(evaluate, np.array([1.0, -0.5, 0.0]), huber=huber)
        theirs = least_squares(
            lambda x, it=evaluate: it(x)[0], [1.0, -0.5, 0.0], jac=lambda x, it=evaluate: it(x)[1].toarray(),
            loss=loss, f_scale=1.5, xtol=1e-12, ftol=1e-12, gtol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(found, theirs.x, rtol=1e-5, atol=1e-6)


def test_outliers_hardly_move_a_robust_fit():
    truth = [2.0, -1.3, 0.5]
    robust, plain = (sparse_least_squares(curve(1, 8), np.array([1.0, -0.5, 0.0]), huber=it) for it in (1.5, None))
    assert np.abs(robust - truth).max() < 0.05 < np.abs(plain - truth).max()


def test_an_unknown_of_which_nothing_tells_stays_where_it_is():
    def evaluate(x: np.ndarray):
        return np.array([x[0] - 3.0, 2 * x[0] - 6.0]), sparse.csr_matrix(np.array([[1.0, 0.0], [2.0, 0.0]]))

    np.testing.assert_allclose(sparse_least_squares(evaluate, np.array([0.0, 7.0]), huber=None), [3.0, 7.0])
