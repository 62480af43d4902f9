import pytest
import torch

from robo_reward.models.relative_hop import Hops, follow_hop, relative_hop

GRID = torch.linspace(0, 1, 101, dtype=torch.float64)
BEFORE, AFTER = (each.reshape(-1) for each in torch.meshgrid(GRID, GRID, indexing="ij"))


def test_a_hop_leads_to_where_it_was_measured():
    hop = relative_hop(BEFORE, AFTER)
    assert float((follow_hop(BEFORE, hop) - AFTER).abs().max()) <= 1e-15
    assert float(hop.abs().max()) <= 1
    assert torch.equal(hop.sign(), (AFTER - BEFORE).sign())


def test_a_hop_and_the_one_back_undo_each_other():
    there = follow_hop(BEFORE, relative_hop(BEFORE, AFTER))
    assert float((follow_hop(there, relative_hop(AFTER, BEFORE)) - BEFORE).abs().max()) <= 1e-15


def test_at_the_ends_a_hop_is_finite():
    nothing, everything = torch.zeros(101).double(), torch.ones(101).double()
    assert torch.equal(relative_hop(nothing, GRID), GRID)
    assert torch.equal(relative_hop(everything, GRID), GRID - 1)
    same = relative_hop(GRID, GRID)
    assert torch.equal(same, nothing)


def test_single_precision_does_not_divide_by_nothing():
    ends = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert relative_hop(ends, torch.tensor([0.0, 1.0, 0.0, 1.0])).tolist() == [0, 1, -1, 0]


def test_any_hop_stays_between_nothing_and_everything():
    hop = 2 * AFTER - 1
    followed = follow_hop(BEFORE, hop)
    assert float(followed.min()) >= 0
    assert float(followed.max()) <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": torch.tensor([[1.2]]).double()}, r"hops must be in \[-1, 1\], got \[1.2, 1.2\]"),
        ({"spread": torch.tensor([[-0.1]]).double()}, "spread must be >= 0, got -0.1"),
        ({"spread": torch.tensor([[torch.nan]]).double()}, "must be NaN together: an abstention has neither"),
    ],
)
def test_answers_of_a_source_are_checked(changes, message):
    good = {"value": torch.tensor([[0.5]]).double(), "spread": torch.tensor([[0.1]]).double()}
    Hops(**good)
    with pytest.raises(ValueError, match=message):
        Hops(**(good | changes))
