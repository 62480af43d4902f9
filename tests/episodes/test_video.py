from pathlib import Path

import numpy as np
import pytest
from lerobot_data import moving_square, read_video, write_video

from robo_reward.episodes.video import decode, decode_at, video_facts, video_fingerprint
from robo_reward.episodes.video_encoder import VideoEncoder
from robo_reward.errors import DataSetError

FPS = 10.0


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """30 frames, every one different, with B-frames and a key frame at each fifth."""
    path = tmp_path / "film.mp4"
    write_video(path, moving_square(30, size=(64, 64)))
    return path


def frames_of(path: Path, seconds: np.ndarray, num_frames: int = 7, tolerance: float = 0.05) -> np.ndarray:
    chunks = list(decode(path, seconds, tolerance=tolerance, num_frames=num_frames))
    assert [len(chunk) for chunk in chunks[:-1]] == [num_frames] * (len(chunks) - 1)
    return np.concatenate(chunks).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("num_frames", [1, 7, 30, 100])
def test_chunks_put_together_are_the_whole_film_as_another_decoder_sees_it(video, num_frames):
    np.testing.assert_array_equal(frames_of(video, np.arange(30) / FPS, num_frames), read_video(video))


@pytest.mark.parametrize("first", range(30))
def test_reading_from_any_frame_gives_that_frame(video, first):
    last = min(first + 4, 30)
    np.testing.assert_array_equal(frames_of(video, np.arange(first, last) / FPS), read_video(video)[first:last])


def test_stamps_may_be_off_by_less_than_half_a_frame_and_no_more(video):
    jitter = 0.04 * (-1.0) ** np.arange(30)
    np.testing.assert_array_equal(frames_of(video, np.arange(30) / FPS + jitter), read_video(video))
    late = np.arange(10, 20) / FPS
    late[4] += 0.06
    with pytest.raises(
        DataSetError, match=r"film.mp4: frame 4 of the episode is stamped 1.46.* next frame is shown at 1.4"
    ):
        frames_of(video, late)


def test_frames_of_the_file_are_never_skipped(video):
    with pytest.raises(DataSetError, match=r"frame 1 of the episode is stamped 0.200000 s.*shown at 0.100000 s"):
        frames_of(video, np.arange(0, 30, 2) / FPS)


def test_a_film_that_ends_early_says_after_how_many_frames(video):
    with pytest.raises(DataSetError, match=r"film.mp4: the video ends after 30 of the 34 frames of the episode"):
        frames_of(video, np.arange(34) / FPS)


def test_only_asked_for_rows_are_given_by_decode_at(video):
    given = np.stack(list(decode_at(video, np.arange(5, 25) / FPS, [0, 3, 19], tolerance=0.05)))
    np.testing.assert_array_equal(given.transpose(0, 3, 1, 2), read_video(video)[[5, 8, 24]])


def test_facts_count_frames_without_decoding(video):
    facts = video_facts(video)
    assert (facts.num_frames, facts.fps, facts.height, facts.width) == (30, 10.0, 64, 64)
    assert (facts.codec, facts.pixel_format) == ("h264", "yuv420p")


def test_a_missing_film_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"nowhere.mp4: the video is missing"):
        frames_of(tmp_path / "nowhere.mp4", np.arange(3) / FPS)


def test_a_truncated_film_is_named(video):
    video.write_bytes(video.read_bytes()[:-400])
    with pytest.raises(DataSetError, match=r"film.mp4: no readable video, perhaps truncated"):
        video_facts(video)


def test_a_fingerprint_tells_bytes_and_range_apart(video, tmp_path):
    copy, other = tmp_path / "copy.mp4", tmp_path / "other.mp4"
    copy.write_bytes(video.read_bytes())
    write_video(other, moving_square(30, size=(64, 64), seed=1))
    known = video_fingerprint(video, first=0, num_frames=30)
    assert known == video_fingerprint(copy, first=0, num_frames=30)
    others = [(other, 0, 30), (video, 1, 30), (video, 0, 29)]
    assert len({known, *(video_fingerprint(p, first=f, num_frames=n) for p, f, n in others)}) == 4


def test_the_encoder_gives_equal_bytes_for_equal_frames_and_marks_where_episodes_begin(tmp_path):
    frames = moving_square(24, size=(64, 64)).transpose(0, 2, 3, 1)
    for name in ("one.mp4", "two.mp4"):
        encoder = VideoEncoder(tmp_path / name, (64, 64), fps=12.5, crf=20, key_frame_every=10)
        for number, frame in enumerate(frames):
            encoder.add(frame, key_frame=number == 13)
        encoder.close()
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    import av

    with av.open(str(tmp_path / "one.mp4")) as container:
        keys = [k for k, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    assert keys == [0, 10, 13, 23]
    back = frames_of(tmp_path / "one.mp4", np.arange(24) / 12.5, tolerance=0.04).transpose(0, 2, 3, 1)
    assert np.abs(back.astype(int) - frames).mean() < 4
