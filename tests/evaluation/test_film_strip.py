import base64
import io

import numpy as np
import pytest
import torch
from green_episodes import recordings
from PIL import Image

from robo_reward.evaluation.curves import HEIGHT, WIDTH, episode_curves
from robo_reward.evaluation.film_strip import FilmStrip
from robo_reward.evaluation.recording import read_recording


def picture(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("chunk", [1, 5, 100])
def test_a_strip_shows_the_middle_of_each_part_in_order_however_it_is_chunked(chunk):
    source = recordings()
    episode = source.episodes[0]
    strip = FilmStrip(episode, num_pictures=4, width=400)
    for clip in source.clips(episode, num_frames=chunk):
        strip.add(clip)
    pictures = {camera: picture(uri) for camera, uri in strip.data_uris().items()}
    assert pictures["front"].shape == (100, 400, 3)
    assert pictures["wrist"].shape[0] == round(100 * 32 / 24)
    shown = [pictures["front"][50, x, 1] for x in (50, 150, 250, 350)]
    assert shown == pytest.approx([255 * row / 23 for row in (3, 9, 15, 21)], abs=4)


def test_an_episode_shorter_than_its_strip_repeats_frames():
    source = recordings(time=2)
    strip = FilmStrip(source.episodes[0], num_pictures=8, width=80)
    for clip in source.clips(source.episodes[0], num_frames=1):
        strip.add(clip)
    assert picture(strip.data_uris()["front"]).shape == (10, 80, 3)


def test_a_strip_without_pictures_is_refused():
    with pytest.raises(ValueError, match="needs at least 1 picture of 1 px, got 0 in 768 px"):
        FilmStrip(recordings().episodes[0], num_pictures=0)


def points(path: str) -> list[tuple[float, float]]:
    return [tuple(map(float, point.split())) for point in path.removeprefix("M").split("L")]


def test_a_curve_lies_over_its_strip_and_rises_with_progress():
    source = recordings()
    curves = episode_curves(read_recording(source, source.episodes[0]))
    drawn = points(curves.progress)
    assert len(drawn) == 24
    assert drawn[0] == (round(0.5 / 24 * WIDTH, 1), HEIGHT)
    assert drawn[-1] == (round(23.5 / 24 * WIDTH, 1), 0)
    assert curves.success == [round(23 / 24 * WIDTH, 2)]
    assert len(points(curves.shaped)) == 23  # the last transition was cut, its reward is unknown


def test_a_gap_is_not_bridged():
    source = recordings()
    source.data[0]["reward.progress"][5:9] = np.nan
    curves = episode_curves(read_recording(source, source.episodes[0]))
    assert curves.progress.count("M") == 2
    assert len(curves.abstained) == 4


def test_a_long_episode_is_drawn_with_fewer_points():
    source = recordings(tasks=("make it green",), per_task=1, time=5000)
    source.data[0]["reward.potential"] = torch.ones(5000).double().numpy()
    curves = episode_curves(read_recording(source, source.episodes[0]))
    assert len(points(curves.progress)) == 200
    assert curves.potential_range == (0.5, 1.5)
