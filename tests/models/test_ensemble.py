import pytest
import torch
from fake_encoder import FakeEncoder
from reward_model import CONTRACT, random_clip

from robo_reward.models.ensemble import RULES, EnsembleModel, less_deviation
from robo_reward.models.trajectory_match import TrajectoryMatch
from robo_reward.perception.encoder import EmbeddedClip, embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip
from robo_reward.reward_model import Estimate

ENCODER = FakeEncoder()
NEAR = {
    "_target_": "robo_reward.models.prompt_similarity.PromptSimilarity",
    "goal": ["a green square"],
    "baseline": ["a red square"],
    "alpha": 0.5,
}
FAR = NEAR | {"goal": ["a blue square"]}


class Says:
    """A member of a fixed opinion; it abstains where no camera sees anything."""

    weights, context, settings = {}, 1, {}

    def __init__(self, opinion: float, spread: float = 0.1) -> None:
        self.encoder, self.version = ENCODER, f"says {opinion}"
        self._opinion, self._spread = opinion, spread

    def estimate(self, clip):
        return self.estimate_embedded(embed_clip(ENCODER, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        nothing = torch.where(clip.present.any(dim=-1), 0.0, torch.nan)
        return Estimate(progress=nothing + self._opinion, spread=nothing + self._spread)

    def fitted_to(self, clips, *, on_epoch=None):
        return Says(self._opinion + 0.1)


def ensemble(rule: str, *members: Says, penalty: float = 1.0) -> Estimate:
    return EnsembleModel(ENCODER, models=members, rule=rule, penalty=penalty).estimate(random_clip(time=2))


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("rule", RULES)
def test_an_ensemble_keeps_the_contract_of_reward_models(law, rule):
    law(EnsembleModel(ENCODER, models=[NEAR, FAR], rule=rule, penalty=0.5))


def test_it_can_be_fitted_and_rebuilt_from_plain_data():
    model = EnsembleModel(ENCODER, models=[NEAR, FAR])
    assert isinstance(model, FittableRewardModel)
    again = EnsembleModel(ENCODER, **model.settings, weights=model.weights)
    clip = random_clip(time=5)
    assert again.version == model.version
    assert torch.equal(again.estimate(clip).progress, model.estimate(clip).progress)
    other = EnsembleModel(ENCODER, models=[NEAR, FAR], penalty=0.0)
    assert other.version != model.version
    assert not torch.equal(other.estimate(clip).progress, model.estimate(clip).progress)


@pytest.fixture(scope="module")
def fitted() -> EnsembleModel:
    """Members that look back at frames, each with tensors of its own."""
    clips = [LabelledClip(clip=embed_clip(ENCODER, random_clip(time=12, seed=seed)), success=True) for seed in range(3)]
    members = [TrajectoryMatch(ENCODER, directions=4, positions=8, context=each, quantile=0.99) for each in (3, 5)]
    return EnsembleModel(ENCODER, models=members, rule="mean").fitted_to(clips)


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_members_that_look_back_remember_each_what_it_needs(law, fitted):
    law(fitted)


def test_fitted_members_come_back_each_with_its_own_tensors(fitted):
    again = EnsembleModel(ENCODER, **fitted.settings, weights=fitted.weights)
    assert again.version == fitted.version
    assert [each.version for each in again.members] == [each.version for each in fitted.members]
    assert len({each.version for each in again.members}) == 2


@pytest.mark.parametrize(
    ("rule", "penalty", "wanted"),
    [
        ("mean", 9.0, 0.5),
        ("worst_case", 9.0, 0.2),
        ("less_variance", 2.0, 0.5 - 2 * 0.06),
        ("less_deviation", 1.0, 0.5 - 0.06**0.5),
    ],
)
def test_three_opinions_become_one_by_rule(rule, penalty, wanted):
    """Opinions .2, .5, .8: population variance .06."""
    estimate = ensemble(rule, Says(0.2), Says(0.5), Says(0.8), penalty=penalty)
    assert estimate.progress[0].tolist() == pytest.approx([wanted, wanted], abs=1e-6)
    assert estimate.spread[0].tolist() == pytest.approx([(0.01 + 0.06) ** 0.5] * 2, abs=1e-6)


def test_one_rogue_member_carries_the_mean_away_and_no_other_rule():
    """Acceptance in the manner of Coste et al.: four members sure of little progress, one of success."""
    rogue, sound = [Says(0.1)] * 4 + [Says(1.0)], [Says(0.2)] * 5
    assert ensemble("mean", *rogue).progress[0, 0] > ensemble("mean", *sound).progress[0, 0]
    for rule in ("worst_case", "less_variance", "less_deviation"):
        assert ensemble(rule, *rogue).progress[0, 0] < ensemble(rule, *sound).progress[0, 0]


def test_what_leaves_the_range_is_limited_before_it_becomes_a_potential():
    assert ensemble("less_deviation", Says(0.0), Says(0.6), penalty=5.0).progress[0].tolist() == [0.0, 0.0]


def test_it_abstains_where_a_member_does():
    class Silent(Says):
        def estimate_embedded(self, clip):
            nothing = torch.full(clip.stamp.shape, torch.nan)
            return Estimate(progress=nothing, spread=nothing)

    for rule in RULES:
        assert ensemble(rule, Says(0.5), Silent(0.5)).abstained.all()


def test_every_member_is_fitted():
    clips = [LabelledClip(clip=embed_clip(ENCODER, random_clip()), success=True)]
    fitted = EnsembleModel(ENCODER, models=[Says(0.2), Says(0.4)], rule="mean").fitted_to(clips)
    assert fitted.estimate(random_clip(time=1)).progress[0].tolist() == pytest.approx([0.4])


def test_what_is_no_ensemble_is_refused():
    with pytest.raises(ValueError, match="an ensemble needs at least two models, got 1"):
        EnsembleModel(ENCODER, models=[NEAR])
    with pytest.raises(ValueError, match="unknown rule 'median'; available: mean, worst_case, less_variance"):
        EnsembleModel(ENCODER, models=[NEAR, FAR], rule="median")
    for build in (
        lambda: EnsembleModel(ENCODER, models=[NEAR, FAR], penalty=-1.0),
        lambda: less_deviation(torch.ones(2), penalty=-1.0),
    ):
        with pytest.raises(ValueError, match="penalty must be >= 0, got -1"):
            build()
    with pytest.raises(ValueError, match="the inner model looks through encoder fake"):
        EnsembleModel(FakeEncoder(dim=9), models=[Says(0.5), Says(0.4)])
