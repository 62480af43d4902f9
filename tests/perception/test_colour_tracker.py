import math

import numpy as np
import pytest
import torch

from robo_reward.models.rig_point import ImageTracker
from robo_reward.perception.colour_tracker import ColourTracker

RED, BLUE, GREY = (210, 30, 30), (30, 60, 200), (150, 150, 150)
SIZE = 48


def picture(*discs: tuple[float, float, float], colours=(RED,) * 9) -> torch.Tensor:
    """Grey, with discs of (right, down, radius) [px] in these colours; sharp edges at whole pixels."""
    down, right = np.mgrid[:SIZE, :SIZE]
    drawn = np.full((SIZE, SIZE, 3), GREY, np.uint8)
    for (x, y, radius), colour in zip(discs, colours, strict=False):
        drawn[(right - x) ** 2 + (down - y) ** 2 <= radius**2] = colour
    return torch.from_numpy(drawn).permute(2, 0, 1)


def found(*pictures: torch.Tensor, **settings):
    present = torch.ones(len(pictures), dtype=torch.bool)
    tracked, _ = ColourTracker(RED, **settings).follow(torch.stack(pictures), present)
    return tracked.pixels[:, 0], tracked.covariance[:, 0]


def test_it_follows_one_point_of_a_camera():
    assert isinstance(ColourTracker(RED), ImageTracker)
    assert ColourTracker(RED).num_points == 1


@pytest.mark.parametrize("place", [(20.0, 30.0), (20.3, 30.4), (11.5, 12.7)])
def test_the_middle_of_a_disc_is_found_to_a_third_of_a_pixel(place):
    pixels, covariance = found(picture((*place, 4.0)))
    assert np.linalg.norm(pixels[0] - place) < 1 / 3
    assert covariance[0] == pytest.approx(np.eye(2) * 0.25**2)


def test_light_and_shade_leave_the_hue_and_another_colour_counts_as_nothing():
    shade, bright = tuple(c // 2 for c in RED), (255, 60, 60)
    pixels, _ = found(
        picture((20, 20, 5), colours=(shade,)),
        picture((20, 20, 5), colours=(bright,)),
        picture((20, 20, 5), colours=(BLUE,)),
        picture((20, 20, 5), colours=((200, 160, 160),)),  # pale
        picture((20, 20, 5), colours=((30, 5, 5),)),  # nearly black
    )
    assert pixels[:2].tolist() == [[20, 20], [20, 20]]
    assert np.isnan(pixels[2:]).all()


def test_the_hue_goes_round():
    """Red lies at 0 degrees: both neighbours of it are near."""
    for colour in ((210, 30, 55), (210, 55, 30)):
        assert found(picture((20, 20, 5), colours=(colour,)))[0][0].tolist() == [20, 20]


def test_of_two_things_the_larger_counts():
    assert found(picture((10, 10, 3), (30, 30, 5)))[0][0].tolist() == [30, 30]


def test_what_is_small_or_leaves_the_picture_says_nothing():
    pixels, covariance = found(picture((20, 20, 1)), picture((0, 20, 5)), picture((20, SIZE - 1, 5)), picture())
    assert np.isnan(pixels).all()
    assert np.isnan(covariance).all()
    assert found(picture((20, 20, 1)), min_area=5)[0][0].tolist() == [20, 20]


def test_the_hidden_share_of_its_radius_bounds_how_far_it_may_be_off():
    """A grey bar moves over a disc of radius 8 px: however much of it is hidden, two deviations hold the error."""
    whole = picture((24, 24, 8))
    shown = [whole]
    for edge in range(17, 30):
        covered = whole.clone()
        covered[:, :, 16:edge] = 150
        shown.append(covered)
    pixels, covariance = found(*shown)
    error, std = np.linalg.norm(pixels - 24, axis=1), np.sqrt(covariance[:, 0, 0])
    assert error.max() > 3
    assert (error <= 2 * std).all()
    assert (np.diff(std) >= 0).all()
    # alone in its episode a hidden one is not told from a small one
    assert found(shown[-1])[1][0] == pytest.approx(np.eye(2) * 0.25**2)


def test_piece_by_piece_is_the_same_as_whole_and_an_absent_frame_says_nothing():
    rng = np.random.default_rng(0)
    frames = torch.stack([picture((*rng.uniform(8, 40, 2), rng.uniform(2, 6))) for _ in range(6)])
    present = torch.tensor([True, True, False, True, True, True])
    tracker = ColourTracker(RED)
    whole, _ = tracker.follow(frames, present)
    memory, pixels, covariance = None, [], []
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        part, memory = tracker.follow(frames[start:stop], present[start:stop], memory)
        pixels.append(part.pixels)
        covariance.append(part.covariance)
    assert np.array_equal(np.concatenate(pixels), whole.pixels, equal_nan=True)
    assert np.array_equal(np.concatenate(covariance), whole.covariance, equal_nan=True)
    assert np.isnan(whole.pixels[2]).all()
    assert np.isfinite(whole.pixels[[0, 1, 3, 4, 5]]).all()


def test_noise_of_a_camera_moves_it_by_less_than_a_pixel():
    rng, clean = np.random.default_rng(1), picture((20.0, 30.0, 4.0)).numpy().astype(int)
    noisy = np.clip(clean + rng.normal(0, 8, (5, *clean.shape)), 0, 255).astype(np.uint8)
    pixels, _ = found(*torch.from_numpy(noisy))
    assert np.linalg.norm(pixels - (20, 30), axis=1).max() < 1


def test_the_version_knows_every_setting():
    changes = [{}, {"hue_tolerance": 20}, {"min_saturation": 0.5}, {"min_value": 0.2}, {"min_area": 7}, {"min_std": 1}]
    versions = {ColourTracker(RED, **change).version for change in changes}
    assert len(versions | {ColourTracker(BLUE).version}) == 7


@pytest.mark.parametrize(
    ("colour", "settings", "message"),
    [
        ((300, 0, 0), {}, r"colour must be red, green and blue from 0 to 255, got \[300, 0, 0\]"),
        ((1, 2), {}, "colour must be red, green and blue"),
        (GREY, {}, r"has the saturation 0.00 and the value 0.59: at least 0.4 and 0.15 count as a colour"),
        (RED, {"hue_tolerance": 0}, "hue_tolerance must be in"),
        (RED, {"min_saturation": 0}, "min_saturation in"),
        (RED, {"min_area": 0}, "min_area must be >= 1 px"),
        (RED, {"min_std": math.nan}, "min_std > 0 px"),
    ],
)
def test_what_cannot_be_is_refused(colour, settings, message):
    with pytest.raises(ValueError, match=message):
        ColourTracker(colour, **settings)
