import cv2
import numpy as np
import pytest
from board_scenes import BOARD, CENTRE, LENS, looking_at, rendered

from robo_reward.calibration.board_picture import board_picture
from robo_reward.calibration.boards import AprilTagGrid, CharucoBoard, Chessboard
from robo_reward.calibration.corners import Corners, DetectionSettings, Rejected, find_corners
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import RigCamera

SETTINGS = DetectionSettings()
CHESSBOARD = Chessboard(inner_columns=8, inner_rows=5, square=0.03)
TAGS = AprilTagGrid(columns=4, rows=3, tag=0.05, gap=0.014)
CAMERA = RigCamera(intrinsics=LENS, T_base_camera=looking_at((1.2, 0.3, 0.6)))


def before_the_camera(board, *, turned=(0.3, -0.35, 0.2), distance=0.75) -> Pose:
    middle = Pose.from_rotation_vector(np.array([-board.size[0] / 2, -board.size[1] / 2, 0.0]), np.zeros(3))
    held = Pose.from_rotation_vector(np.array([0.02, -0.01, distance]), np.array(turned))
    return CAMERA.T_base_camera @ held @ middle


@pytest.mark.parametrize("board", [BOARD, CHESSBOARD, TAGS], ids=lambda board: type(board).__name__)
@pytest.mark.parametrize("inverted", [False, True])
def test_corners_of_a_rendered_board_are_found_to_a_tenth_of_a_pixel(board, inverted):
    from dataclasses import replace

    board = replace(board, inverted=inverted)
    pose = before_the_camera(board)
    found = find_corners(rendered(CAMERA, pose, board), board, picture="scene", settings=SETTINGS)
    assert isinstance(found, Corners), found
    assert len(found.ids) == len(board.points)
    np.testing.assert_array_equal(found.points, board.points[found.ids])
    missed = np.linalg.norm(found.pixels - CAMERA.project(pose.apply(found.points)), axis=1)
    assert np.sqrt((missed**2).mean()) < 0.1
    assert found.image_size == (640, 480)


@pytest.mark.parametrize("quarter", range(4))
def test_an_oriented_chessboard_is_numbered_from_its_black_corner_however_it_is_held(quarter):
    picture = board_picture(CHESSBOARD, pixels_per_metre=1500, margin=0.03)
    height, width = picture.shape
    turned = np.ascontiguousarray(np.rot90(picture, quarter))
    found = find_corners(turned, CHESSBOARD, picture="turned", settings=SETTINGS)
    upright = (CHESSBOARD.points[0, :2] + 0.03) * 1500 - 0.5
    x, y = upright
    where = [(x, y), (y, width - 1 - x), (width - 1 - x, height - 1 - y), (height - 1 - y, x)][quarter]
    np.testing.assert_allclose(found.pixels[0], where, atol=0.05)


@pytest.mark.parametrize("way", [(slice(None, None, -1), slice(None, None, -1)), (slice(None), slice(None, None, -1))])
def test_corners_that_opencv_numbers_from_the_other_end_or_mirrored_are_put_in_order(way, monkeypatch):
    picture = board_picture(CHESSBOARD, pixels_per_metre=1500, margin=0.03)
    plain = cv2.findChessboardCorners

    def otherwise(grey, size, flags):
        found, corners = plain(grey, size, flags=flags)
        return found, np.ascontiguousarray(corners.reshape(5, 8, 2)[way]).reshape(-1, 1, 2)

    expected = find_corners(picture, CHESSBOARD, picture="plain", settings=SETTINGS)
    monkeypatch.setattr(cv2, "findChessboardCorners", otherwise)
    found = find_corners(picture, CHESSBOARD, picture="otherwise", settings=SETTINGS)
    np.testing.assert_allclose(found.pixels, expected.pixels, atol=0.01)
    np.testing.assert_allclose(found.pixels, (CHESSBOARD.points[:, :2] + 0.03) * 1500 - 0.5, atol=0.05)


def test_blur_does_not_shift_the_corners_of_tags():
    scale = 3000
    sharp = board_picture(TAGS, pixels_per_metre=scale, margin=0.03)
    expected = (TAGS.points[:, :2] + 0.03) * scale - 0.5
    for sigma in (0.7, 1.5):
        found = find_corners(cv2.GaussianBlur(sharp, (0, 0), sigma), TAGS, picture="blurred", settings=SETTINGS)
        assert len(found.ids) == 48
        assert np.abs(found.pixels - expected[found.ids]).max() < 0.1


def test_a_blurred_picture_is_rejected_by_the_width_of_its_edges():
    picture = rendered(CAMERA, before_the_camera(CHESSBOARD), CHESSBOARD)
    found = find_corners(picture, CHESSBOARD, picture="sharp", settings=SETTINGS)
    assert 1.5 < found.edge_width < 3
    lax = DetectionSettings(max_edge_width=20.0)
    defocused = find_corners(cv2.GaussianBlur(picture, (0, 0), 2), CHESSBOARD, picture="blurred", settings=lax)
    assert defocused.edge_width == pytest.approx(2.5 * 2, rel=0.25)
    smeared = cv2.blur(picture, (11, 1))  # motion along rows: edges across it stay sharp
    told = find_corners(smeared, CHESSBOARD, picture="smeared", settings=DetectionSettings(max_edge_width=5.0))
    assert isinstance(told, Rejected)
    assert told.reason.startswith("blurred: edges are ")
    assert told.reason.endswith("px wide, 5 allowed")


def test_a_partial_view_is_kept_with_its_own_corners_or_rejected_when_too_small():
    pose = before_the_camera(BOARD)
    picture = rendered(CAMERA, pose, BOARD)
    pixels = CAMERA.project(pose.apply(BOARD.points))
    cut = int(np.sort(pixels[:, 0])[14])
    part = picture.copy()
    part[:, cut:] = 110
    found = find_corners(part, BOARD, picture="half", settings=SETTINGS)
    assert 6 <= len(found.ids) < 24
    np.testing.assert_allclose(found.pixels, pixels[found.ids], atol=0.3)
    strict = find_corners(part, BOARD, picture="half", settings=DetectionSettings(min_corners=20))
    assert strict.reason == f"partial view: {len(found.ids)} of 24 corners, 20 needed"


def test_corners_on_one_line_say_nothing():
    board = CharucoBoard(columns=7, rows=3, square=0.03, marker=0.022, dictionary="DICT_4X4_50")
    picture = board_picture(board, pixels_per_metre=2000, margin=0.02)
    picture[100:] = 255  # one row of squares and the first of the corners under it
    settings = DetectionSettings(min_corners=4)
    found = find_corners(picture, board, picture="line", settings=settings)
    assert isinstance(found, Rejected)


def test_a_picture_without_the_board_is_rejected():
    picture = np.full((480, 640), 128, np.uint8)
    for board in (BOARD, CHESSBOARD, TAGS):
        assert find_corners(picture, board, picture="empty", settings=SETTINGS).reason == "the board is not seen"


def test_tags_of_another_grid_are_not_taken_for_ones_own():
    other = AprilTagGrid(columns=4, rows=3, tag=0.05, gap=0.014, first_id=12)
    picture = board_picture(other, pixels_per_metre=2000, margin=0.03)
    assert isinstance(find_corners(picture, TAGS, picture="other", settings=SETTINGS), Rejected)
    assert len(find_corners(picture, other, picture="own", settings=SETTINGS).ids) == 48


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_corners": 3}, "min_corners must be >= 4, got 3"),
        ({"max_edge_width": 0.0}, "max_edge_width must be > 0 px, got 0"),
        ({"refinement_window": 1}, "refinement_window must be >= 2 px, got 1"),
        ({"refinement_step": 0.0}, "refinement_step must be > 0 px, got 0"),
    ],
)
def test_settings_outside_their_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DetectionSettings(**values)


def test_corners_must_be_as_many_as_their_pixels_and_finite():
    kept = {"picture": "p", "image_size": (640, 480), "ids": np.arange(2)}
    with pytest.raises(ValueError, match="must be as many and at least one, got 0, 0, 0"):
        Corners(points=np.zeros((0, 3)), pixels=np.zeros((0, 2)), **kept | {"ids": np.arange(0)})
    with pytest.raises(ValueError, match="points and pixels of p must be finite"):
        Corners(points=np.zeros((2, 3)), pixels=np.full((2, 2), np.nan), **kept)


def test_the_looks_of_the_centre_are_in_the_middle_of_the_picture():
    np.testing.assert_allclose(CAMERA.project(CENTRE[None])[0], (LENS.centre_x, LENS.centre_y), atol=1e-9)
