import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from looking_cameras import STRONG, intrinsics

from robo_reward.camera.intrinsics import Intrinsics, intrinsics_from_field_of_view

FOLDING = np.array([0.0, -0.25, 0.0, 0.0])
"""Turns back at r = (1 / 1.25)^¼ = 0.9457, where r (1 − r⁴/4) is greatest."""


def lens(seed: int) -> Intrinsics:
    """A camera as they come, with any of OpenCV's models."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([0, 4, 5, 8, 12, 14]))
    scale = [0.3, 0.1, 3e-3, 3e-3, 0.03, 0.1, 0.03, 0.01, 3e-3, 3e-3, 3e-3, 3e-3, 0.02, 0.02][:size]
    return Intrinsics(
        width=int(rng.integers(64, 2000)),
        height=int(rng.integers(64, 1500)),
        focal_x=float(rng.uniform(100, 2000)),
        focal_y=float(rng.uniform(100, 2000)),
        centre_x=float(rng.uniform(20, 1000)),
        centre_y=float(rng.uniform(20, 1000)),
        distortion=rng.uniform(-1, 1, size) * scale,
    )


seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_projecting_what_was_unprojected_gives_the_pixel_to_a_billionth(seed):
    camera, rng = lens(seed), np.random.default_rng(seed)
    pixels = rng.uniform([0, 0], [camera.width, camera.height], (40, 2))
    rays = camera.unproject(pixels)
    seen = np.isfinite(rays).all(axis=-1)
    again = camera.project(rays[seen] * rng.uniform(0.1, 10, (int(seen.sum()), 1)))
    np.testing.assert_allclose(again, pixels[seen], rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(rays[seen], axis=-1), 1, atol=1e-14)


@given(seeds)
def test_unprojecting_what_was_projected_gives_the_direction_of_the_point(seed):
    camera, rng = lens(seed), np.random.default_rng(seed)
    reach = min(1.5, 0.999 * camera.invertible_radius)
    heading, radius = rng.uniform(0, 2 * np.pi, 40), reach * np.sqrt(rng.uniform(0, 1, 40))
    flat = np.stack([radius * np.cos(heading), radius * np.sin(heading), np.ones(40)], axis=-1)
    rays = camera.unproject(camera.project(flat * rng.uniform(0.1, 10, (40, 1))))
    # near the fold a pixel moves little with the ray: the ray is as sharp as that allows
    sharpness = np.linalg.norm(np.linalg.inv(camera.jacobian(flat)[:, :, :2]), axis=(1, 2)) * 1e-10
    difference = np.linalg.norm(rays - flat / np.linalg.norm(flat, axis=-1, keepdims=True), axis=-1)
    assert (difference < 1e-12 + sharpness).all()


def test_strong_distortion_is_undone_to_a_billionth_of_a_pixel_in_every_corner():
    camera = intrinsics(distortion=STRONG)
    corners = np.stack(np.meshgrid(np.linspace(-0.5, 639.5, 41), np.linspace(-0.5, 479.5, 31)), axis=-1)
    rays = camera.unproject(corners)
    assert np.isfinite(rays).all()
    np.testing.assert_allclose(camera.project(rays), corners, rtol=0, atol=1e-9)
    straight = intrinsics().unproject(corners)
    assert np.linalg.norm(intrinsics().project(rays) - corners, axis=-1).max() > 30  # pixels that distortion moves
    assert np.degrees(np.arccos((rays * straight).sum(axis=-1).min())) > 2


@given(seeds)
def test_projection_is_opencvs(seed):
    camera, rng = lens(seed), np.random.default_rng(seed)
    points = rng.uniform([-0.5, -0.5, 1], [0.5, 0.5, 3], (20, 3))
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, camera.distortion)
    np.testing.assert_allclose(camera.project(points), expected[:, 0], rtol=0, atol=1e-9)


@given(seeds)
def test_the_derivative_is_that_of_small_differences(seed):
    camera, rng = lens(seed), np.random.default_rng(seed)
    points = rng.uniform([-0.4, -0.4, 1], [0.4, 0.4, 3], (10, 3))
    step = 1e-6
    differences = [
        (camera.project(points + step * axis) - camera.project(points - step * axis)) / (2 * step) for axis in np.eye(3)
    ]
    np.testing.assert_allclose(camera.jacobian(points), np.stack(differences, axis=-1), rtol=1e-5, atol=1e-4)


def test_behind_the_camera_there_is_no_pixel():
    camera = intrinsics(distortion=STRONG)
    points = np.array([[0.1, 0.1, -1.0], [0.1, 0.1, 0.0], [np.nan, 0.1, 1.0], [0.1, 0.1, 1.0]])
    assert np.isnan(camera.project(points)).all(axis=-1).tolist() == [True, True, True, False]
    assert np.isnan(camera.jacobian(points)).any(axis=(1, 2)).tolist() == [True, True, True, False]


def test_where_the_lens_model_folds_back_nothing_is_said_either_way():
    camera = intrinsics(distortion=FOLDING)
    assert camera.invertible_radius == pytest.approx(0.9457, abs=0.01)
    assert camera.invertible_radius <= 0.9457
    outward = np.array([[0.9, 0.0, 1.0], [0.96, 0.0, 1.0], [1.3, 0.0, 1.0]])
    # 1.3 (1 − 1.3⁴/4) = 0.37: the model alone would show that point amid the picture
    assert np.isnan(camera.project(outward)).all(axis=-1).tolist() == [False, True, True]
    reach = 0.9457 * 0.8  # the largest radius on the picture, in focal lengths
    pixels = np.array([[322.3 + 500 * (reach - 0.01), 236.7], [322.3 + 500 * (reach + 0.01), 236.7], [np.nan, 3.0]])
    assert np.isnan(camera.unproject(pixels)).all(axis=-1).tolist() == [False, True, True]


def test_a_pinhole_and_a_mild_lens_have_no_limit():
    assert math.isinf(intrinsics().invertible_radius)
    assert math.isinf(intrinsics(distortion=np.zeros(5)).invertible_radius)
    assert math.isinf(intrinsics(distortion=np.array([0.1, 0.0, 0.0, 0.0])).invertible_radius)


def test_a_pixel_gets_the_same_bits_alone_and_among_many():
    camera = intrinsics(distortion=STRONG)
    pixels = np.random.default_rng(0).uniform(0, 480, (30, 2))
    rays = camera.unproject(pixels)
    assert np.array_equal(rays, np.stack([camera.unproject(each) for each in pixels]))
    assert np.array_equal(camera.project(rays), np.stack([camera.project(each) for each in rays]))


def test_a_resized_picture_shows_the_same_point_of_a_scene_at_the_resized_place():
    camera = intrinsics(distortion=STRONG)
    half = camera.scaled(width=320, height=240)
    points = np.random.default_rng(0).uniform([-0.4, -0.3, 1], [0.4, 0.3, 2], (20, 3))
    # edges scale: the middle of pixels 0 and 1 becomes the centre of pixel 0
    np.testing.assert_allclose(half.project(points) + 0.5, (camera.project(points) + 0.5) / 2, atol=1e-9)
    again = half.scaled(width=640, height=480)
    np.testing.assert_allclose(again.matrix, camera.matrix, atol=1e-9)


def test_a_field_of_view_spans_the_picture_from_edge_to_edge():
    camera = intrinsics_from_field_of_view(math.radians(60), 320, 200)
    top = np.array([0.0, -math.tan(math.radians(30)), 1.0])
    np.testing.assert_allclose(camera.project(np.stack([top, -top * [1, 1, -1]])), [[159.5, -0.5], [159.5, 199.5]])
    assert camera.focal_x == camera.focal_y


def test_pixels_on_the_edge_are_in_the_picture():
    camera = intrinsics()
    pixels = np.array([[-0.5, -0.5], [639.5, 479.5], [639.6, 10], [10, -0.6], [np.nan, 3]])
    assert camera.contains(pixels).tolist() == [True, True, False, False, False]


def test_what_is_no_camera_is_refused():
    good = {"width": 10, "height": 10, "focal_x": 5.0, "focal_y": 5.0, "centre_x": 4.5, "centre_y": 4.5}
    for change, message in (
        ({"width": 0}, "width and height must be > 0 px, got 0 x 10"),
        ({"focal_x": 0.0}, "focal_x and focal_y must be > 0 px, got 0 and 5"),
        ({"centre_y": math.nan}, "intrinsics must be finite"),
        ({"distortion": np.zeros(3)}, r"distortion must have 0, 4, 5, 8, 12, 14 coefficients, got shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            Intrinsics(**(good | change))
    with pytest.raises(ValueError, match=r"fovy must be in \(0, π\) rad, got 45; is it in degrees\?"):
        intrinsics_from_field_of_view(45.0, 10, 10)
