from pathlib import Path

import pytest

from robo_reward.calibration.board_file import read_board, write_board
from robo_reward.calibration.boards import AprilTagGrid, CharucoBoard, Chessboard, board_values
from robo_reward.errors import DataSetError

BOARDS = [
    Chessboard(inner_columns=9, inner_rows=6, square=0.0251, inverted=True),
    CharucoBoard(columns=4, rows=5, square=0.054, marker=0.0405, dictionary="DICT_4X4_1000", legacy=True),
    AprilTagGrid(columns=3, rows=2, tag=0.03, gap=0.01, first_id=4),
]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: type(board).__name__)
def test_what_is_written_is_read(tmp_path, board):
    write_board(board, tmp_path / "board.yaml", measured="ruler over ten squares")
    read = read_board(tmp_path / "board.yaml")
    assert type(read) is type(board)
    assert board_values(read) == board_values(board)
    assert "measured: ruler over ten squares" in (tmp_path / "board.yaml").read_text()


@pytest.mark.parametrize(
    "file", sorted(Path(__file__).parents[2].glob("calibration/boards/*.yaml")), ids=lambda f: f.stem
)
def test_every_board_of_the_repository_is_read(file):
    assert len(read_board(file).points) > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "kind must be one of chessboard, charuco, april_tags, got None"),
        ("kind: circles", "kind must be one of chessboard, charuco, april_tags, got 'circles'"),
        ("{kind: chessboard, inner_columns: 9, inner_rows: 6, square: 25}", "units must be m, got None"),
        ("{kind: chessboard, units: m, inner_columns: 9, inner_rows: 6, sqare: 0.1}", r"unknown key \['sqare'\]"),
        ("{kind: chessboard, units: m, inner_columns: 9, inner_rows: 6}", r"missing key \['square'\]"),
        ("{kind: chessboard, units: m, inner_columns: 9, inner_rows: 6, square: 25}", "is it in millimetres"),
    ],
)
def test_a_file_that_is_no_board_is_named_with_the_reason(tmp_path, text, message):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(DataSetError, match=message) as error:
        read_board(file)
    assert "bad.yaml" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        read_board(tmp_path / "none.yaml")
