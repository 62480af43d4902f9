from dataclasses import dataclass, replace

import numpy as np
import pytest
from board_scenes import BOARD, LENS, board_before, rig_of, rig_views, seen_corners
from scipy import stats

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.rig_adjustment import PoseStd, RigView
from robo_reward.calibration.rig_hypotheses import KnownBoard
from robo_reward.calibration.verify import RigVerdict, VerifySettings, verify_rig
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Measurement, Rig, RigCamera

SETTINGS = VerifySettings()


@dataclass(frozen=True)
class Case:
    """A rig known to a millimetre and a tenth of a degree per axis, and pictures of how it stands now."""

    verdict: RigVerdict
    culprit: str


def jiggled(pose: Pose, rng: np.random.Generator, *, place: float, turn: float) -> Pose:
    return pose @ Pose.from_rotation_vector(rng.normal(0, place, 3), np.radians(rng.normal(0, turn, 3)))


def moved(camera: RigCamera, rng: np.random.Generator, *, place: float = 0.0, turn: float = 0.0) -> RigCamera:
    """By so many metres and degrees in a random direction."""
    ways = rng.normal(size=(2, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    shift = Pose.from_rotation_vector(place * ways[0], np.radians(turn) * ways[1])
    return RigCamera(intrinsics=camera.intrinsics, T_base_camera=camera.T_base_camera @ shift)


def case(seed: int, *, place: float = 0.0, turn: float = 0.0, cameras: int = 3, moments: int = 1, noise=0.2) -> Case:
    rng = np.random.default_rng(seed)
    true = rig_of(cameras)
    known = {
        name: RigCamera(intrinsics=LENS, T_base_camera=jiggled(each.T_base_camera, rng, place=0.001, turn=0.1))
        for name, each in true.cameras.items()
    }
    culprit = f"camera_{seed % cameras}"
    standing = {
        name: moved(each, rng, place=place, turn=turn) if name == culprit else each
        for name, each in true.cameras.items()
    }
    views = rig_views(Rig(cameras=standing, base_frame="b"), rng, moments=moments, noise=noise)
    return Case(verdict=verify_rig(Rig(cameras=known, base_frame="b"), views, SETTINGS), culprit=culprit)


@pytest.mark.parametrize(("place", "turn"), [(0.02, 0.0), (0.0, 2.0)])
def test_a_camera_that_moved_is_caught_and_named(place, turn):
    for seed in range(3):
        found = case(seed, place=place, turn=turn)
        assert found.verdict.moved
        standing = {name: each.standing for name, each in found.verdict.cameras.items()}
        assert [name for name, each in standing.items() if each == "moved"] == [found.culprit]
        assert sorted(standing.values()) == ["in place", "in place", "moved"]
        assert found.verdict.p_value < 0.005


@pytest.mark.slow
def test_how_far_a_camera_moved_is_told():
    told = [case(seed, place=0.05, turn=3.0, moments=3).verdict.cameras[f"camera_{seed % 3}"] for seed in range(4)]
    for each in told:
        assert each.distance == pytest.approx(0.05, abs=0.012)
        assert np.degrees(each.angle) == pytest.approx(3.0, abs=0.6)


def test_a_rig_that_stands_still_is_in_place():
    for seed in range(4):
        verdict = case(seed).verdict
        assert not verdict.moved
        assert {each.standing for each in verdict.cameras.values()} == {"in place"}
        assert verdict.statistic < verdict.threshold
        assert verdict.in_place == (not verdict.weak)


def test_a_camera_that_moved_far_is_caught_too():
    verdict = case(1, place=0.3, turn=25.0).verdict
    assert verdict.moved
    assert verdict.cameras["camera_1"].standing == "moved"


def test_a_camera_that_was_turned_upside_down_is_found_where_it_is():
    """A search that starts where the rig says does not get there."""
    rig = rig_of(3)
    over = Pose.from_rotation_vector(np.array([0.1, -0.05, 0.0]), np.radians([0.0, 0.0, 170.0]))
    turned = RigCamera(intrinsics=LENS, T_base_camera=rig.cameras["camera_1"].T_base_camera @ over)
    standing = Rig(cameras={**rig.cameras, "camera_1": turned}, base_frame="b")
    verdict = verify_rig(rig, rig_views(standing, np.random.default_rng(1), moments=1, noise=0.2), SETTINGS)
    assert {name: each.standing for name, each in verdict.cameras.items()} == {
        "camera_0": "in place",
        "camera_1": "moved",
        "camera_2": "in place",
    }
    assert np.degrees(verdict.cameras["camera_1"].angle) == pytest.approx(170, abs=1)


def test_of_two_cameras_both_are_suspect():
    verdict = case(0, place=0.03, turn=2.0, cameras=2).verdict
    assert verdict.moved
    assert {each.standing for each in verdict.cameras.values()} == {"suspect"}
    assert verdict.cameras["camera_0"].distance == pytest.approx(0.03, abs=0.015)


def test_more_pictures_tell_smaller_moves():
    one, many = (case(3, place=0.01, moments=moments).verdict.statistic for moments in (1, 6))
    assert many > one


def test_corners_that_scatter_more_raise_no_alarm():
    for seed in range(4):
        verdict = case(seed, noise=1.0).verdict
        assert not verdict.moved
        assert verdict.scatter_px == pytest.approx(1.0, rel=0.3)


def test_a_rig_measured_less_well_is_compared_less_sharply():
    rig = rig_of(2)
    views = rig_views(rig, np.random.default_rng(6), moments=1, noise=0.2)
    measured = Measurement(date="unknown", how="in a test", residual_px=1.0)
    rough = Rig(cameras=rig.cameras, base_frame="b", measured=measured)
    assert verify_rig(rig, views, SETTINGS).scatter_px == 0.3
    assert verify_rig(rough, views, SETTINGS).scatter_px == pytest.approx(1 / np.sqrt(2))
    assert verify_rig(rough, views, VerifySettings(pixel_std=0.4)).scatter_px == 0.4


def one_camera(seed: int, *, place: float, turn: float) -> RigVerdict:
    rng = np.random.default_rng(seed)
    rig = rig_of(1)
    camera = moved(rig.cameras["camera_0"], rng, place=place, turn=turn)
    board = board_before(rng, [rig.cameras["camera_0"].T_base_camera])
    corners = seen_corners(camera, board, rng, noise=0.2, name="now")
    assert corners is not None
    witness = KnownBoard(T_base_board=board, known=PoseStd(translation=0.001, rotation=np.radians(0.1)))
    return verify_rig(rig, [RigView(camera="camera_0", moment="now", corners=corners)], SETTINGS, known_board=witness)


def test_one_camera_alone_is_checked_by_a_board_that_has_not_moved():
    for seed in range(3):
        still, gone = one_camera(seed, place=0.0, turn=0.0), one_camera(seed, place=0.02, turn=2.0)
        assert not still.moved
        assert gone.moved
        assert gone.cameras["camera_0"].standing == "moved"


def test_a_camera_that_sees_no_shared_board_is_not_compared():
    rig = rig_of(3)
    views = [v for v in rig_views(rig, np.random.default_rng(2), moments=1, noise=0.2) if v.camera != "camera_2"]
    verdict = verify_rig(rig, views, SETTINGS)
    assert verdict.cameras["camera_2"].standing == "not compared"
    assert np.isnan(verdict.cameras["camera_2"].distance)
    assert verdict.not_compared == ("camera_2",)
    assert not verdict.in_place
    with pytest.raises(CalibrationError, match="no two cameras see the board at once, so there is nothing to compare"):
        verify_rig(rig, views[:1], SETTINGS)
    with pytest.raises(ValueError, match="the rig has no camera 'top'"):
        verify_rig(rig, [RigView(camera="top", moment="0", corners=views[0].corners)], SETTINGS)


def test_the_board_of_a_rig_in_place_is_where_it_is():
    rig = rig_of(3)
    rng = np.random.default_rng(4)
    board = board_before(rng, [each.T_base_camera for each in rig.cameras.values()], tilt=15)
    views = [
        RigView(camera=name, moment="now", corners=corners)
        for name, each in rig.cameras.items()
        if isinstance(corners := seen_corners(each, board, rng, noise=0.1, name="now"), Corners)
    ]
    verdict = verify_rig(rig, views, SETTINGS)
    assert np.linalg.norm(verdict.T_base_board["now"].translation - board.translation) < 2e-3


@pytest.mark.parametrize("place", [True, False])
def test_the_least_move_that_is_told_is_the_one_that_is_caught(place):
    """In the mean over directions and without noise, the statistic is the noncentrality that 99 % need."""
    rig, rng = rig_of(3), np.random.default_rng(8)
    board = board_before(rng, [each.T_base_camera for each in rig.cameras.values()], tilt=20)

    def verdict(standing: Rig) -> RigVerdict:
        views = []
        for name, each in standing.cameras.items():
            corners = seen_corners(each, board, rng, noise=0.0, name="now")
            assert corners is not None
            views.append(RigView(camera=name, moment="now", corners=corners))
        return verify_rig(rig, views, SETTINGS)

    smallest = verdict(rig).smallest
    means = []
    for name, camera in rig.cameras.items():
        caught = []
        for way in np.eye(3):
            move = (smallest.distance * way, np.zeros(3)) if place else (np.zeros(3), smallest.angle * way)
            stands = camera.T_base_camera @ Pose.from_rotation_vector(*move)
            there = RigCamera(intrinsics=LENS, T_base_camera=stands)
            found = verdict(Rig(cameras={**rig.cameras, name: there}, base_frame="b"))
            caught.append(stats.ncx2.sf(found.threshold, 12, found.statistic))
        means.append(np.mean(caught))
    assert min(means) == pytest.approx(0.99, abs=0.03)


def test_a_rig_of_large_residual_is_not_called_in_place_on_the_word_of_few_corners():
    rig = rig_of(2, nearness=0.62)
    views = rig_views(rig, np.random.default_rng(6), moments=2, noise=0.2)
    rough = Measurement(date="unknown", how="in a test", residual_px=4.0)
    good, weak = (verify_rig(each, views, SETTINGS) for each in (rig, replace(rig, measured=rough)))
    assert good.in_place
    assert good.smallest.distance < 0.015
    assert not weak.moved
    assert weak.weak
    assert not weak.in_place
    assert weak.smallest.distance > 0.02
    more = verify_rig(rig, rig_views(rig, np.random.default_rng(6), moments=6, noise=0.2), SETTINGS)
    assert more.smallest.distance < good.smallest.distance
    assert more.smallest.angle < good.smallest.angle


def test_pictures_of_another_size_than_the_lens_are_not_compared():
    rig = rig_of(2)
    first, *others = rig_views(rig, np.random.default_rng(6), moments=1, noise=0.2)
    small = replace(first, corners=replace(first.corners, image_size=(320, 240)))
    board = KnownBoard(T_base_board=Pose.identity(), known=PoseStd(translation=0.001, rotation=0.001))
    for witness in (None, board):
        with pytest.raises(CalibrationError, match="camera camera_0: moment 0 has 320 x 240 px, its lens was measured"):
            verify_rig(rig, [small, *others], SETTINGS, known_board=witness)


def test_another_board_is_no_scatter():
    rig = rig_of(3)
    views = rig_views(rig, np.random.default_rng(5), moments=1, noise=0.2)
    shuffled = Corners(
        picture="now",
        points=BOARD.points[np.random.default_rng(0).permutation(len(views[0].corners.ids))],
        pixels=views[0].corners.pixels,
        ids=views[0].corners.ids,
        image_size=(640, 480),
    )
    wrong = RigView(camera=views[0].camera, moment=views[0].moment, corners=shuffled)
    with pytest.raises(CalibrationError, match=r"corners scatter by [\d.]+ px about the best fit, 0\.3 px was stated"):
        verify_rig(rig, [wrong, *views[1:]], SETTINGS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"false_alarm": 0.0}, r"false_alarm must be in \(0, 0\.5\), got 0"),
        ({"caught": 1.0}, r"caught must be in \[0.5, 1\), max_distance and max_angle must be > 0, got 1.0, 0.02, 2.0"),
        ({"pixel_std": 0.0}, "max_scatter and pixel_std must be > 0, got 0.001, 0.1, 10.0, 0.0"),
    ],
)
def test_verify_settings_outside_their_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        VerifySettings(**values)


@pytest.mark.slow
def test_of_300_moved_rigs_99_of_100_are_caught_and_of_300_that_stand_at_most_1_of_100_is_called_moved():
    """One picture of each of three cameras; moves of 2 cm or 2°. Measured: 300 caught and named, no false alarm."""
    caught = sum(case(seed, place=0.02 * (seed % 2), turn=2.0 * (1 - seed % 2)).verdict.moved for seed in range(300))
    assert caught >= 297
    false = sum(case(seed).verdict.moved for seed in range(1000, 1300))
    assert false <= 3
