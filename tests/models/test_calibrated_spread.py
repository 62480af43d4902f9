"""Spread that covers: scaled on episodes that the model never learnt from."""

import pytest
import torch
from demonstrations import ENCODER, demonstration
from fake_encoder import FakeEncoder
from reward_model import CONTRACT, random_clip, same

from robo_reward.fusion.conformal import ConformalProgress
from robo_reward.models.calibrated_spread import CalibratedSpread
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.models.trajectory_match import TrajectoryMatch
from robo_reward.models.watched import WatchedCameras
from robo_reward.perception.encoder import embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip, silently
from robo_reward.reward_model import RecurrentRewardModel


def greenness() -> PromptSimilarity:
    return PromptSimilarity(ENCODER, goal=["a green square"], baseline=["a red square"], alpha=0.5)


def matching() -> TrajectoryMatch:
    return TrajectoryMatch(ENCODER, directions=4, positions=30, context=3, quantile=0.99)


class SaysTooMuch:
    """Notes what it was fitted to, and claims a spread that is far too small."""

    version, context, encoder, settings, weights = "says", 1, ENCODER, {}, {}

    def __init__(self, learnt=()) -> None:
        self.learnt = list(learnt)

    def estimate(self, clip):
        return greenness().estimate(clip)

    def estimate_embedded(self, clip):
        own = greenness().estimate_embedded(clip)
        return type(own)(progress=own.progress, spread=torch.full_like(own.progress, 0.002))

    def fitted_to(self, clips, *, on_epoch=silently):
        return SaysTooMuch(clips)


def bent(seed: int) -> LabelledClip:
    """An episode whose truth lags behind its colour by an amount of its own."""
    lag = float(torch.rand((), generator=torch.Generator().manual_seed(seed)))
    clip = demonstration(20, seed=seed).clip
    return LabelledClip(clip=clip, success=True, progress=torch.linspace(0, 1, 20) ** (1 + lag))


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize(("inner", "num_strange"), [(greenness, 0), (matching, 6)])
def test_contract(law, inner, num_strange):
    strange = [embed_clip(FakeEncoder(), random_clip(time=24, seed=seed)) for seed in range(1, num_strange + 1)]
    clips = [demonstration(24), *(LabelledClip(clip=clip, success=True) for clip in strange), demonstration(30, seed=2)]
    law(CalibratedSpread(FakeEncoder(), model=inner(), coverage=0.5).fitted_to(clips))


def test_what_is_left_out_is_labelled_as_many_as_needed_and_never_learnt_from():
    clips = [demonstration(8, seed=seed, success=None if seed == 3 else True) for seed in range(8)]
    fitted = CalibratedSpread(ENCODER, model=SaysTooMuch(), coverage=0.75).fitted_to(clips)
    inner = fitted.model
    assert isinstance(inner, SaysTooMuch)
    away = [number for number, clip in enumerate(clips) if not any(clip is each for each in inner.learnt)]
    assert away == [0, 2, 5]  # evenly spaced among the seven whose progress is known
    left_out = [clips[number] for number in away]
    found = ConformalProgress.calibrated_on(
        [inner.estimate_embedded(each.clip) for each in left_out],
        [each.target for each in left_out],
        coverage=0.75,
    )
    assert fitted.conformal == found


def test_intervals_hold_on_new_episodes_as_often_as_stated_and_the_models_own_do_not():
    held, own = [], []
    for trial in range(25):
        fitted = CalibratedSpread(ENCODER, model=SaysTooMuch(), coverage=0.75).fitted_to(
            [bent(100 * trial + seed) for seed in range(4)]
        )
        for seed in range(20, 26):
            new = bent(100 * trial + seed)
            estimate = fitted.estimate_embedded(new.clip)
            error = (estimate.progress[0] - new.target).abs()
            held.append(float((error <= fitted.width * estimate.spread[0] + 1e-6).double().mean()) >= 0.9)
            own.append(float((error <= fitted.width * 0.002).double().mean()) >= 0.9)
    assert sum(held) / len(held) > 0.65  # 0.75 of 150 that are dependent in sixes, three standard errors below
    assert sum(own) == 0


def test_progress_is_the_models_own_and_the_spread_its_interval():
    clips = [demonstration(20, seed=seed) for seed in range(4)]
    fitted = CalibratedSpread(ENCODER, model=greenness(), coverage=0.5).fitted_to(clips)
    assert fitted.conformal is not None
    inner, outer = (each.estimate_embedded(clips[0].clip) for each in (fitted.model, fitted))
    assert torch.equal(inner.progress, outer.progress)
    half = fitted.conformal.scale * inner.spread.clamp(min=1e-3)
    torch.testing.assert_close(fitted.width * outer.spread, half)


def test_an_abstention_stays_one():
    clips = [demonstration(20, seed=seed) for seed in range(4)]
    fitted = CalibratedSpread(ENCODER, model=greenness(), coverage=0.5).fitted_to(clips)
    clip = clips[0].clip
    embedding = clip.embedding.clone()
    embedding[:, 5] = torch.nan
    seen = type(clip)(embedding=embedding, cameras=clip.cameras, stamp=clip.stamp)
    assert fitted.estimate_embedded(seen).abstained[0].nonzero().flatten().tolist() == [5]


@pytest.mark.parametrize("inner", [greenness, matching, lambda: WatchedCameras(ENCODER, model=matching())])
def test_piece_by_piece_it_estimates_what_it_estimates_of_the_whole(inner):
    clips = [demonstration(20, seed=seed) for seed in range(4)]
    fitted = CalibratedSpread(ENCODER, model=inner(), coverage=0.5).fitted_to(clips)
    assert isinstance(fitted, RecurrentRewardModel)
    new, memory = demonstration(20, seed=9).clip, None
    for first, stop in ((0, 1), (1, 2), (2, 9), (9, 20)):
        part = type(new)(embedding=new.embedding[:, first:stop], cameras=new.cameras, stamp=new.stamp[:, first:stop])
        estimate, memory = fitted.resume(part, memory)
        whole = fitted.estimate_embedded(new)
        same(estimate, type(whole)(progress=whole.progress[:, first:stop], spread=whole.spread[:, first:stop]))


def test_settings_and_weights_rebuild_it():
    clips = [demonstration(20, seed=seed) for seed in range(4)]
    given = CalibratedSpread(ENCODER, model=WatchedCameras(ENCODER, model=matching()), coverage=0.5)
    fitted = given.fitted_to(clips)
    assert isinstance(fitted, FittableRewardModel)
    again = CalibratedSpread(ENCODER, **fitted.settings, weights=fitted.weights)
    assert again.version == fitted.version == given.fitted_to(clips).version != given.version
    same(again.estimate_embedded(clips[0].clip), fitted.estimate_embedded(clips[0].clip))
    other = CalibratedSpread(ENCODER, **fitted.settings | {"scale": 9.0}, weights=fitted.weights)
    assert other.version != fitted.version


def test_before_a_fit_the_spread_is_the_models_own():
    clip = demonstration(20).clip
    model = CalibratedSpread(ENCODER, model=greenness(), coverage=0.9)
    same(model.estimate_embedded(clip), greenness().estimate_embedded(clip))
    assert model.conformal is None


def test_what_it_cannot_promise_is_refused():
    given = CalibratedSpread(ENCODER, model=greenness(), coverage=0.9)
    clips = [demonstration(8, seed=seed, success=True if seed < 9 else None) for seed in range(12)]
    with pytest.raises(ValueError, match="leave 9 labelled episodes out of the fit, .* got 9 of 12 whose progress"):
        given.fitted_to(clips)
    with pytest.raises(ValueError, match="coverage"):
        CalibratedSpread(ENCODER, model=greenness(), coverage=1.0)
    with pytest.raises(ValueError, match="the inner model looks through encoder fake-8-16-0, the outer one"):
        CalibratedSpread(FakeEncoder(seed=1), model=greenness(), coverage=0.9)
