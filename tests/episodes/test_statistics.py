import numpy as np
import pytest

from robo_reward.episodes.statistics import (
    QUANTILES,
    PictureStatistics,
    RunningStatistics,
    column_statistics,
    sample_rows,
    statistics_of,
)


def test_statistics_of_a_vector_column_are_numpys():
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    measured = column_statistics(values)
    np.testing.assert_allclose(measured["mean"], values.astype(float).mean(0))
    np.testing.assert_allclose(measured["std"], values.astype(float).std(0))
    np.testing.assert_allclose(measured["q10"], np.quantile(values.astype(float), 0.1, axis=0))
    np.testing.assert_array_equal(measured["max"], values.max(0))
    assert measured["count"].tolist() == [50]


def test_unknown_rows_do_not_count_and_nothing_known_is_nan():
    values = np.array([[1.0], [np.nan], [3.0]])
    assert column_statistics(values)["mean"].tolist() == [2.0]
    assert column_statistics(values)["count"].tolist() == [2]
    unknown = column_statistics(values[1:2])
    assert np.isnan(unknown["mean"]).all()
    assert unknown["count"].tolist() == [0]


def test_episodes_together_have_the_statistics_of_all_rows():
    rng = np.random.default_rng(1)
    parts = [rng.normal(k, 1 + k, size=(n, 2)) for k, n in enumerate((5, 40, 17))]
    running = RunningStatistics()
    for part in [*parts, np.full((4, 2), np.nan)]:
        running.add(column_statistics(part))
    whole, together = column_statistics(np.concatenate(parts)), running.result()
    assert together is not None
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(together[name], whole[name], err_msg=name)
    weighted = sum(len(part) * column_statistics(part)["q50"] for part in parts) / 62
    np.testing.assert_allclose(together["q50"], weighted)


def test_without_any_known_value_there_are_no_statistics():
    running = RunningStatistics()
    running.add(column_statistics(np.full((4, 2), np.nan)))
    assert running.result() is None


def test_the_histogram_gives_the_statistics_of_all_pixels():
    pictures = np.random.default_rng(2).integers(0, 256, (6, 20, 30, 3), np.uint8)
    measured = statistics_of(pictures)
    pixels = pictures.reshape(-1, 3) / 255
    assert measured["mean"].shape == (3, 1, 1)
    np.testing.assert_allclose(measured["mean"][:, 0, 0], pixels.mean(0))
    np.testing.assert_allclose(measured["std"][:, 0, 0], pixels.std(0))
    np.testing.assert_array_equal(measured["min"][:, 0, 0], pixels.min(0))
    np.testing.assert_array_equal(measured["max"][:, 0, 0], pixels.max(0))
    for name, quantile in QUANTILES.items():
        exact = np.quantile(pixels, quantile, axis=0, method="inverted_cdf")
        np.testing.assert_allclose(measured[name][:, 0, 0], exact, err_msg=name)
    assert measured["count"].tolist() == [6]


def test_no_picture_has_no_statistics():
    with pytest.raises(ValueError, match="no picture was added"):
        PictureStatistics().result()


@pytest.mark.parametrize(("num_frames", "count"), [(1, 1), (60, 60), (300, 100), (1000, 177), (20000, 1681)])
def test_as_many_rows_are_sampled_as_in_lerobot(num_frames, count):
    rows = sample_rows(num_frames)
    assert len(rows) == count
    assert rows[0] == 0
    assert rows[-1] == num_frames - 1
