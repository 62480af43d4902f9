import cv2
import numpy as np
import pytest

from robo_reward.calibration.board_picture import board_picture
from robo_reward.calibration.boards import AprilTagGrid, Board, CharucoBoard, Chessboard, board_values

CHESSBOARD = {"inner_columns": 9, "inner_rows": 6, "square": 0.025}
CHARUCO = {"columns": 5, "rows": 6, "square": 0.03, "marker": 0.0225, "dictionary": "DICT_4X4_50"}
TAGS = {"columns": 3, "rows": 2, "tag": 0.03, "gap": 0.01}
BOARDS = [Chessboard(**CHESSBOARD), CharucoBoard(**CHARUCO), CharucoBoard(**CHARUCO, legacy=True), AprilTagGrid(**TAGS)]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: type(board).__name__)
def test_a_board_lies_between_its_origin_and_its_size(board):
    assert isinstance(board, Board)
    assert (board.points[:, 2] == 0).all()
    assert (board.points[:, :2] >= 0).all()
    assert (board.points[:, :2] <= np.array(board.size) + 1e-9).all()
    dark = board.dark_rectangles
    assert (dark[:, :2] >= -1e-9).all()
    assert (dark[:, :2] + dark[:, 2:] <= np.array(board.size) + 1e-6).all()
    assert type(board)(**board_values(board)).points.tolist() == board.points.tolist()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_drawn_charuco_board_is_what_opencv_draws(legacy):
    board = CharucoBoard(**CHARUCO, legacy=legacy)
    ours = board_picture(board, pixels_per_metre=8000, margin=0.0)  # squares of 240 px, cells of 30
    theirs = board.opencv.generateImage(ours.shape[::-1], marginSize=0)
    assert ours.shape == (1440, 1200)
    assert (ours != theirs).mean() < 1e-3


def test_a_legacy_board_has_other_colours_where_its_rows_are_even():
    one, other = (
        board_picture(CharucoBoard(**CHARUCO, legacy=it), pixels_per_metre=2000, margin=0) for it in (False, True)
    )
    assert (one != other).mean() > 0.3


def test_the_corners_of_a_charuco_board_are_numbered_as_opencv_numbers_them():
    board = CharucoBoard(**CHARUCO)
    np.testing.assert_allclose(board.points, board.opencv.getChessboardCorners(), atol=1e-7)


def test_the_tags_of_a_grid_are_numbered_from_the_first_one():
    board = AprilTagGrid(**TAGS, first_id=7)
    assert board.opencv.getIds().ravel().tolist() == [7, 8, 9, 10, 11, 12]
    np.testing.assert_allclose(board.points[4:8], [[0.04, 0, 0], [0.07, 0, 0], [0.07, 0.03, 0], [0.04, 0.03, 0]])


def test_an_inverted_board_is_the_negative():
    board = Chessboard(**CHESSBOARD)
    negative = Chessboard(**CHESSBOARD, inverted=True)
    drawn = [board_picture(each, pixels_per_metre=1000, margin=0.01) for each in (board, negative)]
    assert (drawn[0] == 255 - drawn[1]).all()


def test_a_pixel_that_an_edge_crosses_is_grey_by_the_share_that_is_covered():
    board = Chessboard(inner_columns=3, inner_rows=3, square=0.01)
    picture = board_picture(board, pixels_per_metre=1025, margin=0.0)  # squares of 10.25 px
    assert picture[5, 9] == 0
    assert picture[5, 10] == round(255 * 0.75)
    assert picture[5, 11] == 255


def test_a_chessboard_is_oriented_where_its_inner_corners_add_up_to_an_odd_number():
    assert Chessboard(inner_columns=9, inner_rows=6, square=0.02).oriented
    assert not Chessboard(inner_columns=9, inner_rows=7, square=0.02).oriented
    assert CharucoBoard(**CHARUCO).oriented
    assert AprilTagGrid(**TAGS).oriented


@pytest.mark.parametrize(
    ("made", "values", "message"),
    [
        (Chessboard, CHESSBOARD | {"inner_rows": 2}, "at least 3 x 3 inner corners, got 9 x 2"),
        (Chessboard, CHESSBOARD | {"square": 0.0}, "square must be > 0 m, got 0.0"),
        (Chessboard, CHESSBOARD | {"square": 25.0}, "below 1 m, got 25; is it in millimetres?"),
        (CharucoBoard, CHARUCO | {"columns": 2}, "at least 3 x 3 squares, got 2 x 6"),
        (CharucoBoard, CHARUCO | {"marker": 0.03}, "marker must be smaller than square, got 0.03 m in 0.03 m"),
        (CharucoBoard, CHARUCO | {"dictionary": "DICT_9"}, "unknown dictionary 'DICT_9'; there are DICT_4X4_100, "),
        (CharucoBoard, CHARUCO | {"columns": 12, "rows": 9}, "DICT_4X4_50 has 50 markers, 12 x 9 needs 54"),
        (AprilTagGrid, TAGS | {"rows": 0}, "needs at least one tag, got 3 x 0"),
        (AprilTagGrid, TAGS | {"gap": -0.1}, "gap must be > 0 m, got -0.1"),
        (AprilTagGrid, TAGS | {"first_id": 585}, "family 36h11 has tags 0 to 586, the grid would take 585 to 590"),
    ],
)
def test_boards_that_cannot_be_are_refused(made, values, message):
    with pytest.raises(ValueError, match=message):
        made(**values)


def test_a_picture_needs_a_scale():
    with pytest.raises(ValueError, match=r"scale must be > 0 px/m and margin >= 0 m, got 0 and 0"):
        board_picture(BOARDS[0], pixels_per_metre=0.0, margin=0.0)


def test_opencv_finds_the_board_that_is_drawn():
    board = CharucoBoard(**CHARUCO)
    picture = board_picture(board, pixels_per_metre=2000, margin=0.01)
    corners, ids, _, _ = cv2.aruco.CharucoDetector(board.opencv).detectBoard(picture)
    assert len(ids) == len(board.points) == 20
    expected = (board.points[ids.ravel(), :2] + 0.01) * 2000 - 0.5
    np.testing.assert_allclose(corners[:, 0], expected, atol=1e-3)
