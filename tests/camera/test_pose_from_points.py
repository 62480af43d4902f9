import numpy as np
import pytest
from looking_cameras import STRONG, around, intrinsics
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.pose_from_points import pose_from_points
from robo_reward.camera.pose_refinement import refine_pose

BOX = np.array([[x, y, z] for x in (-0.05, 0.05) for y in (-0.04, 0.04) for z in (-0.03, 0.03)])
MARKER = 0.05 * np.array([[-1.0, 1.0, 0.0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
TILTED = Pose.from_rotation_vector(np.array([0.05, 0.02, 0.6]), np.array([2.5, 0.3, 0.4]))
LENS = intrinsics(distortion=STRONG)


def error_of(found: Pose, truth: Pose) -> np.ndarray:
    turn = Rotation.from_matrix(truth.rotation @ found.rotation.T).as_rotvec()
    return np.concatenate([truth.translation - found.translation, turn])


@pytest.mark.parametrize("points", [BOX, MARKER], ids=["solid", "flat"])
def test_exact_pixels_give_the_exact_pose(points):
    found = pose_from_points(points, LENS.project(TILTED.apply(points)), LENS, pixel_std=0.3)
    assert pose_difference(found.T_camera_object, TILTED) == pytest.approx((0, 0), abs=1e-7)
    assert found.residual_px < 1e-6
    assert found.rival is None


@pytest.mark.parametrize("points", [BOX, pytest.param(MARKER, marks=pytest.mark.slow)], ids=["solid", "flat"])
def test_the_covariance_is_that_of_the_error_over_many_draws(points):
    rng, draws = np.random.default_rng(0), 200
    exact, std = LENS.project(TILTED.apply(points)), np.linspace(0.15, 0.4, len(points))
    squared = []
    for _ in range(draws):
        noisy = exact + rng.normal(size=exact.shape) * std[:, None]
        found = pose_from_points(points, noisy, LENS, pixel_std=std)
        error = error_of(found.T_camera_object, TILTED)
        squared.append(error @ np.linalg.solve(found.covariance, error))
    low, high = chi2.ppf([0.025, 0.975], 6 * draws)
    assert low < np.sum(squared) < high


def test_a_flat_target_seen_from_the_front_at_a_distance_has_a_rival_pose():
    facing = Pose.from_rotation_vector(np.array([0.02, 0.01, 1.5]), np.array([np.pi - 0.25, 0.0, 0.0]))
    rng = np.random.default_rng(1)
    pixels = intrinsics().project(facing.apply(MARKER)) + rng.normal(0, 0.3, (4, 2))
    found = pose_from_points(MARKER, pixels, intrinsics(), pixel_std=0.3)
    assert found.rival is not None
    both = [pose_difference(each, facing)[1] for each in (found.T_camera_object, found.rival)]
    assert min(both) < 0.2
    assert max(both) > 0.3


def test_points_that_are_not_seen_do_not_count():
    pixels = LENS.project(TILTED.apply(BOX))
    pixels[[1, 5]] = np.nan
    found = pose_from_points(BOX, pixels, LENS, pixel_std=0.3)
    assert pose_difference(found.T_camera_object, TILTED) == pytest.approx((0, 0), abs=1e-7)


def test_several_cameras_place_an_object_better_than_each_alone():
    cameras, truth = around(3, distortion=STRONG), Pose.from_rotation_vector(np.array([0.05, -0.04, 0.1]), np.ones(3))
    rng = np.random.default_rng(0)
    pixels = np.stack([camera.project(truth.apply(MARKER)) for camera in cameras]) + rng.normal(0, 0.3, (3, 4, 2))
    pixels[0, 2] = np.nan
    start = Pose(rotation=truth.rotation, translation=truth.translation + 0.02)
    together = refine_pose(start, MARKER, pixels, cameras, pixel_std=0.3)
    alone = refine_pose(start, MARKER, pixels[1:2], cameras[1:2], pixel_std=0.3)
    assert together is not None
    assert alone is not None
    error = error_of(together.pose, truth)
    assert error @ np.linalg.solve(together.covariance, error) < chi2.ppf(0.999, 6)
    assert np.trace(together.covariance) < np.trace(alone.covariance)
    assert together.chi_squared == pytest.approx(np.nansum(together.distance**2))
    assert np.isnan(together.distance[0]).tolist() == [False, False, True, False]


def test_a_guess_behind_the_camera_and_pixels_that_leave_the_pose_open_give_none():
    camera = around(1)
    pixels = camera[0].project(BOX)[None]
    behind = Pose(rotation=np.eye(3), translation=np.array([3.0, 0.0, 1.5]))
    assert refine_pose(behind, BOX, pixels, camera, pixel_std=0.3) is None
    pixels[0, 2:] = np.nan  # two points
    assert refine_pose(Pose.identity(), BOX, pixels, camera, pixel_std=0.3) is None


def test_what_leaves_no_pose_is_refused():
    pixels = LENS.project(TILTED.apply(BOX))
    lost = pixels.copy()
    lost[3:] = np.nan
    with pytest.raises(ValueError, match="a pose needs at least 4 points that are seen, got 3"):
        pose_from_points(BOX, lost, LENS, pixel_std=0.3)
    line = np.linspace(-0.05, 0.05, 5)[:, None] * np.array([1.0, 0.5, 0.0])
    with pytest.raises(ValueError, match="lie on one line: the turn about it cannot be seen"):
        pose_from_points(line, LENS.project(TILTED.apply(line)), LENS, pixel_std=0.3)
    with pytest.raises((ValueError, TypeError), match="pixels"):  # the type hooks of the tests are faster
        pose_from_points(BOX, pixels[1:], LENS, pixel_std=0.3)
    with pytest.raises(ValueError, match="pixel_std must be > 0 px, got 0"):
        pose_from_points(BOX, pixels, LENS, pixel_std=0.0)
