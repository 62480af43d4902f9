from dataclasses import replace

import cv2
import numpy as np
import pytest
from board_scenes import BOARD, LENS, board_before, rendered, rig_of, rig_views

from robo_reward.calibration.boards import Chessboard
from robo_reward.calibration.corners import Corners, DetectionSettings, find_corners
from robo_reward.calibration.projection_chain import ChainView, chain_residual, pose_of
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.rig_adjustment import FIXED, FREE, PoseStd, RigView, adjust_rig
from robo_reward.calibration.rig_fit import RigFit, RigSettings, fit_rig
from robo_reward.calibration.rig_start import board_pose, start_rig
from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.rig import Rig, RigCamera

SETTINGS = RigSettings()


def lenses(rig: Rig):
    return {name: camera.intrinsics for name, camera in rig.cameras.items()}


def errors(fit: RigFit, rig: Rig) -> list[tuple[float, float]]:
    """Distance [m] and angle [degrees] of each camera from the truth, in the frame of the reference."""
    base = rig.cameras[fit.reference].T_base_camera
    apart = [pose_difference(base @ fit.T_base_camera[name], each.T_base_camera) for name, each in rig.cameras.items()]
    return [(distance, float(np.degrees(angle))) for distance, angle in apart]


def test_derivatives_of_the_chain_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    view = ChainView(
        points=BOARD.points,
        pixels=rng.uniform(0, 480, (24, 2)),
        intrinsics=LENS,
        T_middle=Pose.from_rotation_vector(np.array([-0.1, -0.1, 0.8]), np.array([0.2, -0.3, 3.1])),
    )
    at = [rng.normal(0, 0.1, 6), rng.normal(0, 0.1, 6)]
    _, *slopes = chain_residual(view, *at)
    for which in (0, 1):
        for place in range(6):
            moved = [each.copy() for each in at]
            moved[which][place] += 1e-6
            ahead = chain_residual(view, *moved)[0]
            moved[which][place] -= 2e-6
            behind = chain_residual(view, *moved)[0]
            np.testing.assert_allclose((ahead - behind) / 2e-6, slopes[which][:, place], rtol=1e-4, atol=1e-2)


def test_the_chain_is_the_projection_through_its_poses():
    middle = Pose.from_rotation_vector(np.array([-0.1, -0.1, 0.8]), np.array([0.2, -0.3, 0.1]))
    outer, inner = np.array([0.1, 0, 0.05, 0.01, 0.02, 0.03]), np.array([0, 0.2, 0, -0.01, 0.02, 0.0])
    view = ChainView(points=BOARD.points, pixels=np.zeros((24, 2)), intrinsics=LENS, T_middle=middle)
    expected = LENS.project((pose_of(outer) @ middle @ pose_of(inner)).apply(BOARD.points))
    np.testing.assert_allclose(chain_residual(view, outer, inner)[0].reshape(-1, 2), expected, atol=1e-8)


@pytest.mark.parametrize("number", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_rig_is_recovered_within_a_millimetre_and_a_tenth_of_a_degree(number):
    rig = rig_of(number, nearness=0.65)
    views = rig_views(rig, np.random.default_rng(number), moments=25, noise=0.2)
    fit = fit_rig(views, lenses(rig), BOARD, SETTINGS)
    assert max(distance for distance, _ in errors(fit, rig)) < 1e-3
    assert max(angle for _, angle in errors(fit, rig)) < 0.1
    assert fit.rms_px == pytest.approx(0.2 * np.sqrt(2), rel=0.1)
    assert fit.rms_px < fit.held_out_px < 1.3 * fit.rms_px
    assert all(error == pytest.approx(0.28, rel=0.25) for error in fit.camera_error.values())


@pytest.mark.slow
def test_a_rig_is_recovered_from_rendered_pictures_of_a_board():
    rig = rig_of(3, nearness=0.65)
    rng = np.random.default_rng(7)
    views = []
    for moment in range(12):
        pose = board_before(rng, [camera.T_base_camera for camera in rig.cameras.values()], tilt=25)
        for name, camera in rig.cameras.items():
            picture = rendered(camera, pose, scale=2)
            found = find_corners(picture, BOARD, picture=str(moment), settings=DetectionSettings())
            if isinstance(found, Corners):
                views.append(RigView(camera=name, moment=str(moment), corners=found))
    fit = fit_rig(views, lenses(rig), BOARD, RigSettings(min_moments=5))
    assert max(distance for distance, _ in errors(fit, rig)) < 1e-3
    assert max(angle for _, angle in errors(fit, rig)) < 0.1
    assert fit.held_out_px < 0.3


@pytest.mark.slow
def test_stated_deviations_are_the_errors_that_a_rig_has():
    told = []
    for seed in range(6):
        rig = rig_of(2)
        fit = fit_rig(rig_views(rig, np.random.default_rng(seed), moments=10, noise=0.3), lenses(rig), BOARD, SETTINGS)
        (distance, angle) = max(errors(fit, rig))
        std = max(fit.camera_std.values(), key=lambda each: each.translation)
        told.append((distance / std.translation, np.radians(angle) / std.rotation))
    assert (np.sqrt(np.mean(np.square(told), axis=0)) < 1.8).all()
    assert (np.sqrt(np.mean(np.square(told), axis=0)) > 0.4).all()


def test_cameras_that_share_no_board_are_chained_through_others():
    rig = rig_of(3)
    views = rig_views(rig, np.random.default_rng(3), moments=24, noise=0.2)
    pairs = [("camera_0", "camera_1"), ("camera_1", "camera_2")]
    chained = [view for view in views if view.camera in pairs[int(view.moment.split()[1]) % 2]]
    fit = fit_rig(chained, lenses(rig), BOARD, SETTINGS)
    assert fit.reference == "camera_1"
    assert max(distance for distance, _ in errors(fit, rig)) < 2e-3


def test_a_camera_that_saw_no_board_with_the_others_is_named():
    rig = rig_of(4)
    views = rig_views(rig, np.random.default_rng(4), moments=20, noise=0.2)
    apart = [v for v in views if (v.camera in ("camera_0", "camera_1")) == (int(v.moment.split()[1]) % 2 == 0)]
    with pytest.raises(CalibrationError, match=r"camera camera_2, camera_3 never saw the board together with camera_0"):
        fit_rig(apart, lenses(rig), BOARD, SETTINGS)


def test_views_that_do_not_fit_are_named_and_left_out():
    rig = rig_of(3)
    rng = np.random.default_rng(5)
    views = rig_views(rig, rng, moments=12, noise=0.2)
    late = rig_views(rig, rng, moments=12, noise=0.2)
    wrong = [4, 13, 18, 29]
    for place in wrong:  # as if one camera's clock had been wrong: it saw the board where it was at another moment
        views[place] = RigView(camera=views[place].camera, moment=views[place].moment, corners=late[place].corners)
    fit = fit_rig(views, lenses(rig), BOARD, SETTINGS)
    assert {f"{views[place].camera} at {views[place].moment}" for place in wrong} <= set(fit.outliers)
    # the board is torn between its views: others of the same moments may be left out as well, but no more
    moments = {views[place].moment for place in wrong}
    assert {each.split(" at ")[1] for each in fit.outliers} == moments
    assert fit.rms_px < 0.4
    assert max(distance for distance, _ in errors(fit, rig)) < 3e-3


def test_the_base_may_be_the_board_or_given_by_one_camera():
    rig = rig_of(3)
    fit = fit_rig(rig_views(rig, np.random.default_rng(6), moments=9, noise=0.1), lenses(rig), BOARD, SETTINGS)
    based = fit.based_on_camera("camera_2", rig.cameras["camera_2"].T_base_camera)
    for name, camera in rig.cameras.items():
        assert pose_difference(based.T_base_camera[name], camera.T_base_camera)[0] < 2e-3
    lying = fit.based_on_board("moment 3")
    assert pose_difference(lying.T_base_board["moment 3"], Pose.identity()) == pytest.approx((0, 0), abs=1e-9)
    # whatever the base, cameras stand to each other as before
    between = [each.T_base_camera["camera_0"].inverse() @ each.T_base_camera["camera_1"] for each in (fit, lying)]
    assert pose_difference(*between) == pytest.approx((0, 0), abs=1e-9)
    with pytest.raises(CalibrationError, match="not seen by two cameras at 'never'; moments are moment 0, "):
        fit.based_on_board("never")
    with pytest.raises(CalibrationError, match="the rig has no camera 'top'; there are camera_0"):
        fit.based_on_camera("top", Pose.identity())


def test_rigs_that_cannot_be_trusted_are_refused_with_what_to_do():
    rig = rig_of(2)
    rng = np.random.default_rng(8)
    views = rig_views(rig, rng, moments=10, noise=0.2)
    with pytest.raises(CalibrationError, match=r"camera_0 saw the board together .* in 10 moments, 11 are needed"):
        fit_rig(views, lenses(rig), BOARD, RigSettings(min_moments=11))
    with pytest.raises(CalibrationError, match=r"held-out moments are missed by 0\.\d+ px, 0\.1 px is allowed"):
        fit_rig(views, lenses(rig), BOARD, RigSettings(max_error=0.1))
    square = Chessboard(inner_columns=5, inner_rows=5, square=0.04)
    with pytest.raises(CalibrationError, match="looks the same upside down"):
        fit_rig(views, lenses(rig), square, SETTINGS)
    shuffled = [
        view if view.camera == "camera_0" or place % 3 else
        RigView(camera=view.camera, moment=view.moment, corners=rig_views(rig, rng, moments=1, noise=0.2)[1].corners)
        for place, view in enumerate(views)
    ]  # fmt: skip
    with pytest.raises(CalibrationError, match=r"% of the views do not fit the others, 5% is allowed: are the cameras"):
        fit_rig(shuffled, lenses(rig), BOARD, RigSettings(max_outliers=0.05, outlier_ratio=1.5))


def test_what_is_known_of_a_camera_holds_it():
    rig = rig_of(2)
    views = rig_views(rig, np.random.default_rng(9), moments=4, noise=0.2)
    cameras, boards = start_rig(views, lenses(rig), reference="camera_0")
    pushed = {**cameras, "camera_1": cameras["camera_1"] @ pose_of(np.array([0, 0, 0, 0.03, 0, 0]))}
    found = {}
    for name, known in {"held": PoseStd(translation=1e-6, rotation=1e-6), "free": FREE}.items():
        fit = adjust_rig(
            views, lenses(rig), T_base_camera=pushed, T_base_board=boards,
            camera_known={"camera_0": FIXED, "camera_1": known}, board_known={}, pixel_std=0.2, loss="linear",
        )  # fmt: skip
        found[name] = pose_difference(fit.T_base_camera["camera_1"], pushed["camera_1"])[0]
        assert fit.T_base_camera["camera_0"] is not None
        assert fit.camera_std["camera_0"] == FIXED
    assert found["held"] < 1e-4
    assert found["free"] == pytest.approx(0.03, abs=0.01)


def test_a_camera_of_which_corners_tell_nothing_is_uncertain_without_bound():
    """It saw the board at another moment than the camera that holds the frame."""
    rig = rig_of(3)
    views = rig_views(rig, np.random.default_rng(2), moments=2, noise=0.2)
    apart = [view for view in views if (view.camera == "camera_2") == (view.moment == "moment 1")]
    cameras = {name: each.T_base_camera for name, each in rig.cameras.items()}
    boards = {view.moment: cameras[view.camera] @ board_pose(view.corners, LENS) for view in apart}
    known = {"camera_0": FIXED, "camera_1": FREE, "camera_2": FREE}
    fit = adjust_rig(
        apart, lenses(rig), T_base_camera=cameras, T_base_board=boards,
        camera_known=known, board_known={}, pixel_std=0.2, loss="linear",
    )  # fmt: skip
    assert fit.camera_std["camera_2"] == FREE
    assert 0 < fit.camera_std["camera_1"].translation < 0.03
    assert fit.camera_std["camera_0"] == FIXED


def test_chi_square_of_the_right_model_is_its_degrees_of_freedom():
    rig = rig_of(2)
    found = []
    for seed in range(5):
        views = rig_views(rig, np.random.default_rng(seed), moments=3, noise=0.2)
        cameras, boards = start_rig(views, lenses(rig), reference="camera_0")
        fit = adjust_rig(
            views, lenses(rig), T_base_camera=cameras, T_base_board=boards,
            camera_known={"camera_0": FIXED, "camera_1": FREE}, board_known={}, pixel_std=0.2, loss="linear",
        )  # fmt: skip
        found.append(fit.chi_square / (sum(2 * len(v.corners.ids) for v in views) - 6 - 18))
    assert np.mean(found) == pytest.approx(1, abs=0.1)


def test_the_board_pose_of_one_view_is_that_of_pnp():
    camera = RigCamera(intrinsics=LENS, T_base_camera=rig_of(1).cameras["camera_0"].T_base_camera)
    pose = board_before(np.random.default_rng(2), [camera.T_base_camera])
    pixels = camera.project(pose.apply(BOARD.points))
    corners = Corners(picture="p", points=BOARD.points, pixels=pixels, ids=np.arange(24), image_size=(640, 480))
    exact = camera.T_base_camera.inverse() @ pose
    assert pose_difference(board_pose(corners, LENS), exact) == pytest.approx((0, 0), abs=1e-5)
    _, turn, move = cv2.solvePnP(corners.points, pixels, LENS.matrix, LENS.distortion)
    other = Pose.from_rotation_vector(move.ravel(), turn.ravel())
    assert pose_difference(board_pose(corners, LENS), other) == pytest.approx((0, 0), abs=1e-5)


def test_pictures_of_another_size_than_the_lens_are_refused():
    rig = rig_of(2)
    views = rig_views(rig, np.random.default_rng(3), moments=8, noise=0.2)
    small = replace(views[3].corners, pixels=views[3].corners.pixels / 2, image_size=(320, 240))
    views[3] = replace(views[3], corners=small)
    said = (
        f"camera {views[3].camera}: {small.picture} has 320 x 240 px, its lens was measured at 640 x 480 px: take "
        r"pictures with that resolution, .* \(Intrinsics\.scaled\)"
    )
    with pytest.raises(CalibrationError, match=said):
        fit_rig(views, lenses(rig), BOARD, SETTINGS)
    with pytest.raises(CalibrationError, match="camera wrist: moment 1 has 320 x 240 px"):
        board_pose(small, LENS, camera="wrist")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_moments": 0}, "min_moments must be >= 1 and folds >= 2, got 0 and 4"),
        ({"pixel_std": 0.0}, "pixel_std and max_error must be > 0 px and outlier_ratio > 1, got 0.0, 2.0, 3.0"),
        ({"max_outliers": 1.0}, r"max_outliers must be in \[0, 1\), got 1.0"),
    ],
)
def test_rig_settings_outside_their_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        RigSettings(**values)


def test_a_pose_is_fixed_or_free_as_a_whole():
    with pytest.raises(ValueError, match="must both be inf or neither"):
        PoseStd(translation=np.inf, rotation=0.1)
    with pytest.raises(ValueError, match=r"must be >= 0, got -1\.0 m and 0\.1 rad"):
        PoseStd(translation=-1.0, rotation=0.1)
