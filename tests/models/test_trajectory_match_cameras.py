"""Several cameras of a trajectory match: each is weighed by what it tells, and one may be lost."""

import torch
from remembered_paths import clip_of, demonstrations, fitted, path
from reward_model import same

from robo_reward.models.trajectory_match import joint_log_likelihood
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.perception.fitting import LabelledClip


def test_a_camera_that_is_far_off_leaves_it_to_the_other():
    match = fitted(demonstrations(views=2))
    episode = path(60, 70, views=2)
    alone = episode.clone()
    alone[:, 1] = torch.nan
    strange = episode.clone()
    strange[:, 1] += 5.0
    cameras = ("front", "wrist")
    same(match.estimate_embedded(clip_of(strange, cameras)), match.estimate_embedded(clip_of(alone, cameras)))


def half_seen(num_frames, seed):
    """The front camera sees the first half of the way, the wrist camera the second; each stands still in the other."""
    whole = path(num_frames, seed, views=2)
    way = path(2 * num_frames, 1000, views=2, noise=0.0)
    for t in range(num_frames):
        whole[t, 0] = way[min(t, num_frames // 2) * 2, 0]
        whole[t, 1] = way[max(t, num_frames // 2) * 2, 1]
    return whole + 0.2 * torch.randn(whole.shape, generator=torch.Generator().manual_seed(seed))


def test_cameras_that_each_see_one_half_of_the_way_are_aligned_together():
    cameras = ("front", "wrist")
    match = fitted(
        [LabelledClip(clip=clip_of(half_seen(60, seed), cameras), success=True) for seed in range(2)], context=4
    )
    episode, truth = half_seen(60, 70), torch.linspace(0, 1, 60)

    def error(*lost):
        seen = episode.clone()
        seen[:, list(lost)] = torch.nan
        return float((match.estimate_embedded(clip_of(seen, cameras)).progress[0] - truth).abs().mean())

    assert error() < 0.03
    assert min(error(0), error(1)) > 0.05


def test_a_camera_that_misleads_does_not_drown_the_other():
    """Something passes before the wrist camera that looks alike each time, and comes when it likes."""
    cameras = ("front", "wrist")
    shifts = (0, 25, 41, 13)
    seen = [path(60, seed, views=2, noise=0.6) for seed in range(4)]
    for seed, shift in enumerate(shifts):
        seen[seed][:, 1] = path(60, seed, views=2, noise=0.01)[:, 1].roll(shift, dims=0)
    match = fitted([LabelledClip(clip=clip_of(each, cameras), success=True) for each in seen[:3]])
    progress = match.estimate_embedded(clip_of(seen[3], cameras)).progress[0]
    late = (progress - torch.linspace(0, 1, 60))[5:]  # before, home is mixed up with home
    assert float(late.abs().mean()) < 0.03


def test_evidence_is_weighed_by_inverse_variance_against_the_best_camera_that_sees():
    good, poor = (torch.randn(2, 1, 5, generator=torch.Generator().manual_seed(seed)).double() for seed in (0, 1))
    near = torch.tensor([[True, True], [False, True]])
    joint = joint_log_likelihood([good, poor], near, torch.tensor([0.1, 0.2], dtype=torch.float64))
    torch.testing.assert_close(joint[0], good[0] + poor[0] / 4)
    torch.testing.assert_close(joint[1], poor[1])


def test_cameras_that_disagree_spread_more():
    cameras = ("front", "wrist")
    match = fitted(demonstrations(views=2))
    episode = path(60, 70, views=2)
    apart = episode.clone()
    apart[:, 1] = episode[:, 1].roll(30, dims=0)
    agreed, torn = (match.estimate_embedded(clip_of(each, cameras)).spread[0, 12:28] for each in (episode, apart))
    assert float(torn.min()) > 2 * float(agreed.max())


def test_a_gap_in_a_demonstrations_camera_moves_no_position():
    cameras = ("front", "wrist")
    clips = demonstrations(views=2)
    embedding = clips[0].clip.embedding.clone()
    embedding[0, 20:30, 1] = torch.nan
    gap = EmbeddedClip(embedding=embedding, cameras=cameras, stamp=clips[0].clip.stamp)
    match = fitted([LabelledClip(clip=gap, success=True), *clips[1:]])
    estimate = match.estimate_embedded(clip_of(path(60, 70, views=2), cameras))
    assert torch.equal(match.weights["front/progress"], match.weights["wrist/progress"])
    assert float((estimate.progress[0] - torch.linspace(0, 1, 60)).abs().mean()) < 0.03
