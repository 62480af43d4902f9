from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.nn import functional

from robo_reward.perception.dense_similarity import AGAINST, DenseSimilarity, PatchFeatures, embedded_similarity


class Colours:
    """Features of an 8 x 10 grid: mean colour of the cell; texts name colours."""

    version, logit_scale = "colours", 20.0
    NAMED: ClassVar = {"the red thing": (1.0, 0, 0), "the green thing": (0, 1.0, 0)}

    def features(self, picture):
        cells = functional.adaptive_avg_pool2d(picture.float()[None], (8, 10))[0].permute(1, 2, 0)
        return functional.normalize(cells + 1, dim=-1)

    def text(self, text):
        return functional.normalize(torch.tensor([self.NAMED.get(each, (1.0, 1, 1)) for each in text]), dim=-1)


def scene(*red: tuple[int, int]) -> torch.Tensor:
    """A grey 80 x 100 picture with red cells (row, column)."""
    picture = torch.full((3, 80, 100), 100, dtype=torch.uint8)
    for row, column in red:
        picture[:, 10 * row : 10 * row + 10, 10 * column : 10 * column + 10] = torch.tensor([250, 0, 0])[:, None, None]
    return picture


def test_it_points_to_what_the_words_name():
    point = DenseSimilarity(Colours()).touch_point(scene((2, 7)), "the red thing")
    assert point.pixel == (74.5, 24.5)
    assert point.probability > 0.7
    # one cell only: little more than the cell's own size
    assert np.sqrt(np.diag(point.covariance)).max() < 15


def test_two_such_things_leave_a_large_doubt_between_them():
    one = DenseSimilarity(Colours()).touch_point(scene((2, 1)), "the red thing")
    two = DenseSimilarity(Colours()).touch_point(scene((2, 1), (2, 9)), "the red thing")
    assert np.sqrt(two.covariance[0, 0]) > 3 * np.sqrt(one.covariance[0, 0])
    assert two.covariance[0, 0] > 5 * two.covariance[1, 1]  # along the line between them


def test_where_nothing_looks_like_it_the_doubt_is_the_picture():
    point = DenseSimilarity(Colours()).touch_point(scene(), "the green thing")
    assert np.sqrt(point.covariance[0, 0]) > 25


def test_probabilities_are_against_what_else_there_is():
    similarity = DenseSimilarity(Colours())
    told = similarity.probabilities(scene((2, 7)), "the red thing")
    assert told.shape == (8, 10)
    assert bool(((told >= 0) & (told <= 1)).all())
    assert int(told.argmax()) == 27
    alone = DenseSimilarity(Colours(), against=["a table"]).probabilities(scene((2, 7)), "the red thing")
    assert float(alone[2, 7]) > float(told[2, 7])


def test_the_words_themselves_are_not_among_the_others():
    similarity = DenseSimilarity(Colours(), against=["the red thing", "a table"])
    expected = DenseSimilarity(Colours(), against=["a table"])
    assert torch.equal(
        similarity.probabilities(scene((2, 7)), "the red thing"), expected.probabilities(scene((2, 7)), "the red thing")
    )


def test_settings_are_checked_at_the_door():
    assert isinstance(Colours(), PatchFeatures)
    with pytest.raises(ValueError, match="against must be a list of one or more texts"):
        DenseSimilarity(Colours(), against=[])
    with pytest.raises(ValueError, match="sharpness must be >= 1, got 0.5"):
        DenseSimilarity(Colours(), sharpness=0.5)


def test_the_encoder_that_comes_with_the_package_answers():
    similarity = embedded_similarity(device="cpu")
    point = similarity.touch_point(scene((2, 7)), "the red puck")
    assert 0 <= point.pixel[0] < 100
    assert 0 <= point.pixel[1] < 80
    assert np.linalg.eigvalsh(point.covariance).min() > 0
    assert repr(list(AGAINST)) in similarity.version
    with pytest.raises(ValueError, match="texts must not be empty"):
        similarity.touch_point(scene(), " ")
