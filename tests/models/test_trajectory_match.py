import pytest
import torch
from fake_encoder import FakeEncoder
from remembered_paths import DIM, SETTINGS, clip_of, demonstrations, fitted, model, path
from reward_model import CONTRACT, random_clip, same

from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.models.demonstration_alignment import aligned_positions
from robo_reward.models.frame_basis import FrameBasis
from robo_reward.models.trajectory_match import TrajectoryMatch
from robo_reward.perception.encoder import embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip


def brightening(time=24, seed=0):
    """Two cameras' pictures of noise that grow brighter from frame to frame."""
    clip = random_clip(time=time, seed=seed)
    share = torch.linspace(0.2, 1, time)[None, :, None, None, None]
    views = {camera: (frames * share).byte() for camera, frames in clip.views.items()}
    bright = type(clip)(views=views, present=clip.present, stamp=clip.stamp)
    return LabelledClip(clip=embed_clip(FakeEncoder(), bright), success=True)


def fitted_to_pictures(**changes):
    clips = [brightening(), LabelledClip(clip=embed_clip(FakeEncoder(), random_clip(time=24, seed=1)), success=True)]
    return TrajectoryMatch(FakeEncoder(), **(SETTINGS | changes)).fitted_to(clips)


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("context", [1, 4])
def test_contract(law, context):
    law(fitted_to_pictures(context=context))


def test_progress_of_an_unseen_episode_of_any_speed_is_where_it_is():
    match = fitted()
    for length in (40, 90):
        estimate = match.estimate_embedded(clip_of(path(length, 70)))
        assert float((estimate.progress[0] - torch.linspace(0, 1, length)).abs().mean()) < 0.03
        assert float(value_order_correlation(estimate.progress[0]).value) > 0.99


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_embeddings_says_nothing(scale):
    clips = [LabelledClip(clip=clip_of(scale * each.clip.embedding[0]), success=True) for each in demonstrations()]
    scaled = fitted(clips).estimate_embedded(clip_of(scale * path(60, 70)))
    plain = fitted().estimate_embedded(clip_of(path(60, 70)))
    torch.testing.assert_close(scaled.progress, plain.progress, atol=1e-3, rtol=0)
    torch.testing.assert_close(scaled.spread, plain.spread, atol=1e-3, rtol=0)


def test_one_demonstration_is_enough():
    estimate = fitted(demonstrations((70,))).estimate_embedded(clip_of(path(60, 70)))
    assert float((estimate.progress[0] - torch.linspace(0, 1, 60)).abs().mean()) < 0.04
    assert float(estimate.spread.max()) < 0.3


def test_home_after_the_task_is_told_from_home_before_it_by_the_way_there():
    """Frame by frame the two are mixed up now and then; the filter's window is not."""
    confused = 0.0
    for seed in range(5):
        episode = clip_of(path(60, 100 + seed, noise=0.8))
        truth = torch.linspace(0, 1, 60)
        errors = [
            float((fitted(context=context).estimate_embedded(episode).progress[0] - truth).abs().max())
            for context in (1, 6)
        ]
        assert errors[1] < 0.15
        confused = max(confused, errors[0])
    assert confused > 0.3


def test_a_reversed_episode_falls_and_a_shuffled_one_has_no_order():
    match = fitted()
    episode = path(60, 70)
    backwards = match.estimate_embedded(clip_of(episode.flip(0))).progress[0]
    assert value_order_correlation(backwards).value < -0.8
    shuffled = episode[torch.randperm(60, generator=torch.Generator().manual_seed(0))]
    assert abs(value_order_correlation(match.estimate_embedded(clip_of(shuffled)).progress[0]).value) < 0.3


def test_a_scene_that_stands_still_keeps_its_progress_bit_for_bit():
    still = path(60, 70)[20:21].expand(40, -1, -1)
    assert len(fitted().estimate_embedded(clip_of(still)).progress[0].unique()) == 1


def test_an_episode_that_stops_halfway_stays_halfway():
    progress = fitted().estimate_embedded(clip_of(path(40, 70, reach=0.5))).progress[0]
    assert float(progress.max()) < 0.6


def test_a_frame_unlike_all_demonstrations_abstains_and_says_nothing_of_the_next():
    match = fitted()
    episode = path(60, 70)
    strange = episode.clone()
    strange[30] += 3.0 * torch.randn(DIM, generator=torch.Generator().manual_seed(5))
    plain, odd = match.estimate_embedded(clip_of(episode)), match.estimate_embedded(clip_of(strange))
    assert odd.abstained[0].nonzero().flatten().tolist() == [30]
    assert not bool(plain.abstained.any())
    torch.testing.assert_close(odd.progress[0, 31:], plain.progress[0, 31:], atol=0.05, rtol=0)


def test_a_frame_gets_the_same_bits_alone_and_among_many():
    match = fitted(context=1, positions=200)
    episode = clip_of(path(60, 70))
    whole = match.estimate_embedded(episode)
    for t in (0, 31, 59):
        one = match.estimate_embedded(clip_of(episode.embedding[0, t : t + 1]))
        assert float(one.progress) == float(whole.progress[0, t])
        assert float(one.spread) == float(whole.spread[0, t])


def test_progress_depends_on_the_context_and_on_no_more():
    match = fitted_to_pictures(context=3)
    clip = random_clip(time=9)
    whole = match.estimate(clip).progress[0, 8]
    assert torch.equal(match.estimate(clip.latest(3)).progress[0, -1], whole)
    assert not torch.equal(match.estimate(clip.latest(2)).progress[0, -1], whole)


def test_settings_and_weights_rebuild_the_model_exactly():
    match = fitted()
    assert isinstance(match, FittableRewardModel)
    again = TrajectoryMatch(FakeEncoder(dim=DIM), **match.settings, weights=match.weights)
    assert again.version == match.version == fitted().version != model().version
    episode = clip_of(path(30, 70))
    same(again.estimate_embedded(episode), match.estimate_embedded(episode))


def test_a_saved_model_stays_small():
    size = sum(tensor.numel() * tensor.element_size() for tensor in fitted().weights.values())
    assert size < 9 * DIM * 4 + 3 * 60 * 9 * 8 + 100


def test_labels_are_what_a_position_stands_for_and_unknown_ones_are_left_out():
    clip = demonstrations((60,))[0].clip
    labels = torch.linspace(0, 1, 60) ** 3
    labels[10:15] = torch.nan
    progress = fitted([LabelledClip(clip=clip, success=True, progress=labels)]).estimate_embedded(clip).progress[0]
    assert float((progress - torch.linspace(0, 1, 60) ** 3).abs().mean()) < 0.03


def test_failures_are_not_remembered():
    clips = demonstrations()
    assert fitted([*clips, *demonstrations((44,), success=False)]).version == fitted(clips).version


def test_the_basis_is_orthonormal_and_keeps_what_varies():
    frames = path(60, 1)[:, 0]
    basis = FrameBasis.fit([frames], num_directions=5)
    torch.testing.assert_close(basis.direction @ basis.direction.T, torch.eye(5), atol=1e-4, rtol=0)
    coordinate, beside = basis.compress(frames)
    total = (frames - basis.mean).double().square().sum(dim=1)
    torch.testing.assert_close(coordinate.square().sum(dim=1) + beside, total, rtol=1e-4, atol=1e-3)
    assert float(coordinate.square().sum() / total.sum()) > 0.8


def test_a_window_is_aligned_as_by_summing_over_all_ways_through_it():
    """Four positions, three frames, every sequence of positions weighed by the stated probabilities."""
    generator = torch.Generator().manual_seed(3)
    log_likelihood = torch.randn(3, 1, 4, generator=generator, dtype=torch.float64)
    belief = aligned_positions(log_likelihood, context=3, advance=1.0)[2, 0]
    likelihood = log_likelihood[:, 0].exp()
    forward = torch.tensor([0.5**step for step in range(4)], dtype=torch.float64)
    forward = 0.95 * forward / forward.sum()
    move = torch.zeros(4, 4, dtype=torch.float64)
    for start in range(4):
        move[start, max(start - 1, 0)] += 0.05
        for step, probability in enumerate(forward):
            move[start, min(start + step, 3)] += probability
    move = 0.999 * move + 0.001 / 4
    expected = likelihood[0]
    for frame in (1, 2):
        expected = (expected @ move) * likelihood[frame]
    torch.testing.assert_close(belief, expected / expected.sum())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"directions": 129}, r"directions must be in \[1, 128\], got 129"),
        ({"positions": 1}, "positions must be at least 2 and context at least 1, got 1 and 6"),
        ({"context": 0}, "positions must be at least 2 and context at least 1, got 60 and 0"),
        ({"quantile": 0.0}, r"quantile must be in \(0, 1\], got 0.0"),
    ],
)
def test_arguments_outside_their_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        model(**changes)


def test_what_cannot_be_remembered_or_looked_at_is_refused():
    with pytest.raises(ValueError, match="demonstrations are empty"):
        fitted(demonstrations(success=False))
    with pytest.raises(ValueError, match="disagree on cameras"):
        fitted([*demonstrations(), *demonstrations(views=2)])
    with pytest.raises(ValueError, match="camera 'front' has 1 frames of known progress"):
        fitted(demonstrations((1,)))
    with pytest.raises(ValueError, match="frames are all alike"):
        fitted([LabelledClip(clip=clip_of(torch.ones(20, 1, DIM)), success=True)])
    with pytest.raises(ValueError, match=r"not fitted for camera \['front'\]; fitted: \[\]"):
        model().estimate_embedded(clip_of(path(5, 1)))
