import pytest
import torch

from robo_reward.fusion.ensembles import ensemble_mean, uncertainty_weighted, worst_case

ROGUE = torch.tensor([1.0, 1, 1, 1, 9])
SOUND = torch.tensor([2.0, 2, 2, 2, 2])


def test_one_rogue_member_wins_by_the_mean_only():
    """Acceptance: figures of Coste et al., checked by hand: 2.6 > 2, 1 < 2, 1.576 < 2."""
    assert ensemble_mean(ROGUE).item() == pytest.approx(2.6)
    assert ensemble_mean(SOUND).item() == 2
    assert worst_case(ROGUE).item() == 1 < worst_case(SOUND).item() == 2
    assert uncertainty_weighted(ROGUE, penalty=0.1).item() == pytest.approx(1.576)
    assert uncertainty_weighted(SOUND, penalty=0.1).item() == 2


def test_members_are_the_first_axis_whatever_follows():
    both = torch.stack([ROGUE, SOUND], dim=1)[..., None].expand(-1, -1, 4)
    assert worst_case(both).tolist() == [[1.0] * 4, [2.0] * 4]
    assert uncertainty_weighted(both, penalty=0.1).shape == (2, 4)


def test_without_penalty_the_doubt_does_not_count():
    assert torch.equal(uncertainty_weighted(ROGUE, penalty=0.0), ensemble_mean(ROGUE))


def test_a_member_that_abstains_makes_the_ensemble_abstain():
    opinions = torch.stack([ROGUE, SOUND], dim=1)
    opinions[3, 0] = torch.nan
    for joined in (ensemble_mean(opinions), worst_case(opinions), uncertainty_weighted(opinions, penalty=0.5)):
        assert joined.isnan().tolist() == [True, False]


def test_no_member_and_a_negative_penalty_are_refused():
    for join in (ensemble_mean, worst_case):
        with pytest.raises(ValueError, match="at least one member"):
            join(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="penalty must be >= 0, got -1"):
        uncertainty_weighted(ROGUE, penalty=-1.0)
