from dataclasses import replace

import numpy as np
import pytest
from board_scenes import rig_of, rig_views

from robo_reward.calibration.chosen_views import BoardViews
from robo_reward.calibration.moments import moments_by_name, moments_by_stamp, one_moment, read_frame_stamps
from robo_reward.errors import DataSetError

CORNERS = rig_views(rig_of(2), np.random.default_rng(0), moments=1, noise=0.0)[0].corners


def seen(stamps: list[float], names: list[str] | None = None) -> BoardViews:
    names = names or [f"frame {place}" for place in range(len(stamps))]
    return BoardViews(
        views=tuple(replace(CORNERS, picture=name) for name in names),
        stamps=np.array(stamps, np.float64),
        places=np.arange(len(stamps)),
        rejected=(),
    )


def test_pictures_of_one_name_are_one_moment():
    views = moments_by_name({"left": seen([0, 1], ["a.png", "b.png"]), "right": seen([0, 1], ["b.png", "c.png"])})
    assert [(view.camera, view.moment) for view in views] == [("left", "b.png"), ("right", "b.png")]


def test_pictures_near_in_time_are_one_moment():
    views = moments_by_stamp({"left": seen([0.0, 1.0, 2.0]), "right": seen([0.004, 1.02, 2.009, 3.0])}, tolerance=0.01)
    assert [(v.camera, v.moment, v.corners.picture) for v in views] == [
        ("left", "frame 0", "frame 0"),
        ("right", "frame 0", "frame 0"),
        ("left", "frame 2", "frame 2"),
        ("right", "frame 2", "frame 2"),
    ]
    assert moments_by_stamp({"left": seen([]), "right": seen([])}, tolerance=0.01) == []
    with pytest.raises(ValueError, match="tolerance must be > 0 s, got 0"):
        moments_by_stamp({}, tolerance=0.0)


def test_a_board_that_lies_still_is_one_moment_for_all_pictures():
    views = one_moment({"left": seen([0.0, 1.0]), "right": seen([0.0])})
    assert {view.moment for view in views} == {"now"}
    assert len(views) == 3


def test_stamps_of_a_table_replace_those_of_a_video(tmp_path):
    file = tmp_path / "timestamps.csv"
    file.write_text("sync_index,cam_id,frame_time\n0,0,7.5\n0,1,7.6\n1,1,8.6\n1,0,8.5\n")
    table = read_frame_stamps(file)
    assert table.put_on("0", seen([0.0, 0.1])).stamps.tolist() == [7.5, 8.5]
    assert table.put_on("1", seen([0.0, 0.1])).stamps.tolist() == [7.6, 8.6]
    with pytest.raises(DataSetError, match="the stamps have no camera '2'; there are 0, 1"):
        table.put_on("2", seen([0.0]))
    with pytest.raises(DataSetError, match="camera 0: 2 stamps, but frame 2 shows the board"):
        table.put_on("0", seen([0.0, 0.1, 0.2]))


def test_a_table_without_its_columns_is_refused(tmp_path):
    file = tmp_path / "stamps.csv"
    file.write_text("camera,time\nleft,1\n")
    with pytest.raises(DataSetError, match=r"columns camera and stamp are needed, got \['camera', 'time'\]"):
        read_frame_stamps(file)
    file.write_text("camera,stamp\nleft,now\n")
    with pytest.raises(DataSetError, match="a stamp is no number"):
        read_frame_stamps(file)
