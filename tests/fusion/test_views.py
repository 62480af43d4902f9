import pytest
import torch

from robo_reward.fusion.views import fuse_views

NAN = float("nan")


def test_views_count_by_inverse_variance():
    fused = fuse_views(torch.tensor([[[0.2, 0.8]]]), torch.tensor([[[0.01, 0.03]]]))
    assert float(fused.progress) == pytest.approx((0.2 * 100 + 0.8 * 100 / 3) / (100 + 100 / 3))


def test_agreeing_views_keep_the_spread_of_one_and_disagreement_adds_to_it():
    variance = torch.full((1, 1, 2), 0.04)
    assert float(fuse_views(torch.tensor([[[0.5, 0.5]]]), variance).spread) == pytest.approx(0.2)
    assert float(fuse_views(torch.tensor([[[0.4, 0.6]]]), variance).spread) == pytest.approx((0.04 + 0.01) ** 0.5)


def test_a_lost_camera_is_left_out_and_none_left_is_an_abstention():
    fused = fuse_views(torch.tensor([[[0.25, NAN], [NAN, NAN]]]), torch.full((1, 2, 2), 0.04))
    assert float(fused.progress[0, 0]) == 0.25
    assert fused.abstained.tolist() == [[False, True]]
    assert bool(fused.progress[0, 1].isnan())


def test_a_variance_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="variance must be > 0 and finite for every camera that gave a frame"):
        fuse_views(torch.tensor([[[0.5]]]), torch.tensor([[[0.0]]]))
