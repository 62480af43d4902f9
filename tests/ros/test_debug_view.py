"""The picture for people."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from robo_reward_ros.answer import Answer, Status
from robo_reward_ros.debug_drawing import drawn
from robo_reward_ros.debug_view import DebugView
from robo_reward_ros.key_points import KeyPointsSeen, PicturePoint
from robo_reward_ros.picture_decoding import Seen
from ros_pictures import until

from robo_reward.evaluation.overlay import CAMERA_HEIGHT
from robo_reward.evaluation.overlay_panel import HEADER_HEIGHT, PANEL_HEIGHT

MIDDLE = HEADER_HEIGHT + CAMERA_HEIGHT // 2


def answers(count: int, *, episode: int = 0) -> list[Answer]:
    return [
        Answer(
            status=Status.OK,
            reward=0.1,
            potential=0.5,
            task_reward=0.0,
            progress=t / count,
            spread=0.1,
            stamp_ns=10**9 + t * 10**8,
            views=("front", "wrist"),
            episode=episode,
        )
        for t in range(count)
    ]


def seen(answer: Answer) -> Seen:
    grey = torch.full((3, 448, 600), 90, dtype=torch.uint8)
    return Seen(pictures=SimpleNamespace(), views={"front": grey, "wrist": None}, answer=answer)


def look(count: int, marks=None) -> np.ndarray:
    told = answers(count)
    jpeg, stamp = drawn(SimpleNamespace(seen=seen(told[-1]), marks=marks, answers=tuple(told)))
    assert stamp == told[-1].stamp_ns
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


@pytest.mark.parametrize("count", [1, 2, 1400])
def test_cameras_stand_side_by_side_above_the_curve_and_an_absent_one_is_black(count):
    picture = look(count)
    assert picture.shape == (HEADER_HEIGHT + CAMERA_HEIGHT + PANEL_HEIGHT, 300 + CAMERA_HEIGHT, 3)
    assert abs(picture[MIDDLE, 150] - 90).max() < 6
    assert picture[MIDDLE, 300 + CAMERA_HEIGHT // 2].max() < 6


def test_key_points_are_marked_where_they_are_and_lost_ones_are_not():
    there = PicturePoint(id="a", pixel=np.array([200.0, 224.0]))
    lost = PicturePoint(id="b", pixel=np.full(2, np.nan))
    picture = look(5, KeyPointsSeen(views={"front": [there, lost]}, points=()))
    different = abs(picture[HEADER_HEIGHT:-PANEL_HEIGHT, :300] - 90).max(axis=2) > 60
    rows, columns = np.nonzero(different)
    assert abs(rows.mean() - 112) < 1
    assert abs(columns.mean() - 100) < 1


def test_it_draws_while_somebody_looks_at_its_rate_and_begins_anew_with_each_episode():
    made, wanted = [], [False]
    view = DebugView(lambda jpeg, stamp: made.append(stamp), wanted=lambda: wanted[0], rate=1.0)
    for answer in answers(3):
        view.see(seen(answer), None)
    assert view._due == 0.0
    wanted[0] = True
    for answer in answers(3, episode=1):
        view.see(seen(answer), None)
    until(lambda: made, seconds=20)
    view.close()
    assert made == [10**9]
    assert [each.episode for each in view._answers] == [1, 1, 1]
