"""Integrations fed by an oracle that knows the true progress: what they must recover, and where they must refuse."""

import math

import pytest
import torch

from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.models.hop_integration import HopReadings, check_references, consistency_weight, integrate
from robo_reward.models.relative_hop import relative_hop

INTEGRATIONS = ("incremental", "forward", "backward", "mean", "consistent")
RISE = torch.linspace(0, 1, 41, dtype=torch.float64)
EPISODES = {
    "rises": RISE,
    "falls back and recovers": torch.cat([RISE[:30], RISE[10:30].flip(0), RISE[10:]]),
    "stands still": torch.cat([RISE[:20], RISE[19].expand(15), RISE[20:]]),
    "comes undone": torch.cat([RISE, RISE.flip(0)]),
}


def oracle(progress: torch.Tensor) -> HopReadings:
    """True hops from the frame before, from the start and from the goal."""
    before = torch.cat([progress.new_zeros(1), progress[:-1]])
    return HopReadings(
        incremental=relative_hop(before, progress)[None],
        forward=relative_hop(torch.zeros_like(progress), progress)[None],
        backward=relative_hop(torch.ones_like(progress), progress)[None],
    )


def told(*rows: list[float]) -> HopReadings:
    incremental, forward, backward = (torch.tensor([row], dtype=torch.float64) for row in rows)
    return HopReadings(incremental=incremental, forward=forward, backward=backward)


@pytest.mark.parametrize("integration", INTEGRATIONS)
@pytest.mark.parametrize("name", EPISODES)
def test_true_hops_give_the_true_progress(name, integration):
    progress = EPISODES[name]
    found = integrate(oracle(progress), integration)[0]
    assert float((found - progress).abs().max()) <= 1e-9


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_hops_in_whole_percent_cost_less_than_a_hundredth(integration):
    true = oracle(RISE)
    whole = {name: (getattr(true, name) * 100).round() / 100 for name in ("incremental", "forward", "backward")}
    assert float((integrate(HopReadings(**whole), integration)[0] - RISE).abs().max()) <= 0.01


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_order_is_that_of_time_and_a_reversed_episode_is_seen_to_be(integration):
    forth, back = (integrate(oracle(progress), integration)[0] for progress in (RISE, RISE.flip(0)))
    assert float(value_order_correlation(forth).value) == 1
    assert float(value_order_correlation(back).value) < 0.5


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_whatever_a_source_says_progress_stays_bounded(integration):
    generator = torch.Generator().manual_seed(0)
    wild = [2 * torch.rand(50, 30, generator=generator, dtype=torch.float64) - 1 for _ in range(3)]
    found = integrate(HopReadings(incremental=wild[0], forward=wild[1], backward=wild[2]), integration)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


def test_a_loss_before_anything_was_done_loses_nothing():
    assert integrate(told([-0.3], [0.0], [-1.0]), "incremental").tolist() == [[0.0]]


@pytest.mark.parametrize(
    ("forward", "backward", "weight"),
    [(0.5, 0.55, 0.834), (0.5, 0.6, 0.516), (0.5, 0.7, 0.108), (0.1, 0.15, 0.041), (0.1, 0.2, 1.4e-4), (0.0, 1.0, 0.0)],
)
def test_the_consistency_weight_is_that_of_the_paper(forward, backward, weight):
    readings = [torch.tensor(each, dtype=torch.float64) for each in (forward, backward)]
    assert float(consistency_weight(*readings)) == pytest.approx(weight, abs=5e-4)
    assert float(consistency_weight(*readings)) == float(consistency_weight(*reversed(readings)))


def test_readings_that_agree_weigh_a_quarter_each_and_the_hop_a_half():
    """Equation 11 at w = 1: Φ* + (Φ̄ − Φ* + ΔΦ) / 2."""
    found = integrate(told([0.5], [0.8], [-0.2]), "consistent", begin=torch.tensor([0.4]).double())
    assert float(found) == pytest.approx(0.4 + 0.5 * (0.8 - 0.4 + 0.3))


def test_an_anchored_mean_never_sees_success_where_the_goal_looks_like_the_start():
    nearly = torch.tensor([1.0], dtype=torch.float64)
    success = told([0.0], [0.0], [0.0])  # done, yet like the start, and like the goal
    assert float(integrate(success, "mean", begin=nearly)) == pytest.approx(2 / 3)
    assert float(integrate(success, "incremental", begin=nearly)) == 1


def test_references_that_look_alike_are_refused_and_told_what_works():
    for hop in (0.0, 0.49, -0.2):
        with pytest.raises(ValueError, match=f"goal picture looks like the start.*{hop:.2f}.*integration=incremental"):
            check_references(hop)
    check_references(1.0)
    check_references(0.5)
    check_references(math.nan)


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_an_abstention_is_unknown_and_the_next_frame_goes_on_from_the_last_known(integration):
    true = oracle(RISE)
    hops = {name: getattr(true, name).clone() for name in ("incremental", "forward", "backward")}
    for hop in hops.values():
        hop[0, 20] = torch.nan
    hops["incremental"][0, 21] = relative_hop(RISE[19], RISE[21])
    found = integrate(HopReadings(**hops), integration)[0]
    assert found.isnan().nonzero()[:, 0].tolist() == [20]
    known = ~found.isnan()
    assert float((found[known] - RISE[known]).abs().max()) <= 1e-9


def test_an_abstention_is_no_hop_of_zero():
    held = integrate(told([0.2, torch.nan, 0.0], [0.2, torch.nan, 0.2], [-0.8, torch.nan, -0.8]), "mean")
    zero = integrate(told([0.2, 0.0, 0.0], [0.2, 0.0, 0.2], [-0.8, 0.0, -0.8]), "mean")
    assert float(held[0, 2]) == pytest.approx(0.2)
    assert float(zero[0, 2]) > 0.25


@pytest.mark.parametrize("integration", ["incremental", "mean", "consistent"])
def test_an_episode_in_pieces_is_the_whole(integration):
    true = oracle(EPISODES["falls back and recovers"])
    whole = integrate(true, integration)
    parts = [
        HopReadings(**{name: getattr(true, name)[:, piece] for name in ("incremental", "forward", "backward")})
        for piece in (slice(0, 17), slice(17, None))
    ]
    first = integrate(parts[0], integration)
    second = integrate(parts[1], integration, begin=first[:, -1])
    assert torch.equal(torch.cat([first, second], dim=1), whole)
