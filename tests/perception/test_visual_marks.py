import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.perception.key_points import KeyPoint
from robo_reward.perception.visual_marks import Grid, HeightLine, draw_marks

GRID = Grid(width=100, height=50)
BLACK = torch.zeros(3, 480, 640, dtype=torch.uint8)


def test_row_1_is_at_the_bottom_and_column_a_at_the_left():
    assert GRID.centre("a1") == (9.5, 44.5)
    assert GRID.centre("e1") == (89.5, 44.5)
    assert GRID.centre("a5") == (9.5, 4.5)
    downs = [GRID.centre(f"c{row}")[1] for row in range(1, 6)]
    assert downs == sorted(downs, reverse=True)
    rights = [GRID.centre(f"{column}3")[0] for column in "abcde"]
    assert rights == sorted(rights)


def test_a_tile_s_centre_lies_in_it():
    assert [GRID.tile_of(GRID.centre(name)) for name in GRID.names] == list(GRID.names)
    assert len(set(GRID.names)) == 25


@given(st.sampled_from(GRID.names), st.integers(0, 99))
def test_a_random_point_of_a_tile_lies_in_it_and_repeats_with_its_seed(name, seed):
    one = GRID.random_point(name, np.random.default_rng(seed))
    assert GRID.tile_of(one) == name
    assert one == GRID.random_point(name, np.random.default_rng(seed))


def test_other_tiles_and_pixels_are_refused():
    for name in ("a0", "a6", "f1", "1a", "a11", ""):
        with pytest.raises(ValueError, match=f"there is no tile '{name}'; tiles are a1 to e5, row 1 at the bottom"):
            GRID.centre(name)
    with pytest.raises(ValueError, match="outside the picture of 100 x 50 px"):
        GRID.tile_of((100.0, 3.0))
    with pytest.raises(ValueError, match="positive size"):
        Grid(width=0, height=5)


def test_key_points_are_drawn_in_their_colour_where_they_are():
    marked = draw_marks(
        BLACK,
        key_points=[KeyPoint(label="P[1]", pixel=(100.0, 60.0)), KeyPoint(label="Q[1]", pixel=(400.0, 300.0))],
        grid=False,
    )
    assert marked[:, 60, 100].tolist() == [215, 25, 28]
    assert marked[:, 300, 400].tolist() == [33, 102, 214]
    assert int(marked[:, 200, 200].sum()) == 0


def test_the_grid_s_lines_are_drawn_between_the_tiles():
    marked = draw_marks(BLACK)
    for right in (128, 256, 384, 512):
        assert marked[:, 20, right].tolist() == [255, 255, 255]
    assert int(marked[:, 40, 60].sum()) == 0


def test_height_lines_are_drawn_from_end_to_end():
    line = HeightLine(label="h1", height=0.1, ends=np.array([[0.0, 100.0], [639.0, 100.0]]))
    marked = draw_marks(BLACK, grid=False, lines=[line])
    assert marked[:, 100, 320].tolist() == [255, 210, 0]


def test_small_pictures_are_enlarged_with_their_marks_and_given_ones_stay_as_they_were():
    small = torch.zeros(3, 48, 64, dtype=torch.uint8)
    marked = draw_marks(small, key_points=[KeyPoint(label="P[1]", pixel=(10.0, 6.0))], grid=False)
    assert tuple(marked.shape) == (3, 480, 640)
    assert marked[:, 65, 105].tolist() == [215, 25, 28]  # pixel centres: 10·(10 + ½) − ½ = 104.5
    assert int(small.sum()) == 0
