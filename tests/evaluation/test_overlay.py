import dataclasses

import av
import numpy as np
import pytest
import torch
from green_episodes import ColourFraction, recordings

from robo_reward.errors import OutputError
from robo_reward.evaluation import evaluate
from robo_reward.evaluation.overlay import CAMERA_HEIGHT, overlay_video
from robo_reward.evaluation.overlay_panel import HEADER_HEIGHT, PANEL_HEIGHT, OverlayPanel


@pytest.fixture(scope="module")
def source():
    return recordings(per_task=2)


@pytest.fixture(scope="module")
def episode(source):
    return evaluate(source, ColourFraction).episodes[0]


def film(path, source, episode, clips=None):
    with overlay_video(path, episode, outcome=None, fps=source.fps) as add:
        for clip in clips or source.clips(episode.episode, num_frames=7):
            add(clip)


def test_the_video_has_every_frame_at_the_recorded_rate_and_shows_the_cameras(tmp_path, source, episode):
    film(tmp_path / "o.mp4", source, episode)
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, float(stream.average_rate)) == ("h264", 10.0)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == episode.episode.num_frames
    assert frames[0].shape[0] == HEADER_HEIGHT + CAMERA_HEIGHT + PANEL_HEIGHT
    middle = [frame[HEADER_HEIGHT + CAMERA_HEIGHT // 2, frame.shape[1] // 2, 1] for frame in frames]
    assert np.abs(np.array(middle, int) - np.linspace(0, 255, len(middle))).max() < 12  # it gets greener


def test_the_curve_is_uncovered_from_left_to_right(episode):
    panel = OverlayPanel(episode, width=448, outcome=None)
    drawn = np.zeros((PANEL_HEIGHT, 448, 3), np.uint8)
    blue = []
    for row in range(episode.episode.num_frames):
        panel.draw(drawn, row)
        blue.append(int(((drawn[24:].astype(int)[..., 2] - drawn[24:, :, 0]) > 100).sum()))
    assert blue == sorted(blue)
    assert blue[-1] > 10 * max(1, blue[0])
    panel.draw(drawn, 0)
    assert int(((drawn[24:].astype(int)[..., 2] - drawn[24:, :, 0]) > 100).sum()) == blue[0]


def test_an_episode_with_gaps_or_of_one_frame_is_drawn(episode):
    progress = torch.full_like(episode.recording.progress, torch.nan)
    progress[3], progress[5:8] = 0.5, 0.2
    gaps = dataclasses.replace(episode, recording=dataclasses.replace(episode.recording, progress=progress))
    drawn = np.zeros((PANEL_HEIGHT, 448, 3), np.uint8)
    OverlayPanel(gaps, width=448, outcome="early_stop").draw(drawn, 23)
    assert drawn.any()


def test_nothing_is_left_of_a_video_that_was_not_finished(tmp_path, source, episode):
    clips = list(source.clips(episode.episode, num_frames=7))
    with pytest.raises(ValueError, match="episode 0 has 24 frames, 7 were given to its video"):
        film(tmp_path / "o.mp4", source, episode, clips[:1])
    with (
        pytest.raises(ValueError, match="episode 0 has 24 frames, 0 were given"),
        overlay_video(tmp_path / "o.mp4", episode, outcome=None, fps=10.0),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path, source, episode):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"o\.mp4 cannot be written"):
        film(tmp_path / "file" / "o.mp4", source, episode)
