import math

import pytest
import torch

from robo_reward.fusion.camera_health import CameraReason, CameraWatch
from robo_reward.fusion.camera_space import MOST_ROWS, RANK

CAMERAS = ("high", "left", "right")
TIME, DIM = 60, 24


def recording(seed: int, *, time: int = TIME, dim: int = DIM) -> torch.Tensor:
    """Each camera's pictures wander along its own curve, with noise; left and right are alike."""
    shared = torch.Generator().manual_seed(99)
    noise = torch.Generator().manual_seed(seed)
    home = torch.randn(3, dim, generator=shared)
    home[2] = home[1] + 0.5 * torch.randn(dim, generator=shared)
    ways = torch.randn(3, 4, dim, generator=shared)
    phase = torch.linspace(0, 1, time)[:, None]
    bends = torch.cat([phase, (3 * phase).sin(), (5 * phase).cos(), phase**2], dim=1)
    clean = home * 3 + torch.einsum("tk,vkd->tvd", bends, ways)
    return (clean + 0.3 * torch.randn(time, 3, dim, generator=noise))[None]


@pytest.fixture(scope="module")
def watch() -> CameraWatch:
    return CameraWatch.fitted_to([recording(seed) for seed in range(3)], cameras=CAMERAS)


def codes(watch: CameraWatch, embedding: torch.Tensor) -> list[set[int]]:
    return [set(column.tolist()) for column in watch.reasons(embedding)[0].unbind(dim=1)]


def test_other_good_recordings_are_trusted(watch):
    trusted = torch.cat([watch(recording(seed)) for seed in range(10, 20)])
    assert float(trusted.double().mean()) >= 0.98


def test_a_single_recording_is_enough():
    watch = CameraWatch.fitted_to([recording(0, time=200)], cameras=CAMERAS)
    assert float(watch(recording(5, time=150)).double().mean()) >= 0.98


def test_a_lost_camera_is_left_out_and_only_it(watch):
    embedding = recording(10)
    embedding[:, 20:30, 1] = torch.nan
    reasons = watch.reasons(embedding)[0]
    assert bool((reasons[20:30, 1] == CameraReason.LOST).all())
    assert bool((reasons[:, [0, 2]] == CameraReason.GOOD).all())
    assert bool((reasons[:20, 1] == CameraReason.GOOD).all())


def test_a_picture_unlike_all_good_ones_is_strange(watch):
    embedding = recording(10)
    embedding[:, 20:30, 0] = torch.randn(10, DIM, generator=torch.Generator().manual_seed(3)) * 9
    reasons = watch.reasons(embedding)[0]
    assert bool((reasons[20:30, 0] == CameraReason.STRANGE).all())
    assert bool((reasons[30:, 0] == CameraReason.GOOD).all())


def test_a_picture_nearer_to_one_that_shows_nothing_is_strange():
    good = [recording(seed) for seed in range(3)]
    blank = good[0][0, ::6, 0].mean(dim=0, keepdim=True) + 0.9  # within reach of good pictures: distance does not tell
    without = CameraWatch.fitted_to(good, cameras=CAMERAS, margin=3.0)
    told = CameraWatch.fitted_to(good, cameras=CAMERAS, blanks=blank, margin=3.0)
    embedding = recording(10)
    embedding[:, 5:9, 0] = blank
    embedding[:, 5:9, 0] += 0.05 * torch.randn(4, DIM, generator=torch.Generator().manual_seed(0))
    assert bool((without.reasons(embedding)[0, 5:9, 0] == CameraReason.GOOD).all())
    assert bool((told.reasons(embedding)[0, 5:9, 0] == CameraReason.STRANGE).all())
    assert float(told(recording(11)).double().mean()) >= 0.98


@pytest.mark.parametrize("pair", [(0, 1), (1, 2)])
def test_two_exchanged_cameras_are_both_swapped_and_the_third_is_good(watch, pair):
    embedding = recording(10)
    embedding[:, :, list(pair)] = embedding[:, :, list(reversed(pair))]
    reasons = watch.reasons(embedding)[0]
    third = 3 - sum(pair)
    assert float((reasons[:, list(pair)] == CameraReason.SWAPPED).double().mean()) >= 0.95
    assert bool((reasons[:, third] == CameraReason.GOOD).all())


def test_a_camera_that_shows_another_ones_picture_is_left_out_and_the_other_is_not(watch):
    embedding = recording(10)
    embedding[:, :, 0] = recording(11)[:, :, 2]
    trusted = watch(embedding)[0]
    assert not bool(trusted[:, 0].any())
    assert bool(trusted[:, 2].all())


def test_a_frozen_camera_is_noticed_after_its_patience_while_others_move(watch):
    embedding = recording(10)
    embedding[:, 20:40, 1] = embedding[:, 20:21, 1]
    reasons = watch.reasons(embedding)[0]
    assert watch.settings["patience"] == [8, 8, 8]
    assert bool((reasons[27:40, 1] == CameraReason.FROZEN).all())
    assert bool((reasons[:27, 1] == CameraReason.GOOD).all())
    assert bool((reasons[:, [0, 2]] == CameraReason.GOOD).all())


def test_when_all_cameras_stand_still_the_robot_may_rest(watch):
    embedding = recording(10)
    embedding[:, 20:40] = embedding[:, 20:21]
    assert CameraReason.FROZEN not in set(watch.reasons(embedding)[0, 28:40].flatten().tolist())
    assert bool(watch(embedding)[0, 28:40].all())


def test_a_camera_that_comes_back_does_not_count_as_another_that_moved(watch):
    embedding = recording(10)
    embedding[:, 20:40] = embedding[:, 20:21]
    embedding[:, 20:35, 0] = torch.nan
    assert bool((watch.reasons(embedding)[0, 28:40, 1:] == CameraReason.GOOD).all())


def test_good_recordings_that_stand_still_make_the_watch_patient():
    good = [recording(seed) for seed in range(3)]
    good[1][:, 10:22, 1] = good[1][:, 10:11, 1]
    good[0][:, 1:, 2] = good[0][:, :1, 2]
    watch = CameraWatch.fitted_to(good, cameras=CAMERAS, frozen_after=4)
    assert watch.settings["patience"] == [4, 16, 0]
    assert watch.context == 16
    assert CameraReason.FROZEN not in set(watch.reasons(good[1]).flatten().tolist())


def test_a_single_camera_is_watched_for_strangeness_alone():
    watch = CameraWatch.fitted_to([recording(0)[:, :, :1], recording(1)[:, :, :1]], cameras=["high"])
    embedding = recording(2)[:, :, :1]
    embedding[:, 10:30] = embedding[:, 10:11]
    assert codes(watch, embedding) == [{CameraReason.GOOD}]
    embedding[:, 40:] *= -1
    assert codes(watch, embedding) == [{CameraReason.GOOD, CameraReason.STRANGE}]


def troubled() -> torch.Tensor:
    """Three episodes with all there is to notice."""
    embedding = torch.cat([recording(seed) for seed in (10, 11, 12)])
    embedding[0, 20:40, 1] = embedding[0, 20, 1]
    embedding[1, :, [1, 2]] = embedding[1, :, [2, 1]]
    embedding[1, 30:33, 2] = torch.nan
    embedding[2, 10:20, 0] = 5.0
    return embedding


def test_the_troubled_episodes_hold_every_reason(watch):
    assert set(watch.reasons(troubled()).flatten().tolist()) == {int(reason) for reason in CameraReason}


def test_the_watch_is_causal_and_a_batch_is_each_alone_bit_for_bit(watch):
    embedding = troubled()
    together = watch.reasons(embedding)
    for row in range(3):
        for stop in (1, 7, 23, 41, TIME):
            assert torch.equal(watch.reasons(embedding[row : row + 1, :stop])[0], together[row, :stop])


def test_an_answer_needs_no_more_than_the_context(watch):
    embedding = troubled()
    whole = watch.reasons(embedding)
    for stop in range(watch.context, TIME + 1):
        latest = watch.reasons(embedding[:, stop - watch.context : stop])
        assert torch.equal(latest[:, -1], whole[:, stop - 1])


def test_settings_and_weights_rebuild_the_watch(watch):
    again = CameraWatch(**watch.settings, weights=watch.weights)
    assert torch.equal(again.reasons(troubled()), watch.reasons(troubled()))
    assert again.settings == watch.settings
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in watch.weights.items())


def test_what_is_kept_is_small_however_long_the_recordings():
    watch = CameraWatch.fitted_to([recording(0, time=900, dim=3000)], cameras=CAMERAS)
    sizes = {name: tuple(tensor.shape) for name, tensor in watch.weights.items()}
    assert sizes["basis"] == (RANK, 3000)
    assert all(sizes[f"references.{view}"] == (MOST_ROWS, RANK) for view in range(3))
    assert sum(math.prod(size) for size in sizes.values()) < (RANK + 2) * 3000 + 3 * MOST_ROWS * RANK + 2000


def test_what_the_watch_cannot_be_fitted_to_is_refused_by_name():
    good = recording(0)
    lost = good.clone()
    lost[:, 5:, 1] = torch.nan
    with pytest.raises(ValueError, match="at least one episode"):
        CameraWatch.fitted_to([], cameras=CAMERAS)
    with pytest.raises(ValueError, match=r"all of cameras \['high', 'left'\]"):
        CameraWatch.fitted_to([good], cameras=["high", "left"])
    with pytest.raises(ValueError, match="camera 'left' has 5 good frames; a watch needs at least 10"):
        CameraWatch.fitted_to([lost], cameras=CAMERAS)
    with pytest.raises(ValueError, match="margin must be >= 1 .* got 0.5"):
        CameraWatch.fitted_to([good], cameras=CAMERAS, margin=0.5)
    with pytest.raises(ValueError, match="frozen_after >= 2, got 1.5 and 1"):
        CameraWatch.fitted_to([good], cameras=CAMERAS, frozen_after=1)


def test_bad_settings_and_other_embeddings_are_refused(watch):
    with pytest.raises(ValueError, match="patience is needed for each"):
        CameraWatch(cameras=CAMERAS, window=8, patience=[8], weights=watch.weights)
    with pytest.raises(ValueError, match="each patience 0 or >= 2"):
        CameraWatch(cameras=CAMERAS, window=8, patience=[8, 1, 8], weights=watch.weights)
    with pytest.raises(KeyError, match="basis"):
        CameraWatch(**watch.settings, weights={name: each for name, each in watch.weights.items() if name != "basis"})
    with pytest.raises(ValueError, match="was fitted to"):
        watch.reasons(recording(0)[:, :, :2])
