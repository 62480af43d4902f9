import cv2
import numpy as np
import pytest
from board_scenes import BOARD, LENS

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.intrinsics_fit import IntrinsicsSettings, coverage, fit_intrinsics
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.camera.pose import Pose

SETTINGS = IntrinsicsSettings()


def held(rng: np.random.Generator, *, tilt: float, reach: float = 0.16) -> Pose:
    """T_camera_board: the board's middle somewhere in the picture, 0.4 m to 0.6 m away, tilted about an axis in it."""
    axis = rng.normal(size=2)
    axis /= np.linalg.norm(axis)
    turn = np.radians(rng.uniform(0.6 * tilt, tilt)) * np.array([*axis, 0.0])
    place = np.array([*rng.uniform(-reach, reach, 2), rng.uniform(0.4, 0.6)])
    middle = Pose.from_rotation_vector(np.array([-BOARD.size[0] / 2, -BOARD.size[1] / 2, 0.0]), np.zeros(3))
    return Pose.from_rotation_vector(place, turn) @ middle


def views_of(number: int, rng: np.random.Generator, *, noise: float, tilt: float = 40, reach: float = 0.16, lens=LENS):
    views = []
    while len(views) < number:
        pixels = lens.project(held(rng, tilt=tilt, reach=reach).apply(BOARD.points))
        seen = lens.contains(pixels)
        if seen.sum() >= 8:
            views.append(
                Corners(
                    picture=f"picture {len(views)}",
                    points=BOARD.points[seen],
                    pixels=pixels[seen] + rng.normal(0, noise, (int(seen.sum()), 2)),
                    ids=np.flatnonzero(seen),
                    image_size=(lens.width, lens.height),
                )
            )
    return views


def test_a_lens_is_recovered_from_exact_corners():
    fit = fit_intrinsics(views_of(20, np.random.default_rng(0), noise=0.0), SETTINGS)
    assert fit.rms_px < 1e-3
    assert fit.held_out_px < 2e-3
    # corners reach OpenCV as 32-bit floats
    np.testing.assert_allclose(fit.intrinsics.matrix, LENS.matrix, atol=0.02)
    np.testing.assert_allclose(fit.intrinsics.distortion, LENS.distortion, atol=2e-3)
    assert fit.outliers == ()


def test_stated_deviations_are_the_errors_that_are_made():
    errors = []
    for seed in range(8):
        fit = fit_intrinsics(views_of(15, np.random.default_rng(seed), noise=0.2), SETTINGS)
        errors += [
            (fit.intrinsics.focal_x - LENS.focal_x) / fit.std["focal_x"],
            (fit.intrinsics.centre_x - LENS.centre_x) / fit.std["centre_x"],
            (fit.intrinsics.centre_y - LENS.centre_y) / fit.std["centre_y"],
        ]
        assert fit.rms_px == pytest.approx(0.2 * np.sqrt(2), rel=0.15)
        assert fit.rms_px < fit.held_out_px < 1.4 * fit.rms_px
    assert 0.6 < np.sqrt(np.mean(np.square(errors))) < 1.5


def test_residuals_and_poses_belong_to_their_views():
    views = views_of(12, np.random.default_rng(4), noise=0.1)
    fit = fit_intrinsics(views, SETTINGS)
    for view, pose, residual in zip(views, fit.T_camera_board, fit.residuals, strict=True):
        np.testing.assert_allclose(view.pixels - fit.intrinsics.project(pose.apply(view.points)), residual, atol=1e-6)
    assert fit.view_error.shape == (12,)
    assert int(fit.coverage.sum()) == sum(len(view.ids) for view in views)


def test_a_view_that_does_not_fit_is_named():
    views = views_of(15, np.random.default_rng(5), noise=0.1)
    from dataclasses import replace

    bad = replace(views[6], pixels=views[6].pixels + np.random.default_rng(0).normal(0, 2.5, views[6].pixels.shape))
    views[6] = bad
    assert fit_intrinsics(views, SETTINGS).outliers == ("picture 6",)


def test_a_known_aspect_is_kept():
    from dataclasses import replace

    square = replace_lens(LENS, focal_y=LENS.focal_x)
    views = views_of(12, np.random.default_rng(6), noise=0.2, lens=square)
    fit = fit_intrinsics(views, replace(SETTINGS, fix_aspect=True))
    assert fit.intrinsics.focal_x == fit.intrinsics.focal_y
    assert fit.std["focal_x"] == fit.std["focal_y"] > 0


@pytest.mark.parametrize("number", [0, 4, 5, 8])
def test_as_many_distortion_coefficients_are_fitted_as_were_asked_for(number):
    views = views_of(15, np.random.default_rng(7), noise=0.05)
    fit = fit_intrinsics(views, IntrinsicsSettings(distortion=number, max_error=20.0, outlier_ratio=50.0))
    assert len(fit.intrinsics.distortion) == number


def test_coverage_counts_corners_in_their_cells():
    corners = Corners(
        picture="p",
        points=np.zeros((4, 3)),
        pixels=np.array([[-0.4, -0.4], [0.0, 0.0], [639.4, 0.0], [79.4, 479.4]]),
        ids=np.arange(4),
        image_size=(640, 480),
    )
    counts = coverage([corners])
    assert counts.shape == (6, 8)
    assert (counts[0, 0], counts[0, 7], counts[5, 0]) == (2, 1, 1)
    assert counts.sum() == 4


def test_pictures_that_tell_too_little_are_refused_with_what_to_do():
    rng = np.random.default_rng(8)
    with pytest.raises(CalibrationError, match="seen in 5 pictures, 8 are needed: take more"):
        fit_intrinsics(views_of(5, rng, noise=0.1), SETTINGS)
    with pytest.raises(CalibrationError, match=r"covers \d+% of the picture, 95% is needed: hold it into the corners"):
        fit_intrinsics(views_of(9, rng, noise=0.1, reach=0.02), IntrinsicsSettings(min_coverage=0.95))
    with pytest.raises(CalibrationError, match=r"tilted alike to [\d.]+°, 20° are needed to tell focal length"):
        fit_intrinsics(views_of(15, rng, noise=0.05, tilt=6), IntrinsicsSettings(max_focal_std=1.0))
    with pytest.raises(CalibrationError, match=r"focal length stays uncertain by [\d.]+%, 0\.1% is allowed"):
        fit_intrinsics(views_of(9, rng, noise=0.5), IntrinsicsSettings(max_focal_std=0.001))
    with pytest.raises(CalibrationError, match=r"held-out corners are missed by [\d.]+ px, 0\.3 px is allowed"):
        fit_intrinsics(views_of(15, rng, noise=0.5), IntrinsicsSettings(max_error=0.3))


def test_a_held_out_view_without_a_pose_is_named_and_not_passed_over(monkeypatch):
    views = views_of(10, np.random.default_rng(3), noise=0.1)
    solve = cv2.solvePnP

    def fails_once(points, pixels, *lens):
        good, turn, move = solve(points, pixels, *lens)
        return good and not np.array_equal(pixels, views[4].pixels[::2]), turn, move

    monkeypatch.setattr(cv2, "solvePnP", fails_once)
    with pytest.raises(CalibrationError, match="picture 4: the corners fit no pose of the board with the lens of the"):
        fit_intrinsics(views, SETTINGS)


def test_pictures_of_two_sizes_are_not_of_one_camera():
    views = views_of(9, np.random.default_rng(9), noise=0.1)
    from dataclasses import replace

    views[0] = replace(views[0], image_size=(1280, 960))
    with pytest.raises(ValueError, match=r"must have one size, got \[\(640, 480\), \(1280, 960\)\] px"):
        fit_intrinsics(views, SETTINGS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"distortion": 3}, r"distortion must be one of \[0, 4, 5, 8\] coefficients, got 3"),
        ({"folds": 1}, "folds must be >= 2 and min_views >= 3, got 1 and 8"),
        ({"min_coverage": 1.5}, r"min_coverage must be in \[0, 1\], got 1.5"),
        ({"outlier_ratio": 1.0}, "outlier_ratio > 1"),
    ],
)
def test_intrinsics_settings_outside_their_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        IntrinsicsSettings(**values)


def replace_lens(lens, **changed):
    from robo_reward.camera.intrinsics import Intrinsics

    names = ("width", "height", "focal_x", "focal_y", "centre_x", "centre_y", "distortion")
    return Intrinsics(**{name: getattr(lens, name) for name in names} | changed)
