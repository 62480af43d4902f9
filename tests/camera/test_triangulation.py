import numpy as np
import pytest
from looking_cameras import STRONG, around
from scipy.stats import chi2

from robo_reward.camera.rig import RigCamera
from robo_reward.camera.triangulation import triangulate

POINT = np.array([0.08, -0.05, 0.12])


def seen_by(cameras: list[RigCamera], point: np.ndarray = POINT) -> np.ndarray:
    return np.stack([camera.project(point) for camera in cameras])


@pytest.mark.parametrize("number", [2, 3, 4])
@pytest.mark.parametrize("distortion", [None, STRONG], ids=["pinhole", "distorted"])
def test_exact_pixels_give_the_exact_point(number, distortion):
    cameras = around(number, distortion=distortion)
    for point in np.random.default_rng(0).uniform(-0.2, 0.2, (10, 3)):
        found = triangulate(cameras, seen_by(cameras, point), pixel_std=0.3)
        np.testing.assert_allclose(found.position, point, atol=1e-9)
        assert found.inlier.all()
        assert found.residual_px.max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("number", "distortion"), [(2, None), (4, STRONG)], ids=["two", "four"])
def test_the_covariance_is_that_of_the_error_over_a_thousand_draws(number, distortion):
    cameras, rng = around(number, distortion=distortion), np.random.default_rng(number)
    exact, std = seen_by(cameras), np.array([0.2, 0.7, 0.4, 0.3])[:number]
    squared = []
    for _ in range(1000):
        noisy = exact + rng.normal(size=exact.shape) * std[:, None]
        found = triangulate(cameras, noisy, pixel_std=std)
        error = found.position - POINT
        squared.append(error @ np.linalg.solve(found.covariance, error))
    low, high = chi2.ppf([0.025, 0.975], 3 * 1000)
    assert low < np.sum(squared) < high


def test_a_covariance_given_for_each_pixel_is_taken_into_account():
    cameras, rng = around(2), np.random.default_rng(5)
    exact, std = seen_by(cameras), 0.2
    # known well down, badly across, as a point on a vertical edge is not: 2 px against 0.1 px
    given = np.stack([np.diag([4.0, 0.01])] * 2)
    squared = []
    for _ in range(100):
        noise = np.stack([rng.multivariate_normal(np.zeros(2), each + std**2 * np.eye(2)) for each in given])
        found = triangulate(cameras, exact + noise, pixel_std=std, pixel_covariance=given)
        error = found.position - POINT
        squared.append(error @ np.linalg.solve(found.covariance, error))
    low, high = chi2.ppf([0.025, 0.975], 3 * 100)
    assert low < np.sum(squared) < high


@pytest.mark.parametrize("wrong", [0, 1, 2, 3])
def test_a_camera_that_contradicts_the_others_is_named_and_does_not_count(wrong):
    cameras, rng = around(4, distortion=STRONG), np.random.default_rng(wrong)
    for _ in range(8):
        pixels = seen_by(cameras) + rng.normal(0, 0.3, (4, 2))
        heading = rng.uniform(0, 2 * np.pi)
        pixels[wrong] += 25 * np.array([np.cos(heading), np.sin(heading)])
        found = triangulate(cameras, pixels, pixel_std=0.3)
        assert found.inlier.tolist() == [index != wrong for index in range(4)]
        assert np.linalg.norm(found.position - POINT) < 5e-3
        assert found.residual_px[wrong] > 15


def test_of_three_cameras_one_that_contradicts_is_found_or_nobody_decides():
    cameras, rng, undecided = around(3), np.random.default_rng(0), 0
    for _ in range(15):
        pixels = seen_by(cameras) + rng.normal(0, 0.3, (3, 2))
        heading = rng.uniform(0, 2 * np.pi)
        pixels[2] += 30 * np.array([np.cos(heading), np.sin(heading)])
        found = triangulate(cameras, pixels, pixel_std=0.3)
        if np.isnan(found.position).all():
            undecided += 1  # the wrong pixel lies on the line of sight of another camera
        else:
            assert found.inlier.tolist() == [True, True, False]
            assert np.linalg.norm(found.position - POINT) < 5e-3
    assert undecided < 5


def test_two_pairs_that_contradict_each_other_with_nobody_to_decide_say_nothing():
    cameras = around(3)
    # the third camera shows another point on the first one's line of sight: each pair with the first is consistent
    other = POINT + 0.15 * (cameras[0].T_base_camera.translation - POINT)
    pixels = np.stack([cameras[0].project(POINT), cameras[1].project(POINT), cameras[2].project(other)])
    found = triangulate(cameras, pixels, pixel_std=0.3)
    assert np.isnan(found.position).all()
    fourth = around(4)[3]
    decided = triangulate([*cameras, fourth], np.stack([*pixels, fourth.project(POINT)]), pixel_std=0.3)
    np.testing.assert_allclose(decided.position, POINT, atol=1e-9)
    assert decided.inlier.tolist() == [True, True, False, True]


def test_what_a_pair_proposes_is_trusted_no_more_than_its_covariance_allows():
    # found among 400 draws: each pair of the first three misses the third by more than four deviations of its pixel,
    # as the pair itself is that unsure; all three agree
    cameras, rng = around(4, distortion=STRONG), np.random.default_rng(353)
    pixels = seen_by(cameras) + rng.normal(0, 0.3, (4, 2))
    heading = rng.uniform(0, 2 * np.pi)
    pixels[3] += 25 * np.array([np.cos(heading), np.sin(heading)])
    assert triangulate(cameras, pixels, pixel_std=0.3).inlier.tolist() == [True, True, True, False]


def test_two_cameras_that_contradict_each_other_say_nothing():
    cameras = around(2)
    pixels = seen_by(cameras)
    pixels[0] += [0.0, 40.0]
    found = triangulate(cameras, pixels, pixel_std=0.3)
    assert np.isnan(found.position).all()
    assert np.isnan(found.covariance).all()
    assert not found.inlier.any()


def test_fewer_than_two_cameras_that_see_it_give_no_point():
    cameras = around(3)
    pixels = seen_by(cameras)
    pixels[1:] = np.nan
    found = triangulate(cameras, pixels, pixel_std=0.3)
    assert np.isnan(found.position).all()
    assert np.isnan(triangulate(cameras[:1], pixels[:1], pixel_std=0.3).position).all()


def test_a_camera_that_does_not_see_it_changes_nothing():
    cameras = around(4)
    pixels = seen_by(cameras)
    pixels[2] = np.nan
    found = triangulate(cameras, pixels, pixel_std=0.3)
    without = triangulate([cameras[0], cameras[1], cameras[3]], pixels[[0, 1, 3]], pixel_std=0.3)
    assert np.array_equal(found.position, without.position)
    assert found.inlier.tolist() == [True, True, False, True]
    assert np.isnan(found.residual_px).tolist() == [False, False, True, False]


def test_two_cameras_in_one_place_see_no_depth():
    camera = around(1)[0]
    pixels = np.repeat(camera.project(POINT)[None], 2, axis=0)
    assert np.isnan(triangulate([camera, camera], pixels, pixel_std=0.3).position).all()


def test_rays_that_meet_behind_the_cameras_give_no_point():
    cameras = around(2)
    pixels = np.stack([cameras[0].project(POINT), cameras[1].project(POINT)])
    # each looks past the other: the lines meet behind both
    centre = cameras[0].intrinsics.matrix[:2, 2]
    found = triangulate(cameras, centre + np.array([[-600, 0], [600, 0]]), pixel_std=0.3)
    assert np.isfinite(triangulate(cameras, pixels, pixel_std=0.3).position).all()
    assert np.isnan(found.position).all()


def test_what_does_not_fit_together_is_refused():
    cameras = around(2)
    with pytest.raises(
        ValueError, match=r"2 cameras need as many pixels, deviations and covariances, got shapes \(3, 2"
    ):
        triangulate(cameras, np.zeros((3, 2)), pixel_std=0.3)
    with pytest.raises(ValueError, match="pixel_std must be > 0 px, got 0"):
        triangulate(cameras, np.zeros((2, 2)), pixel_std=0.0)
    with pytest.raises(ValueError, match="gate must be > 0 standard deviations, got -1"):
        triangulate(cameras, np.zeros((2, 2)), pixel_std=0.3, gate=-1.0)
