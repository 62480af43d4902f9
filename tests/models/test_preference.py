import math

import pytest
import torch
from fake_encoder import FakeEncoder
from reward_model import CONTRACT, random_clip

from robo_reward.models.bradley_terry import BradleyTerry
from robo_reward.models.compressed_view import CompressedView
from robo_reward.models.preference import UNMEASURED, PreferenceReward
from robo_reward.models.preference_pairs import FrameReference, PreferencePair, pairs_from_time
from robo_reward.models.preference_view import PreferenceView, calibrated_view, squash, standardised
from robo_reward.perception.encoder import EmbeddedClip, embed_clip
from robo_reward.perception.fitting import FitProgress, FittableRewardModel, LabelledClip

ENCODER = FakeEncoder()
CAMERAS = ("front", "wrist")
DIM, TIME = 30, 40


def episode(seed: int, *, success: bool = True, noise: float = 0.5, time: int = TIME) -> LabelledClip:
    """Frames go along a bent way in one direction and back in another; a failure turns round half-way."""
    shared, own = torch.Generator().manual_seed(3), torch.Generator().manual_seed(seed)
    ways = torch.randn(2, 3, DIM, generator=shared)
    phase = torch.linspace(0, 1, time)
    reached = phase if success else torch.where(phase < 0.5, phase, 1 - phase)
    bends = torch.stack([3 * reached, (6 * reached).sin(), torch.randn(time, generator=own)], dim=1)
    embedding = torch.einsum("tk,vkd->tvd", bends, ways) + noise * torch.randn(time, 2, DIM, generator=own)
    stamp = torch.arange(time, dtype=torch.float64)[None]
    return LabelledClip(clip=EmbeddedClip(embedding=embedding[None], cameras=CAMERAS, stamp=stamp), success=success)


@pytest.fixture(scope="module")
def fitted() -> PreferenceReward:
    return PreferenceReward(ENCODER, pairs=600).fitted_to([episode(seed) for seed in range(3)])


@pytest.fixture(scope="module")
def looking() -> PreferenceReward:
    clips = [LabelledClip(clip=embed_clip(ENCODER, random_clip(time=12, seed=seed)), success=True) for seed in range(2)]
    return PreferenceReward(ENCODER, pairs=100).fitted_to(clips)


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_contract(law, looking):
    law(looking)


def test_new_episodes_rise_to_their_goal_with_the_error_as_stated(fitted):
    for seed in range(20, 25):
        new = episode(seed, time=55)
        estimate = fitted.estimate_embedded(new.clip)
        error = (estimate.progress[0] - new.target).abs()
        assert float(error.mean()) < 0.1
        assert float((error <= 1.645 * estimate.spread[0]).double().mean()) >= 0.8
        order = torch.corrcoef(torch.stack([estimate.progress[0], new.target]))[0, 1]
        assert float(order) > 0.95


def test_a_failure_does_not_reach_what_successes_reach():
    clips = [episode(seed) for seed in range(3)] + [episode(seed, success=False) for seed in range(3, 5)]
    model = PreferenceReward(ENCODER, pairs=600).fitted_to(clips)
    for seed in range(20, 25):
        failed = model.estimate_embedded(episode(seed, success=False).clip).progress[0, -5:].mean()
        done = model.estimate_embedded(episode(seed).clip).progress[0, -5:].mean()
        assert float(failed) < 0.4
        assert float(done) > 0.9


def test_before_a_fit_it_abstains():
    assert bool(PreferenceReward(ENCODER).estimate_embedded(episode(0).clip).abstained.all())


def test_an_absent_camera_is_done_without(fitted):
    new = episode(20)
    new.clip.embedding[:, 5:, 0] = torch.nan
    new.clip.embedding[:, 9] = torch.nan
    estimate = fitted.estimate_embedded(new.clip)
    assert estimate.abstained[0].nonzero()[:, 0].tolist() == [9]
    assert float((estimate.progress[0] - new.target).abs().nanmean()) < 0.12


def test_settings_and_weights_rebuild_it(fitted):
    again = PreferenceReward(ENCODER, **fitted.settings, weights=fitted.weights)
    assert isinstance(again, FittableRewardModel)
    assert again.version == fitted.version
    clip = episode(20).clip
    assert torch.equal(again.estimate_embedded(clip).progress, fitted.estimate_embedded(clip).progress)
    assert torch.equal(again.estimate_embedded(clip).spread, fitted.estimate_embedded(clip).spread)
    other = {name: tensor + (name == "1.residual") for name, tensor in fitted.weights.items()}
    assert PreferenceReward(ENCODER, **fitted.settings, weights=other).version != fitted.version


def test_every_setting_is_kept():
    given = {"rank": 3, "hidden": 2, "pairs": 50, "margin": 0.2, "seed": 4}
    before = PreferenceReward(ENCODER, **given)
    after = before.fitted_to([episode(0), episode(1)])
    assert before.settings == given | {"cameras": []}
    assert after.settings == given | {"cameras": list(CAMERAS)}


def test_the_same_clips_give_the_same_model_and_another_seed_another(fitted):
    clips = [episode(seed) for seed in range(3)]
    assert PreferenceReward(ENCODER, pairs=600).fitted_to(clips).version == fitted.version
    assert PreferenceReward(ENCODER, pairs=600, seed=1).fitted_to(clips).version != fitted.version


def by_person(number: int, *, flips: float = 0.0, unsure: bool = False) -> list[PreferencePair]:
    """Labels for pairs of one successful episode; some wrong."""
    generator = torch.Generator().manual_seed(0)
    pairs = []
    for _ in range(number):
        one, other = torch.randperm(TIME, generator=generator)[:2].tolist()
        label = int(other > one) ^ int(torch.rand(1, generator=generator) < flips)
        pairs.append(
            PreferencePair(
                first=FrameReference(episode=7, frame=one),
                second=FrameReference(episode=7, frame=other),
                label=None if unsure else label,
            )
        )
    return pairs


@pytest.mark.parametrize("told", [True, None])
def test_pairs_labelled_by_a_person_are_enough(told):
    """With a demonstration among the episodes progress has its scale; without, it is a rank and nobody measured it."""
    clip = episode(0)
    model = PreferenceReward(ENCODER).fitted_to_pairs(
        by_person(400, flips=0.1), episodes={7: LabelledClip(clip=clip.clip, success=told)}
    )
    new = episode(20)
    progress = model.estimate_embedded(new.clip).progress[0]
    assert float(torch.corrcoef(torch.stack([progress, new.target]))[0, 1]) > 0.9
    assert (max(model.residuals.values()) == pytest.approx(UNMEASURED)) == (told is None)


def test_pairs_that_nobody_is_sure_of_update_nothing(fitted):
    assert fitted.fitted_to_pairs(by_person(20, unsure=True), episodes={7: episode(0)}) is fitted


def test_a_fit_tells_how_far_it_is():
    seen: list[FitProgress] = []
    PreferenceReward(ENCODER, pairs=50).fitted_to([episode(0), episode(1)], on_epoch=seen.append)
    assert [each.epoch for each in seen] == sorted({each.epoch for each in seen})
    assert all(each.epoch <= each.epochs and math.isfinite(each.held_out_error) for each in seen)
    assert seen[10].training_error < seen[0].training_error == pytest.approx(math.log(2))


def test_what_it_cannot_learn_from_is_refused_by_name():
    model = PreferenceReward(ENCODER, pairs=10)
    with pytest.raises(ValueError, match="no two frames of successful episodes differ"):
        model.fitted_to([episode(0, success=False)])
    other = EmbeddedClip(embedding=episode(0).clip.embedding, cameras=("a", "b"), stamp=episode(0).clip.stamp)
    with pytest.raises(ValueError, match="disagree on cameras"):
        model.fitted_to([episode(0), LabelledClip(clip=other, success=True)])
    with pytest.raises(ValueError, match=r"names frame .* of episode 7; there are \(episode: frames\) \{0: 40\}"):
        model.fitted_to_pairs(by_person(3), episodes={0: episode(0)})
    with pytest.raises(ValueError, match="margin in"):
        PreferenceReward(ENCODER, margin=0.0)
    with pytest.raises(ValueError, match=r"camera \['a', 'b'\] was not fitted"):
        PreferenceReward(ENCODER, pairs=20).fitted_to([episode(0)]).estimate_embedded(other)


def calibrated(scores: torch.Tensor, progress: torch.Tensor, groups: torch.Tensor) -> PreferenceView:
    """A view whose members all score a frame by its one number."""
    one = torch.ones(3, 1, dtype=torch.float64)
    parameters = {"linear": one, "inner": one[:, None], "bias": one * 0, "outer": one * 0}
    return calibrated_view(
        CompressedView(centre=torch.zeros(1), basis=torch.ones(1, 1)),
        BradleyTerry(parameters=parameters),
        scores[:, None].double(),
        progress.double(),
        groups,
        unmeasured=UNMEASURED,
    )


def test_progress_never_falls_with_the_score_although_demonstrations_may():
    progress = torch.linspace(0, 1, 101)
    view = calibrated(progress - 0.6 * (progress > 0.5), progress, torch.zeros(101, dtype=torch.long))
    assert bool((view.knots.diff() >= 0).all())
    assert bool((view(torch.linspace(-1, 2, 99)[:, None])[0].diff() >= 0).all())


def test_the_residual_is_measured_on_what_members_did_not_learn_from():
    """Groups 0 to 2 are held out by a member each; groups 3 and 4 are learnt from by all, and do not count."""
    progress = torch.linspace(0, 1, 100).repeat(2)
    wrong = torch.cat([torch.zeros(100), torch.ones(100)])
    groups = wrong.long() * 3
    scores = torch.where(wrong > 0, 0.5, progress)
    held_right = calibrated(scores, progress, groups)
    held_wrong = calibrated(scores, progress, 3 - groups)
    assert float(held_right.residual) < float(held_wrong.residual) - 0.05


def test_squash_is_rising_bounded_and_linear_between_knots():
    knots = torch.tensor([-1.0, 0.0, 0.0, 2.0], dtype=torch.float64)
    scores = torch.tensor([-9, -1, -0.5, 0.0, 1.0, 2.0, 9.0, torch.nan], dtype=torch.float64)
    found = squash(scores, knots)
    assert torch.allclose(found[:7], torch.tensor([0, 0, 1 / 6, 2 / 3, 5 / 6, 1, 1], dtype=torch.float64))
    assert bool(found[7].isnan())
    assert bool((squash(torch.linspace(-3, 4, 99, dtype=torch.float64), knots).diff() >= 0).all())


def test_progress_is_that_of_the_mean_score_and_members_that_disagree_make_it_less_sure(fitted):
    weights = {name.removeprefix("0."): each for name, each in fitted.weights.items() if name.startswith("0.")}
    view = PreferenceView.from_weights(weights)
    rows = episode(20).clip.embedding[0, :, 0]
    progress, variance = view(rows)
    scores = standardised(view.scores(view.view(rows)), view.standard)
    opinions = squash(scores, view.knots)
    assert torch.allclose(progress, squash(scores.mean(dim=0), view.knots))
    assert torch.allclose(variance, (opinions - progress).square().mean(dim=0) + view.residual**2)
    assert float((opinions - progress).abs().max()) > 1e-3


def test_drawn_pairs_follow_time_by_the_margin_and_prefer_success_to_failure():
    clips = [episode(0), episode(1, success=False), episode(2, time=25)]
    pairs = pairs_from_time(clips, number=400, margin=0.2, seed=0)
    assert len(pairs) == 400
    against = 0
    for pair in pairs:
        worse, better = (pair.first, pair.second) if pair.label else (pair.second, pair.first)
        assert clips[better.episode].success
        if clips[worse.episode].success:
            progress = [float(clips[each.episode].target[each.frame]) for each in (worse, better)]
            assert progress[1] - progress[0] >= 0.2 - 1e-6
        else:
            against += 1
            assert worse.frame / 39 == pytest.approx(better.frame / (clips[better.episode].num_frames - 1), abs=0.05)
            assert worse.frame >= 0.65 * 39
    assert against == 100
    assert 150 < sum(pair.label or 0 for pair in pairs) < 250
    assert pairs_from_time(clips, number=400, margin=0.2, seed=0) == pairs


def test_bad_draws_are_refused():
    with pytest.raises(ValueError, match="number must be >= 1"):
        pairs_from_time([episode(0)], number=0, margin=0.1, seed=0)
    short = LabelledClip(clip=episode(0).clip, success=True, progress=torch.full((TIME,), 0.5))
    with pytest.raises(ValueError, match=r"differ in progress by 0.1"):
        pairs_from_time([short], number=5, margin=0.1, seed=0)
