import math

import pytest
import torch

from robo_reward.models.compressed_view import fit_compressed_view
from robo_reward.models.logistic import cross_entropy, fit_logistic


def problem(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    target = (rows[:, 0] + torch.randn(200, generator=generator, dtype=torch.float64) > 0.5).double()
    return rows, target, torch.rand(200, generator=generator, dtype=torch.float64) + 0.1


def test_the_gradient_at_the_answer_is_zero():
    rows, target, weight = problem()
    direction, offset = fit_logistic(rows, target, weight=weight, ridge=0.05)
    direction.requires_grad_()
    bias = torch.tensor(offset, dtype=torch.float64, requires_grad=True)
    log_odds = rows @ direction + bias
    each = torch.nn.functional.binary_cross_entropy_with_logits(log_odds, target, reduction="none")
    ((weight * each).sum() / weight.sum() + 0.025 * direction.square().sum()).backward()
    assert direction.grad is not None
    assert bias.grad is not None
    assert float(direction.grad.abs().max()) < 1e-6
    assert abs(float(bias.grad)) < 1e-6


def test_a_doubled_weight_is_a_repeated_row():
    rows, target, _ = problem()
    once = torch.ones(200, dtype=torch.float64)
    twice = once.clone()
    twice[:50] = 2
    repeated = fit_logistic(
        torch.cat([rows, rows[:50]]), torch.cat([target, target[:50]]), weight=torch.ones(250).double(), ridge=0.1
    )
    weighted = fit_logistic(rows, target, weight=twice, ridge=0.1)
    assert torch.allclose(repeated[0], weighted[0], atol=1e-6)
    assert repeated[1] == pytest.approx(weighted[1], abs=1e-6)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_separable_and_single_class_targets_stay_finite(label):
    rows = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    weight = torch.ones(2, dtype=torch.float64)
    apart = fit_logistic(rows, torch.tensor([0.0, 1.0], dtype=torch.float64), weight=weight, ridge=1e-4)
    single = fit_logistic(rows, torch.full((2,), label, dtype=torch.float64), weight=weight, ridge=1e-2)
    assert math.isfinite(float(apart[0][0]))
    assert float(apart[0][0]) > 1
    assert math.isfinite(single[1])
    assert (single[1] > 3) == bool(label)


def test_cross_entropy_of_a_fair_coin_is_log_two():
    assert cross_entropy(
        torch.zeros(4).double(), torch.tensor([0.0, 1, 1, 0]).double(), weight=torch.ones(4).double()
    ) == (pytest.approx(math.log(2)))


def test_no_row_and_no_ridge_are_refused():
    rows, target, weight = problem()
    with pytest.raises(ValueError, match="ridge > 0"):
        fit_logistic(rows, target, weight=weight, ridge=0.0)
    with pytest.raises(ValueError, match="0 rows"):
        fit_logistic(rows[:0], target[:0], weight=weight[:0], ridge=1.0)


def test_a_compressed_view_keeps_the_distances_between_frames_of_few_directions():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(50, 3, generator=generator) @ torch.randn(3, 500, generator=generator) + 7
    view = fit_compressed_view([rows[:20], rows[20:]], rank=10)
    inside = view(rows)
    assert inside.shape == (50, 3)
    assert float(inside.square().sum(-1).mean()) == pytest.approx(1, abs=1e-4)
    scaled = torch.cdist(inside, inside) / torch.cdist(rows.double(), rows.double()).clamp(min=1e-9)
    off = ~torch.eye(50, dtype=torch.bool)
    assert float(scaled[off].std() / scaled[off].mean()) < 1e-3
    assert torch.equal(view(rows[7:8]), inside[7:8])
    assert bool(view(rows[:1] * torch.nan).isnan().all())
    with pytest.raises(ValueError, match="at least two frames"):
        fit_compressed_view([rows[:1]], rank=3)
