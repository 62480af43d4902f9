import pytest
import torch
from fake_encoder import FakeEncoder
from reward_model import CONTRACT, cut, random_clip, same

from robo_reward.models.perceptual_steps import PerceptualSteps, mean_of_last
from robo_reward.models.step_calibration import DemonstratedFrames, fit_camera
from robo_reward.models.step_features import sum_steps
from robo_reward.models.step_reading import StepReading
from robo_reward.models.step_split import split_steps, step_of_frame
from robo_reward.perception.encoder import EmbeddedClip, embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip

SETTINGS = {
    "num_steps": 3,
    "min_size": 0.05,
    "objective": "weighted",
    "alpha": 5.0,
    "features_per_step": 32,
    "classifier": "gaussian",
    "combination": "expected",
    "context": 4,
}
SIZES = ((12, 30, 20), (20, 14, 25), (16, 22, 18))


class WideEncoder(FakeEncoder):
    """Stands for an encoder of as many numbers as the tests' embeddings have."""

    def __init__(self, dim=500):
        super().__init__(dim=dim)


def demonstration(sizes, seed, *, dim=500, informative=60, deviation=0.3, success=True, views=1):
    levels = torch.zeros(len(sizes), dim)
    levels[:, :informative] = torch.randn(len(sizes), informative, generator=torch.Generator().manual_seed(5))
    step = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    noise = torch.randn(len(step), views, dim, generator=torch.Generator().manual_seed(seed))
    clip = EmbeddedClip(
        embedding=(levels[step][:, None] + deviation * noise)[None],
        cameras=("front", "wrist")[:views],
        stamp=torch.arange(len(step), dtype=torch.float64)[None],
    )
    return LabelledClip(clip=clip, success=success)


def demonstrations(count=3, **how):
    return [demonstration(SIZES[number % 3], number, **how) for number in range(count)]


def model(dim=500, **changes):
    return PerceptualSteps(WideEncoder(dim), **(SETTINGS | changes))


def brightening(time=24, seed=0):
    """Two cameras' pictures of noise that grow brighter from frame to frame."""
    clip = random_clip(time=time, seed=seed)
    share = torch.linspace(0.2, 1, time)[None, :, None, None, None]
    views = {camera: (frames * share).byte() for camera, frames in clip.views.items()}
    bright = type(clip)(views=views, present=clip.present, stamp=clip.stamp)
    return LabelledClip(clip=embed_clip(FakeEncoder(), bright), success=True)


def fitted_to_pictures(**changes):
    return PerceptualSteps(FakeEncoder(), **(SETTINGS | {"min_size": 0.1} | changes)).fitted_to(
        [brightening(), brightening(seed=1)]
    )


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    "changes",
    [{}, {"classifier": "linear"}, {"combination": "paper", "context": 1}],
    ids=["default", "linear", "paper"],
)
def test_contract(law, changes):
    law(fitted_to_pictures(**changes))


@pytest.mark.parametrize("classifier", ["gaussian", "linear"])
def test_a_frame_gets_the_same_bits_alone_and_among_many(classifier):
    clips = demonstrations(views=2)
    fitted = model(classifier=classifier, context=1).fitted_to(clips)
    whole = fitted.estimate_embedded(clips[0].clip)
    for t in (0, 17, 61):
        clip = clips[0].clip
        one = EmbeddedClip(embedding=clip.embedding[:, t : t + 1], cameras=clip.cameras, stamp=clip.stamp[:, t : t + 1])
        assert float(fitted.estimate_embedded(one).progress) == float(whole.progress[0, t])


def test_settings_and_weights_rebuild_the_model_exactly():
    fitted = model(classifier="linear").fitted_to(demonstrations())
    assert isinstance(fitted, FittableRewardModel)
    again = PerceptualSteps(WideEncoder(), **fitted.settings, weights=fitted.weights)
    assert again.version == fitted.version != model(classifier="linear").version
    clip = demonstration((15, 15, 15), 9).clip
    same(again.estimate_embedded(clip), fitted.estimate_embedded(clip))


def test_the_same_demonstrations_give_the_same_model():
    assert model().fitted_to(demonstrations()).version == model().fitted_to(demonstrations()).version


@pytest.mark.parametrize("classifier", ["gaussian", "linear"])
@pytest.mark.parametrize("count", [1, 3])
def test_progress_of_an_unseen_episode_is_where_it_is(classifier, count):
    fitted = model(classifier=classifier).fitted_to(demonstrations(count))
    estimate = fitted.estimate_embedded(demonstration((20, 20, 20), 50).clip)
    steps = estimate.progress[0].view(3, 20)[:, 5:]
    assert bool((steps.mean(1).diff() > 0.15).all())
    assert float(steps.std(dim=1).max()) < 0.05
    assert float(estimate.spread.max()) < 0.2


@pytest.mark.parametrize(("deviation", "least"), [(0.3, 1.0), (0.6, 0.99), (1.0, 0.9)])
def test_split_selection_and_reading_tell_the_steps_of_held_out_episodes(deviation, least):
    """Eleven demonstrations of 500 features, 20 of them informative, as in the published pipeline."""
    how = {"dim": 500, "informative": 20, "deviation": deviation}
    clips = [demonstration(SIZES[seed % 3], seed, **how).clip.embedding[0, :, 0] for seed in range(11)]
    splits = [split_steps(rows, 3, min_size=0.05) for rows in clips]
    step = torch.cat([step_of_frame(len(rows), split) for rows, split in zip(clips, splits, strict=True)])
    sums = sum_steps(torch.cat(clips), step, torch.zeros(len(step)), num_steps=3)
    reading = StepReading.fit(sums, alpha=5.0, per_step=32)
    right = []
    for seed in range(100, 104):
        rows = demonstration((20, 20, 20), seed, **how).clip.embedding[0, :, 0]
        found = reading.step_scores(rows, "gaussian").argmax(dim=-1)
        right.append((found == torch.arange(60) // 20).float().mean())
    assert float(torch.stack(right).mean()) >= least


def test_a_score_falls_with_the_distance_from_its_step():
    """The printed formula would rise."""
    clip = demonstrations(1)[0].clip.embedding[0, :, 0]
    step = step_of_frame(62, (12, 42))
    reading = StepReading.fit(sum_steps(clip, step, torch.zeros(62), num_steps=3), alpha=5.0, per_step=32)
    centre = clip[:12].mean(0)
    away = torch.stack([centre + distance * (clip[30] - centre) for distance in (0.0, 0.5, 1.0)])
    scores = reading.step_scores(away, "gaussian")
    assert bool((scores[:, 0].diff() < 0).all())
    assert bool(((scores >= 0) & (scores <= 1)).all())
    assert float(scores[0, 0]) > 0.8


def test_the_published_sum_leaves_the_first_step_out_and_doubles_with_each():
    fitted = model(combination="paper", context=1).fitted_to(demonstrations())
    progress = fitted.estimate_embedded(demonstration((20, 20, 20), 50, deviation=0.01).clip).progress[0].view(3, 20)
    scores = progress.mean(dim=1)
    assert float(scores[0]) < 0.05
    assert float(scores[2] / scores[1]) == pytest.approx(2, rel=0.1)


def test_labels_move_the_steps_to_where_they_say():
    clips = demonstrations()
    early = [
        LabelledClip(clip=each.clip, success=True, progress=(torch.linspace(0, 1, each.num_frames) ** 3))
        for each in clips
    ]
    held_out = demonstration((20, 20, 20), 50).clip
    by_time = model().fitted_to(clips).estimate_embedded(held_out).progress[0, 35]
    by_label = model().fitted_to(early).estimate_embedded(held_out).progress[0, 35]
    assert float(by_label) < float(by_time) - 0.2


def test_a_label_here_and_there_is_enough():
    clip = demonstrations(1)[0].clip
    labels = torch.full((62,), torch.nan)
    labels[0], labels[30], labels[61] = 0.0, 0.9, 1.0
    some = model().fitted_to([LabelledClip(clip=clip, success=True, progress=labels)])
    full = torch.cat([torch.linspace(0, 0.9, 31), torch.linspace(0.9, 1.0, 32)[1:]])
    whole = model().fitted_to([LabelledClip(clip=clip, success=True, progress=full)])
    torch.testing.assert_close(
        some.estimate_embedded(clip).progress, whole.estimate_embedded(clip).progress, atol=1e-4, rtol=0
    )


def test_failures_are_not_learnt_from():
    clips = demonstrations()
    failure = demonstration((20, 20, 20), 60, success=False)
    assert model().fitted_to([*clips, failure]).version == model().fitted_to(clips).version


def test_a_camera_that_shows_nothing_counts_for_little_and_spreads_more():
    clips = []
    for seed, each in enumerate(demonstrations(views=2)):
        embedding = each.clip.embedding.clone()
        embedding[:, :, 1] = torch.randn(embedding[:, :, 1].shape, generator=torch.Generator().manual_seed(seed))
        clip = EmbeddedClip(embedding=embedding, cameras=each.clip.cameras, stamp=each.clip.stamp)
        clips.append(LabelledClip(clip=clip, success=True))
    fitted = model().fitted_to(clips)
    lost = clips[0].clip.embedding.clone()
    lost[:, :, 0] = torch.nan
    blind = EmbeddedClip(embedding=lost, cameras=clips[0].clip.cameras, stamp=clips[0].clip.stamp)
    sharp, vague = fitted.estimate_embedded(clips[0].clip), fitted.estimate_embedded(blind)
    assert float(vague.spread.mean()) > 1.5 * float(sharp.spread.mean())
    assert float((sharp.progress[0] - torch.linspace(0, 1, 62)).abs().mean()) < 0.15


def test_a_scene_that_stands_still_keeps_its_progress_bit_for_bit():
    clips = demonstrations()
    fitted = model(context=7).fitted_to(clips)
    clip = clips[0].clip
    still = EmbeddedClip(
        embedding=clip.embedding[:, 20:21].expand(-1, 40, -1, -1).contiguous(),
        cameras=clip.cameras,
        stamp=torch.arange(40, dtype=torch.float64)[None],
    )
    assert len(fitted.estimate_embedded(still).progress[0].unique()) == 1


def test_the_mean_of_the_last_frames_leaves_out_what_is_unknown():
    nan = torch.nan
    values = torch.tensor([[0.0, 0.3, nan, 0.9, 0.6]], dtype=torch.float64)[..., None]
    expected = torch.tensor([[0.0, 0.15, nan, 0.6, 0.75]], dtype=torch.float64)[..., None]
    torch.testing.assert_close(mean_of_last(values, 3), expected, equal_nan=True)
    torch.testing.assert_close(mean_of_last(values, 1), values, equal_nan=True, atol=0, rtol=0)


def test_progress_depends_on_the_context_and_on_no_more():
    fitted = fitted_to_pictures(context=3)
    clip = random_clip(time=9)
    whole = fitted.estimate(clip).progress[0, 8]
    assert torch.equal(fitted.estimate(clip.latest(3)).progress[0, -1], whole)
    assert not torch.equal(fitted.estimate(clip.latest(2)).progress[0, -1], whole)
    assert not torch.equal(fitted.estimate(cut(clip, 8)).progress[0, -1], whole)


def test_half_of_a_single_demonstration_is_held_out():
    frames = demonstrations(1)[0]
    shown = DemonstratedFrames(
        embedding=frames.clip.embedding[0, :, 0], step=step_of_frame(62, (12, 42)), progress=frames.target
    )
    first, second = shown.halves(3)
    assert len(first.step) + len(second.step) == 62
    assert set(first.progress.tolist()).isdisjoint(second.progress.tolist())
    assert set(first.step.tolist()) == set(second.step.tolist()) == {0, 1, 2}
    how = {"num_steps": 3, "alpha": 5.0, "per_step": 32, "classifier": "gaussian", "combination": "expected"}
    assert 0.01 <= fit_camera([shown], **how).residual < 0.15


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_steps": 1}, "num_steps must be at least 2, got 1"),
        ({"min_size": 0.5}, r"min_size must be in \[0, 1 / num_steps\], got 0.5"),
        ({"objective": "mean"}, r"objective must be one of \['weighted', 'paper'\], got 'mean'"),
        ({"classifier": "svm"}, r"classifier must be one of \['gaussian', 'linear'\], got 'svm'"),
        ({"combination": "sum"}, r"combination must be one of \['expected', 'paper'\], got 'sum'"),
        ({"alpha": 0.0}, "alpha must be > 0, got 0.0"),
        ({"features_per_step": 0}, "must be at least 1, got 0 and 4"),
        ({"context": 0}, "must be at least 1, got 32 and 0"),
    ],
)
def test_arguments_outside_their_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        model(**changes)


def test_what_cannot_be_learnt_from_or_looked_at_is_refused():
    clips = demonstrations()
    with pytest.raises(ValueError, match="demonstrations are empty"):
        model().fitted_to([demonstration((20, 20, 20), 0, success=False)])
    with pytest.raises(ValueError, match="at least two of each are needed"):
        model(min_size=0.0).fitted_to([demonstration((2, 1, 2), 0)])
    with pytest.raises(ValueError, match=r"not fitted for camera \['front'\]; fitted: \[\]"):
        model().estimate_embedded(clips[0].clip)
    with pytest.raises(ValueError, match="weights of camera 'front' are of 3 steps, num_steps is 4"):
        model(num_steps=4, weights=model().fitted_to(clips).weights)
    grey = EmbeddedClip(
        embedding=torch.ones(1, 30, 1, 500), cameras=("front",), stamp=torch.arange(30, dtype=torch.float64)[None]
    )
    with pytest.raises(ValueError, match=r"no camera of \['front'\] shows a step"):
        model(min_size=0.1).fitted_to([LabelledClip(clip=grey, success=True)])
