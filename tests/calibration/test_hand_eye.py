import numpy as np
import pytest
from board_scenes import BOARD, LENS

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.hand_eye import HandEyeSettings, eye_in_hand, eye_to_hand, turn_across
from robo_reward.calibration.hand_eye_refinement import refine_on_pixels, refine_on_poses
from robo_reward.calibration.hand_eye_solvers import HAND_EYE, ROBOT_WORLD, judge, solve_all
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.camera.pose import Pose, pose_difference

SETTINGS = HandEyeSettings()
T_HAND_CAMERA = Pose.from_rotation_vector(np.array([0.03, -0.05, 0.08]), np.array([0.1, -0.2, 1.5]))
T_BASE_BOARD = Pose.from_rotation_vector(np.array([0.6, 0.1, 0.0]), np.array([3.0, 0.1, 0.0]))


def motion(rng: np.random.Generator, number: int, *, turn: float = 0.6, axis: np.ndarray | None = None) -> list[Pose]:
    """T_base_hand of a hand that turns by up to ±turn [rad] about random axes, or about one."""
    poses = []
    for _ in range(number):
        about = rng.normal(size=3) if axis is None else axis
        about = about / np.linalg.norm(about)
        poses.append(Pose.from_rotation_vector(rng.uniform(-0.2, 0.2, 3), about * rng.uniform(-turn, turn)))
    return poses


def seen_boards(hand, rng: np.random.Generator, *, noise: float) -> list[Pose]:
    """T_camera_board with noise [m and rad]."""
    exact = [T_HAND_CAMERA.inverse() @ pose.inverse() @ T_BASE_BOARD for pose in hand]
    return [p @ Pose.from_rotation_vector(rng.normal(0, noise, 3), rng.normal(0, noise, 3)) for p in exact]


def test_without_noise_every_solver_gives_the_truth():
    rng = np.random.default_rng(0)
    hand = motion(rng, 20)
    answers = solve_all(hand, seen_boards(hand, rng, noise=0.0))
    assert list(answers) == [*HAND_EYE, *ROBOT_WORLD]
    for solver, pose in answers.items():
        assert pose is not None, solver
        assert pose_difference(pose, T_HAND_CAMERA) == pytest.approx((0, 0), abs=1e-6), solver


def test_an_eye_in_the_hand_is_found_with_an_error_as_it_is_stated():
    errors = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        hand = motion(rng, 25)
        found = eye_in_hand(hand, seen_boards(hand, rng, noise=0.002), SETTINGS)
        distance, angle = pose_difference(found.T_mount_camera, T_HAND_CAMERA)
        errors.append((distance / found.std.translation, angle / found.std.rotation))
        assert pose_difference(found.T_other_board, T_BASE_BOARD)[0] < 0.01
        assert found.held_out.distance == pytest.approx(0.002 * np.sqrt(3), rel=0.5)
    assert (np.sqrt(np.mean(np.square(errors), axis=0)) > 0.6).all()
    assert (np.sqrt(np.mean(np.square(errors), axis=0)) < 1.6).all()


def test_an_eye_beside_the_base_is_the_same_question_the_other_way_round():
    rng = np.random.default_rng(1)
    hand = motion(rng, 20)
    camera = Pose.from_rotation_vector(np.array([1.0, 0.2, 0.7]), np.array([2.0, 0.3, -0.4]))
    board = Pose.from_rotation_vector(np.array([0.0, 0.02, 0.1]), np.array([0.1, 0.2, 0.3]))
    found = eye_to_hand(hand, [camera.inverse() @ pose @ board for pose in hand], SETTINGS)
    assert pose_difference(found.T_mount_camera, camera) == pytest.approx((0, 0), abs=1e-6)
    assert pose_difference(found.T_other_board, board) == pytest.approx((0, 0), abs=1e-6)


def test_a_pair_that_does_not_fit_is_left_out():
    rng = np.random.default_rng(2)
    hand = motion(rng, 20)
    boards = seen_boards(hand, rng, noise=0.0005)
    boards[7] = boards[7] @ Pose.from_rotation_vector(np.zeros(3), np.array([0.0, 0.3, 0.0]))  # a mirrored view
    found = eye_in_hand(hand, boards, SETTINGS)
    assert 7 not in found.kept
    assert len(found.kept) == 19
    assert pose_difference(found.T_mount_camera, T_HAND_CAMERA)[0] < 0.002


def test_refinement_hears_less_on_bad_poses_than_the_solvers_do():
    errors = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        hand = motion(rng, 24)
        good, bad = seen_boards(hand, rng, noise=0.001), seen_boards(hand, rng, noise=0.02)
        boards = [bad[place] if place % 6 == 0 else each for place, each in enumerate(good)]
        start = solve_all(hand, boards)["PARK"]
        refined = refine_on_poses(hand, boards, start).T_hand_camera
        errors.append([pose_difference(pose, T_HAND_CAMERA)[0] for pose in (start, refined)])
    solver, refined = np.mean(errors, axis=0)
    assert refined < 0.5 * solver


def test_refinement_on_pixels_finds_the_truth_and_its_own_error():
    errors = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        board = Pose.from_rotation_vector(np.array([0.35, -0.05, 0.0]), np.array([0.0, 0.0, 0.1]))
        look = (
            Pose.from_rotation_vector(np.array([0.5, 0.0, 0.5]), np.array([np.pi, 0.0, 0.0])) @ T_HAND_CAMERA.inverse()
        )
        hand = [look @ pose for pose in motion(rng, 15, turn=0.3)]
        exact = [T_HAND_CAMERA.inverse() @ pose.inverse() @ board for pose in hand]
        views = [
            Corners(
                picture=str(place),
                points=BOARD.points,
                pixels=LENS.project(pose.apply(BOARD.points)) + rng.normal(0, 0.2, (24, 2)),
                ids=np.arange(24),
                image_size=(640, 480),
            )
            for place, pose in enumerate(exact)
        ]
        off = Pose.from_rotation_vector(np.array([0.01, -0.01, 0.02]), np.array([0.02, 0.0, -0.03]))
        found = refine_on_pixels(
            hand, views, LENS, T_hand_camera=T_HAND_CAMERA @ off, T_base_board=board @ off, pixel_std=0.2, folds=4
        )
        distance, angle = pose_difference(found.T_hand_camera, T_HAND_CAMERA)
        assert distance < 0.002
        errors.append((distance / found.std.translation, angle / found.std.rotation))
        rms = np.sqrt((np.concatenate(found.residuals) ** 2).mean())
        assert rms == pytest.approx(0.2, rel=0.15)
        assert np.sqrt(2) * rms < found.held_out_px < 1.3 * np.sqrt(2) * rms
    assert (np.sqrt(np.mean(np.square(errors), axis=0)) < 1.8).all()


def test_turns_about_one_axis_leave_the_place_along_it_open_and_are_refused():
    rng = np.random.default_rng(3)
    hand = motion(rng, 20, axis=np.array([0.0, 0.0, 1.0]))
    largest, across, axis = turn_across(hand)
    assert largest > 40
    assert across < 1e-4
    assert abs(axis[2]) == pytest.approx(1)
    said = r"nearly all turns are about one axis, \(-?0\.00, -?0\.00, -?1\.00\) of the hand, and only 0\.0° across it"
    with pytest.raises(CalibrationError, match=said):
        eye_in_hand(hand, seen_boards(hand, rng, noise=0.001), SETTINGS)


def test_a_hand_that_hardly_turns_is_refused():
    rng = np.random.default_rng(4)
    hand = motion(rng, 20, turn=0.05)
    with pytest.raises(CalibrationError, match=r"turned by at most [\d.]+°, 20° are needed: turn it more"):
        eye_in_hand(hand, seen_boards(hand, rng, noise=0.0001), SETTINGS)


def test_a_solver_that_diverges_is_named_and_left_out_where_the_others_agree():
    near = [Pose(rotation=np.eye(3), translation=np.array([0.0, 0.0, z])) for z in (0.0, 0.001, 0.002)]
    far = Pose(rotation=np.eye(3), translation=np.array([0.3, 0.0, 0.0]))
    answers = {"TSAI": near[0], "PARK": near[1], "HORAUD": near[2], "ANDREFF": None, "DANIILIDIS": far, "SHAH": far}
    told = {each.solver: each for each in judge(answers, distance=0.005, angle=0.01)}
    assert [name for name, each in told.items() if each.agrees] == ["TSAI", "PARK", "HORAUD"]
    assert told["DANIILIDIS"].distance == pytest.approx(0.3, rel=1e-3)
    assert np.isnan(told["ANDREFF"].distance)
    assert not told["SHAH"].votes


def test_solvers_without_a_majority_are_refused_with_their_distances():
    rng = np.random.default_rng(5)
    hand = motion(rng, 10)
    boards = seen_boards(hand, rng, noise=0.03)
    strict = HandEyeSettings(max_distance=0.0005)
    with pytest.raises(
        CalibrationError, match=r"the solvers disagree; only \d of 5 are within 0\.5 mm .*: TSAI [\d.]+ mm"
    ):
        eye_in_hand(hand, boards, strict)


def test_poses_of_other_moments_are_refused():
    rng = np.random.default_rng(6)
    hand = motion(rng, 20)
    boards = seen_boards(hand, rng, noise=0.0)
    with pytest.raises(CalibrationError):
        eye_in_hand(hand, boards[5:] + boards[:5], SETTINGS)


def test_a_board_that_wanders_is_refused():
    rng = np.random.default_rng(7)
    hand = motion(rng, 30)
    lax = HandEyeSettings(max_distance=0.1, max_angle=5, max_refinement=0.1)
    with pytest.raises(CalibrationError, match=r"wanders by [\d.]+ mm, 20 mm is allowed: is it fixed"):
        eye_in_hand(hand, seen_boards(hand, rng, noise=0.02), lax)


def test_too_few_poses_and_unequal_lists_are_refused():
    rng = np.random.default_rng(8)
    hand = motion(rng, 7)
    with pytest.raises(CalibrationError, match="7 poses were given, 8 are needed: record more"):
        eye_in_hand(hand, seen_boards(hand, rng, noise=0.0), SETTINGS)
    with pytest.raises(ValueError, match="as many poses of hand and board are needed, got 7 and 6"):
        eye_in_hand(hand, seen_boards(hand, rng, noise=0.0)[1:], SETTINGS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_pairs": 2}, "min_pairs must be >= 3, min_agreeing >= 2 and folds >= 2, got 2, 3, 5"),
        ({"max_distance": 0.0}, "max_distance, max_angle, max_spread and max_refinement must be > 0"),
        ({"max_outliers": 1.0}, r"outlier_ratio must be > 1 and max_outliers in \[0, 1\), got 4.0 and 1.0"),
    ],
)
def test_hand_eye_settings_outside_their_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        HandEyeSettings(**values)
