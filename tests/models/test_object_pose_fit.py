import numpy as np
import pytest
from looking_cameras import STRONG, around, intrinsics
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.models.object_pose_fit import key_points_from_views, locate_object
from robo_reward.models.object_pose_goal import box_corners

BOX = box_corners((0.1, 0.08, 0.06))
TRUTH = Pose.from_rotation_vector(np.array([0.05, -0.04, 0.12]), np.array([0.3, -0.2, 1.0]))
CAMERAS = around(3, distortion=STRONG)


def seen(points=BOX, *, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    exact = np.stack([camera.project(TRUTH.apply(points)) for camera in CAMERAS])
    return exact + np.random.default_rng(seed).normal(0, noise, exact.shape) if noise else exact


def deviations(pixels: np.ndarray, std: float = 0.3) -> np.ndarray:
    return np.where(np.isnan(pixels[..., 0]), np.nan, std)


def located(pixels, *, points=BOX, std: float = 0.3, near=None):
    return locate_object(points, pixels, deviations(pixels, std), CAMERAS, near=near)


def close(pose: Pose, distance: float, angle: float) -> bool:
    apart = pose_difference(pose, TRUTH)
    return apart[0] < distance and apart[1] < angle


def test_exact_pixels_give_the_exact_pose():
    assert close(located(seen()).T_base_object, 1e-8, 1e-6)


def test_the_covariance_is_that_of_the_error():
    squared = []
    for seed in range(40):
        found = located(seen(noise=0.3, seed=seed))
        turn = Rotation.from_matrix(TRUTH.rotation @ found.T_base_object.rotation.T).as_rotvec()
        error = np.concatenate([TRUTH.translation - found.T_base_object.translation, turn])
        squared.append(error @ np.linalg.solve(found.covariance, error))
    # wider than χ² by what the scatter of each single fit widens it
    low, high = chi2.ppf([0.005, 0.995], 6 * 40)
    assert 0.85 * low < np.sum(squared) < high


def test_points_that_each_camera_sees_too_few_of_are_triangulated_together():
    pixels = seen(noise=0.2)
    pixels[0, 3:] = np.nan
    pixels[1, 3:] = np.nan
    pixels[2] = np.nan  # three points in two cameras
    assert close(located(pixels).T_base_object, 5e-3, 0.1)


def test_a_pixel_that_contradicts_the_others_does_not_count():
    pixels = seen(noise=0.2)
    pixels[0, 2] += 12.0
    pixels[2, 5] -= 20.0
    assert close(located(pixels).T_base_object, 1e-3, 0.02)


def test_what_contradicts_itself_or_is_hardly_seen_has_no_pose():
    pixels = seen()
    pixels[1] += np.random.default_rng(0).normal(0, 30, pixels[1].shape)
    pixels[2] += np.random.default_rng(1).normal(0, 30, pixels[2].shape)
    assert located(pixels) is None
    hardly = seen()
    hardly[:, 3:] = np.nan
    hardly[1:] = np.nan  # three points in one camera
    assert located(hardly) is None


def test_pixels_that_fit_worse_than_they_claim_widen_the_covariance():
    honest = located(seen(noise=0.3, seed=3))
    boasting = located(seen(noise=0.3, seed=3), std=0.1)
    assert np.trace(boasting.covariance) > 0.5 * np.trace(honest.covariance)


def test_of_two_poses_of_a_flat_marker_the_one_near_the_last_is_given():
    lens, flat = intrinsics(), 0.02 * np.array([[-1.0, 1.0, 0.0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
    camera = [RigCamera(intrinsics=lens, T_base_camera=Pose.identity())]
    facing = Pose.from_rotation_vector(np.array([0.02, 0.01, 1.2]), np.array([np.pi - 0.3, 0.0, 0.0]))
    pixels = lens.project(facing.apply(flat))[None] + np.random.default_rng(1).normal(0, 0.3, (1, 4, 2))
    found = locate_object(flat, pixels, deviations(pixels), camera)
    assert found.rival is not None
    for near, other in ((found.T_base_object, found.rival), (found.rival, found.T_base_object)):
        again = locate_object(flat, pixels, deviations(pixels), camera, near=near)
        assert pose_difference(again.T_base_object, near)[1] < 0.02
        assert pose_difference(again.rival, other)[1] < 0.02


def test_key_points_are_lifted_from_pictures_of_two_cameras_and_a_lost_one_is_named():
    rig = Rig(cameras={"a": CAMERAS[0], "b": CAMERAS[1]}, base_frame="world")
    pixels = dict(zip(("a", "b"), seen()[:2], strict=True))
    np.testing.assert_allclose(key_points_from_views(rig, pixels, pixel_std=0.5), TRUTH.apply(BOX), atol=1e-8)
    pixels["b"] = pixels["b"].copy()
    pixels["b"][3] = np.nan
    with pytest.raises(ValueError, match=r"key points \[3\] are not seen by two cameras of \['a', 'b'\]"):
        key_points_from_views(rig, pixels, pixel_std=0.5)
    with pytest.raises(ValueError, match="the rig has no camera 'c'; its cameras: a, b"):
        key_points_from_views(rig, {"c": pixels["a"]}, pixel_std=0.5)
