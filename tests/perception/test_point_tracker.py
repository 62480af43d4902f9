"""A key point is followed, lost where it is hidden and found again; its covariance is that of its error."""

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from robo_reward.perception.point_tracker import PointTracker

HEIGHT, WIDTH = 120, 160
POINTS = np.array([[60.0, 50.0], [75.0, 62.0], [66.0, 70.0]])


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(height, width, 3)), (1.5, 1.5, 0))
    return np.clip(128 + 90 * noise / noise.std() / 2, 0, 255)


BACKGROUND, OBJECT = texture(0, HEIGHT, WIDTH), texture(1, 50, 50)


def picture(
    shift: tuple[float, float] = (0.0, 0.0), *, noise: float = 0.0, seed: int = 0, turn: float = 0.0
) -> np.ndarray:
    """An object of 50 x 50 px with its corner at (42, 35) + shift, on a background that stays, by a noisy camera."""
    matrix = cv2.getRotationMatrix2D((24.5, 24.5), turn, 1.0)
    matrix[:, 2] += np.array([42, 35]) + shift
    moved = cv2.warpAffine(OBJECT, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    mask = cv2.warpAffine(np.ones((50, 50)), matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)[..., None]
    shown = mask * moved + (1 - mask) * BACKGROUND
    return np.clip(shown + np.random.default_rng(seed).normal(0, noise, shown.shape), 0, 255)


def frames(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).round().astype(np.uint8)).permute(0, 3, 1, 2).contiguous()


def present(number: int, *gone: int) -> torch.Tensor:
    return torch.tensor([index not in gone for index in range(number)])


WAY = [(1.7 * t, 2.5 * np.sin(t / 3)) for t in range(25)]


def tracker(points: np.ndarray = POINTS, **settings) -> PointTracker:
    return PointTracker(frames(picture())[0], points, **settings)


def test_points_are_followed_to_a_third_of_a_pixel():
    told, _ = tracker().follow(frames(*(picture(shift, noise=2, seed=t) for t, shift in enumerate(WAY))), present(25))
    error = np.linalg.norm(told.pixels - (POINTS + np.array(WAY)[:, None]), axis=-1)
    assert error.max() < 0.3
    assert error.mean() < 0.1


def test_errors_do_not_add_up_over_eighty_noisy_frames():
    way = [(0.37 * t, 3 * np.sin(t / 9)) for t in range(80)]
    shown = frames(*(picture(shift, noise=25, seed=t) for t, shift in enumerate(way)))
    told, _ = tracker(min_likeness=0.5).follow(shown, present(80))
    error = np.linalg.norm(told.pixels - (POINTS + np.array(way)[:, None]), axis=-1)
    # from frame to frame alone, without the reference, the last twenty are off by 0.21 px
    assert error[-20:].mean() < 0.12


def test_something_that_slides_over_a_point_does_not_carry_it_along():
    film = []
    for t in range(45):
        film.append(picture(noise=2, seed=t))
        edge = 20 + 2 * t
        film[-1][:, max(0, edge - 40) : edge] = texture(9, HEIGHT, 40)[:, max(0, 40 - edge) :]
    told, _ = tracker(POINTS[:1]).follow(frames(*film), present(45))
    error = np.linalg.norm(told.pixels[:, 0] - POINTS[0], axis=-1)
    lost = np.isnan(error)
    assert lost[22:40].all()  # covered from x = 60 - 10 on, until the whole window is free again
    assert not lost[:18].any()
    assert not lost[-1]
    assert np.nanmax(error) < 0.5


def test_the_covariance_is_about_that_of_the_error():
    squared = []
    for seed in range(12):
        shown = [picture(shift, noise=4, seed=100 * seed + t) for t, shift in enumerate(WAY[:10])]
        told, _ = tracker(min_std=0.04).follow(frames(*shown), present(10))
        error = told.pixels - (POINTS + np.array(WAY[:10])[:, None])
        squared.append(np.einsum("tpi,tpij,tpj->tp", error, np.linalg.inv(told.covariance), error))
    # two degrees of freedom; a tracker's noise is neither white nor Gaussian: half to one and a half times as large
    assert 0.5 < np.mean(squared) / 2 < 1.5


def test_piece_by_piece_is_the_same_as_whole_bit_for_bit():
    shown, here = frames(*(picture(shift, noise=2, seed=t) for t, shift in enumerate(WAY))), present(25, 7, 8)
    whole, last = tracker().follow(shown, here)
    memory, pixels, covariance = None, [], []
    for start, stop in ((0, 1), (1, 8), (8, 12), (12, 25)):
        told, memory = tracker().follow(shown[start:stop], here[start:stop], memory)
        pixels.append(told.pixels)
        covariance.append(told.covariance)
    assert np.array_equal(np.concatenate(pixels), whole.pixels, equal_nan=True)
    assert np.array_equal(np.concatenate(covariance), whole.covariance, equal_nan=True)
    assert np.array_equal(memory.pixels, last.pixels)


def test_what_comes_later_changes_nothing():
    shown = frames(*(picture(shift, noise=2, seed=t) for t, shift in enumerate(WAY)))
    whole, _ = tracker().follow(shown, present(25))
    part, _ = tracker().follow(shown[:9], present(9))
    assert np.array_equal(part.pixels, whole.pixels[:9])


def test_a_hidden_point_is_lost_not_guessed_and_found_again_where_it_reappears():
    shown = [picture(shift, noise=2, seed=t) for t, shift in enumerate(WAY)]
    for t in range(8, 13):
        shown[t][:, 20:130] = texture(5, HEIGHT, 110)  # something comes in between
    told, _ = tracker().follow(frames(*shown), present(25))
    lost = np.isnan(told.pixels).any(axis=-1)
    assert lost[8:13].all()
    assert np.isnan(told.covariance[8:13]).all()
    assert not lost[:8].any()
    assert not lost[13:].any()
    assert np.linalg.norm(told.pixels[13] - POINTS - WAY[13], axis=-1).max() < 0.3


def test_a_camera_that_gives_no_frame_says_nothing_and_the_point_goes_on_after_it():
    shown = [picture(shift, noise=2, seed=t) for t, shift in enumerate(WAY)]
    shown[4] = np.zeros_like(shown[4])
    told, _ = tracker().follow(frames(*shown), present(25, 4))
    assert np.isnan(told.pixels).any(axis=(1, 2)).tolist() == [t == 4 for t in range(25)]
    shown[4] += 255
    again, _ = tracker().follow(frames(*shown), present(25, 4))
    assert np.array_equal(again.pixels, told.pixels, equal_nan=True)


def test_an_object_that_stands_elsewhere_at_first_is_found_and_one_that_is_not_there_is_not():
    told, _ = tracker().follow(frames(picture((50.4, 20.7), noise=2)), present(1))
    assert np.linalg.norm(told.pixels[0] - POINTS - (50.4, 20.7), axis=-1).max() < 0.3
    empty, _ = tracker().follow(frames(BACKGROUND), present(1))
    assert np.isnan(empty.pixels).all()


def test_of_two_places_that_look_alike_none_is_chosen():
    twice = picture((40.0, 0.0))
    patch = picture()[30:90, 40:82].copy()
    twice[30:90, 0:42] = patch
    told, _ = tracker(POINTS[:1]).follow(frames(twice), present(1))
    assert np.isnan(told.pixels).all()


def test_a_look_that_changes_makes_the_covariance_grow_where_the_reference_no_longer_fits():
    shown = frames(*(picture(turn=2.5 * t, noise=1, seed=t) for t in range(9)))
    told, _ = tracker(np.array([[66.5, 59.5]]), min_likeness=0.35).follow(shown, present(9))
    seen = ~np.isnan(told.pixels[:, 0, 0])
    assert seen[:6].all()  # up to 12.5 degrees
    error = np.linalg.norm(told.pixels[seen, 0] - [66.5, 59.5], axis=-1)
    assert error.max() < 1.0


def test_a_point_without_texture_at_the_edge_or_with_a_foolish_setting_is_refused():
    flat = picture()
    flat[40:80, 40:90] = 100
    with pytest.raises(ValueError, match=r"point 0 at \(60, 60\) of the reference picture has no texture"):
        PointTracker(frames(flat)[0], np.array([[60.0, 60.0]]))
    edge = picture()
    edge[:] = 50
    edge[:, 60:] = 200
    with pytest.raises(ValueError, match="has no texture in two directions"):
        PointTracker(frames(edge)[0], np.array([[60.0, 60.0]]))
    with pytest.raises(ValueError, match=r"point 1 at \(5, 60\) is nearer than 10 px to the edge of its 160 x 120 px"):
        tracker(np.array([[60.0, 60.0], [5.0, 60.0]]))
    for settings, text in (
        ({"window": 8}, "window must be odd and at least 7 px, got 8"),
        ({"max_return": 0.0}, "max_return and min_std must be > 0 px, got 0.0 and 0.1"),
        ({"min_likeness": 1.0}, r"min_likeness must be in \(0, 1\), got 1.0"),
    ):
        with pytest.raises(ValueError, match=text):
            tracker(**settings)
    with pytest.raises(ValueError, match=r"as high and wide as the reference picture, \(120, 160\), got \(60, 160\)"):
        tracker().follow(frames(picture())[:, :, :60], present(1))


def test_the_version_is_that_of_reference_points_and_settings():
    assert tracker().version == tracker().version
    assert len({tracker().version, tracker(POINTS[:2]).version, tracker(min_std=0.2).version}) == 3
