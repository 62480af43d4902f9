import json

import numpy as np
import pytest
from lerobot_data import moving_square, read_video, write_video

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_copy import CopyableSource, write_lerobot_v3
from robo_reward.episodes.robo_dopamine import RoboDopamineEpisodes
from robo_reward.errors import DataSetError

HIGH, LEFT = "observation.images.cam_high", "observation.images.cam_left_wrist"


@pytest.fixture
def recordings(tmp_path):
    root = tmp_path / "raw"
    for number, length in ((1, 12), (2, 8)):
        folder = root / f"episode_{number:03d}"
        folder.mkdir(parents=True)
        for k, name in enumerate(("cam_high", "cam_left_wrist")):
            write_video(folder / f"{name}.mp4", moving_square(length, seed=10 * number + k))
        spans = [{"anotation": f"subtask{k}", "start_frame_id": 2 + 3 * k, "end_frame_id": 5 + 3 * k} for k in (0, 1)]
        (folder / "annotated_keyframes.json").write_text(json.dumps(spans))
    (root / "task_instruction.json").write_text(json.dumps(["clear the table", "tidy up"]))
    return root


def test_recordings_are_episodes_with_the_first_instruction_and_the_sub_task_of_each_frame(recordings):
    source = RoboDopamineEpisodes(recordings)
    assert isinstance(source, CopyableSource)
    assert [(e.index, e.num_frames, e.instruction) for e in source.episodes] == [
        (0, 12, "clear the table"),
        (1, 8, "clear the table"),
    ]
    assert source.episodes[0].cameras == (HIGH, LEFT)
    assert source.episodes[0].success is None
    keyframe = source.columns(source.episodes[0], ["keyframe"])["keyframe"]
    assert keyframe.tolist() == [-1, -1, 0, 0, 0, 1, 1, 1, -1, -1, -1, -1]


def test_pictures_are_those_of_the_videos(recordings):
    source = RoboDopamineEpisodes(recordings, cameras=[LEFT], select=[1])
    frames = np.concatenate([c.views[LEFT][0].numpy() for c in source.clips(source.episodes[0], num_frames=3)])
    np.testing.assert_array_equal(frames, read_video(recordings / "episode_002/cam_left_wrist.mp4"))


def test_converted_they_are_the_same_episodes(recordings, tmp_path):
    source = RoboDopamineEpisodes(recordings, cameras=[LEFT])
    write_lerobot_v3(tmp_path / "v3", source, extra_features={}, extra_columns=lambda _: {})
    again = LeRobotEpisodes(tmp_path / "v3", cameras=[LEFT])
    assert HIGH in again.features
    for old, new in zip(source.episodes, again.episodes, strict=True):
        assert (old.stamp == new.stamp).all()
        assert source.fingerprint(old, LEFT) == again.fingerprint(new, LEFT)
        for name, values in source.columns(old, source.column_names).items():
            np.testing.assert_array_equal(again.columns(new, [name])[name], values, err_msg=name)
        for a, b in zip(source.clips(old, num_frames=5), again.clips(new, num_frames=5), strict=True):
            np.testing.assert_array_equal(a.views[LEFT], b.views[LEFT])


def test_real_recordings_have_the_frames_that_their_source_says(shared_data):
    source = RoboDopamineEpisodes(shared_data / "episodes/robo_dopamine/dataset/example_raw_data")
    assert [e.num_frames for e in source.episodes] == [1277, 1715]
    assert source.fps == 30
    assert len(source.episodes[0].cameras) == 3
    keyframe = source.columns(source.episodes[0], ["keyframe"])["keyframe"]
    assert keyframe.max() == 15
    assert np.flatnonzero(keyframe >= 0)[[0, -1]].tolist() == [8, 1262]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "task_instruction.json").unlink(), "task_instruction.json: the file is missing"),
        (lambda f: (f / "task_instruction.json").write_text("[]"), "must hold a JSON list of instructions, found"),
        (lambda f: (f / "task_instruction.json").write_text("["), "task_instruction.json: no valid JSON"),
        (
            lambda f: (f / "episode_001/annotated_keyframes.json").write_text('[{"a": 1}]'),
            "must list objects with start",
        ),
        (lambda f: (f / "episode_002/cam_high.mp4").unlink(), r"episode_002: must hold the videos .*cam_high"),
        (lambda f: (f / "episode_002/cam_high.mp4").write_bytes(b"x"), "cam_high.mp4: no readable video"),
        (
            lambda f: write_video(f / "episode_002/cam_high.mp4", moving_square(9)),
            r"episode_002: cameras must have equally many frames, found .*: 9",
        ),
    ],
)
def test_what_is_wrong_is_said(recordings, spoil, message):
    spoil(recordings)
    with pytest.raises(DataSetError, match=message):
        RoboDopamineEpisodes(recordings)


def test_unknown_names_are_answered_with_those_there_are(recordings, tmp_path):
    with pytest.raises(DataSetError, match=rf"no camera cam_high; available: {HIGH}, {LEFT}"):
        RoboDopamineEpisodes(recordings, cameras=["cam_high"])
    with pytest.raises(DataSetError, match=r"no episode \[5\]; allowed: 0 to 1"):
        RoboDopamineEpisodes(recordings, select=[5])
    with pytest.raises(DataSetError, match=r"the data set is empty: no folder episode_"):
        RoboDopamineEpisodes(tmp_path / "nowhere")
    source = RoboDopamineEpisodes(recordings)
    with pytest.raises(DataSetError, match="no column action; available: keyframe, timestamp"):
        source.columns(source.episodes[0], ["action"])
