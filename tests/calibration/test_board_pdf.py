import re
import zlib

import numpy as np
import pytest

from robo_reward.calibration.board_pdf import PAPERS, RULER, board_pdf
from robo_reward.calibration.boards import AprilTagGrid, CharucoBoard, Chessboard

POINT = 0.0254 / 72
"""What a PDF measures in [m]."""
CHARUCO = CharucoBoard(columns=5, rows=7, square=0.035, marker=0.026, dictionary="DICT_4X4_50")


def page_of(path) -> tuple[tuple[float, float], list[np.ndarray]]:
    """Size of the page [m] and the rectangles on it (x, y, width, height, y up) [m]."""
    data = path.read_bytes()
    box = [float(number) for number in re.search(rb"/MediaBox \[ ([\d. ]+) \]", data)[1].split()]
    streams = re.findall(rb"/FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    drawn = zlib.decompress(streams[0]).decode("latin-1")  # the page; the others are glyphs
    number = r"(-?[\d.]+) (-?[\d.]+) "
    boxes = []
    for match in re.finditer(rf"{number}m\n{number}l\n{number}l\n{number}l\n(?:{number}l\n)?h", drawn):
        corners = np.array([float(each) for each in match.groups()[:8]]).reshape(4, 2) * POINT
        if np.ptp(corners[:, 0]) > 0.2:  # the page itself
            continue
        boxes.append(np.concatenate([corners.min(axis=0), np.ptp(corners, axis=0)]))
    return ((box[2] - box[0]) * POINT, (box[3] - box[1]) * POINT), boxes


@pytest.mark.parametrize("paper", PAPERS)
def test_the_page_has_the_size_of_the_paper(tmp_path, paper):
    board_pdf(CHARUCO, tmp_path / "board.pdf", paper=paper)
    size, _ = page_of(tmp_path / "board.pdf")
    assert size == pytest.approx(PAPERS[paper], rel=1e-4)


@pytest.mark.parametrize(
    ("board", "square"),
    [
        (CHARUCO, 0.035),
        (Chessboard(inner_columns=6, inner_rows=9, square=0.0213), 0.0213),
        (AprilTagGrid(columns=4, rows=5, tag=0.032, gap=0.008), 0.032),
    ],
)
def test_squares_are_printed_at_true_scale_to_a_tenth_of_a_percent(tmp_path, board, square):
    board_pdf(board, tmp_path / "board.pdf", paper="A4")
    size, boxes = page_of(tmp_path / "board.pdf")
    # the board's rectangles, as they are in the board's frame, from where the first one lies on the page
    mine = [box for box in boxes if box[1] > 0.022]  # above ruler and text
    assert len(mine) == len(board.dark_rectangles)
    left, top = min(box[0] for box in mine), max(box[1] + box[3] for box in mine)
    found = np.array(sorted((box[0] - left, top - box[1] - box[3], box[2], box[3]) for box in mine))
    wanted = np.array(sorted(map(tuple, board.dark_rectangles)))
    found, wanted = (each[np.lexsort((each[:, 0].round(4), each[:, 1].round(4)))] for each in (found, wanted))
    assert np.abs(found - wanted).max() < 1e-3 * square
    assert left == pytest.approx((size[0] - board.size[0]) / 2, abs=1e-4)


def test_the_ruler_is_a_hundred_millimetres_long(tmp_path):
    board_pdf(CHARUCO, tmp_path / "board.pdf", paper="A4")
    _, boxes = page_of(tmp_path / "board.pdf")
    ruler = [box for box in boxes if box[1] < 0.022]
    assert max(box[2] for box in ruler) == pytest.approx(RULER, rel=1e-3) == pytest.approx(0.1)
    ticks = sorted(box[0] + box[2] / 2 for box in ruler if box[2] < 0.001)
    np.testing.assert_allclose(np.diff(ticks), 0.01, rtol=1e-3)
    assert len(ticks) == 11


def test_a_board_too_large_for_the_paper_is_refused_and_nothing_is_written(tmp_path):
    board = CharucoBoard(columns=7, rows=10, square=0.037, marker=0.027, dictionary="DICT_5X5_50")
    with pytest.raises(ValueError, match=r"the board needs 259 x 370 mm with its margin, too much for A4"):
        board_pdf(board, tmp_path / "board.pdf", paper="A4")
    assert list(tmp_path.iterdir()) == []
    board_pdf(board, tmp_path / "board.pdf", paper="A3")


def test_a_wide_board_turns_the_sheet(tmp_path):
    board_pdf(Chessboard(inner_columns=9, inner_rows=6, square=0.025), tmp_path / "board.pdf", paper="A4")
    size, _ = page_of(tmp_path / "board.pdf")
    assert size[0] > size[1]


def test_an_unknown_paper_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown paper 'A5'; there are A4, A3, Letter"):
        board_pdf(CHARUCO, tmp_path / "board.pdf", paper="A5")


def test_the_same_board_gives_the_same_bytes(tmp_path):
    for name in ("one.pdf", "other.pdf"):
        board_pdf(CHARUCO, tmp_path / name, paper="A4")
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "other.pdf").read_bytes()
