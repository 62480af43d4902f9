import pytest
import torch

from robo_reward.models.frame_compression import FrameCompression, fit_compression
from robo_reward.perception.encoder import EmbeddedClip


def clips(*times: int, dim: int = 30, views: int = 2, seed: int = 0) -> list[EmbeddedClip]:
    generator = torch.Generator().manual_seed(seed)
    scale = torch.logspace(0, -2, dim)
    return [
        EmbeddedClip(
            embedding=scale * torch.randn(1, time, views, dim, generator=generator) + 0.5,
            cameras=("front", "wrist", "side")[:views],
            stamp=torch.arange(time, dtype=torch.float64)[None],
        )
        for time in times
    ]


@pytest.mark.parametrize("components", [1, 5, 6, 11, 16, 23])
@pytest.mark.parametrize("dim", [8, 95, 300])
def test_a_frame_keeps_its_bits_at_every_place_and_in_every_company(components, dim):
    fitted = fit_compression(clips(40, dim=dim), num_components=components)
    (new,) = clips(37, dim=dim, seed=9)
    whole = fitted(new.embedding)
    alone = torch.cat([fitted(new.embedding[:, t : t + 1]) for t in range(37)], dim=1)
    assert torch.equal(whole, alone)
    batch = fitted(new.embedding[:, :36].reshape(4, 9, 2, dim))
    assert torch.equal(batch.reshape(1, 36, 2, -1), whole[:, :36])


def test_an_absent_camera_stays_absent_and_changes_no_other_frame():
    fitted = fit_compression(clips(40), num_components=6)
    (new,) = clips(20, seed=9)
    gone = new.embedding.clone()
    gone[0, 5:9, 1] = torch.nan
    whole, found = fitted(new.embedding), fitted(gone)
    absent = torch.zeros(1, 20, 2, dtype=torch.bool)
    absent[0, 5:9, 1] = True
    assert torch.equal(found.isnan().all(dim=-1), absent)
    assert torch.equal(found[~absent], whole[~absent])


def test_it_is_principal_components_of_standardised_numbers():
    (clip,) = clips(60, views=1)
    rows = clip.embedding[0, :, 0].double()
    fitted = fit_compression([clip], num_components=5)
    deviation = rows.std(dim=0)
    standard = (rows - rows.mean(dim=0)) / (deviation + 0.1 * deviation.mean())
    u, s, _ = torch.linalg.svd(standard, full_matrices=False)
    expected = (u * s)[:, :5] * (60**0.5 / s[0])
    found = fitted(clip.embedding)[0, :, 0].double()
    assert float((found.abs() - expected.abs()).abs().max()) < 1e-4  # a direction's sign is free
    assert float(found[:, 0].square().mean()) == pytest.approx(1, abs=1e-4)


def test_frames_that_a_camera_missed_are_not_learnt_from():
    (clip,) = clips(60)
    short = EmbeddedClip(embedding=clip.embedding[:, :50], cameras=clip.cameras, stamp=clip.stamp[:, :50])
    clip.embedding[0, 50:] = torch.nan
    one, other = (fit_compression([each], num_components=5) for each in (clip, short))
    assert torch.equal(one.basis, other.basis)


def test_there_are_never_more_components_than_frames_tell():
    assert fit_compression(clips(4), num_components=64).num_components == 3
    assert fit_compression(clips(40, dim=8), num_components=64).num_components == 8


def test_a_camera_that_never_moves_says_nothing_and_breaks_nothing():
    still = [
        EmbeddedClip(embedding=torch.ones_like(each.embedding), cameras=each.cameras, stamp=each.stamp)
        for each in clips(20)
    ]
    assert torch.equal(fit_compression(still, num_components=4)(still[0].embedding), torch.zeros(1, 20, 2, 4))


def test_weights_rebuild_it_and_shapes_are_checked():
    fitted = fit_compression(clips(20), num_components=4)
    again = FrameCompression.from_weights(fitted.weights)
    (new,) = clips(7, seed=3)
    assert torch.equal(again(new.embedding), fitted(new.embedding))


def test_a_camera_that_shows_nothing_is_named():
    (clip,) = clips(20)
    clip.embedding[0, 1:, 1] = torch.nan
    with pytest.raises(ValueError, match=r"camera \['wrist'\] is seen in fewer than two frames"):
        fit_compression([clip], num_components=4)
