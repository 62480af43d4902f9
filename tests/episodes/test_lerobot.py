"""LeRobot data sets of every version, read."""

import io
import json
import shutil
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from lerobot_data import (
    FPS,
    FRONT,
    WRIST,
    columns,
    edit_json,
    moving_square,
    png,
    read_video,
    write_data_set,
    write_v2_data_set,
)
from PIL import Image

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_copy import CopyableSource
from robo_reward.episodes.source import EpisodeSource
from robo_reward.errors import DataSetError


def pictures(source, episode, camera, num_frames=5):
    clips = list(source.clips(episode, num_frames=num_frames))
    assert torch.equal(torch.cat([clip.stamp[0] for clip in clips]), episode.stamp)
    assert all(clip.cameras == episode.cameras and bool(clip.present.all()) for clip in clips)
    assert max(clip.stamp.shape[1] for clip in clips) <= num_frames
    return torch.cat([clip.views[camera][0] for clip in clips]).numpy()


def test_it_is_a_source_that_can_be_copied(v3):
    assert isinstance(LeRobotEpisodes(v3), EpisodeSource)
    assert isinstance(LeRobotEpisodes(v3), CopyableSource)


def test_facts_of_every_episode_of_a_v3_data_set(v3):
    source = LeRobotEpisodes(v3)
    assert source.fps == FPS
    assert [e.num_frames for e in source.episodes] == [12, 7, 9]
    assert [e.instruction for e in source.episodes] == ["push the square", "pull the square", "push the square"]
    assert [e.terminated for e in source.episodes] == [True, False, False]
    assert [int(e.success.sum()) for e in source.episodes] == [1, 0, 0]
    assert source.episodes[0].cameras == (FRONT, WRIST)
    np.testing.assert_allclose(source.episodes[1].stamp, np.arange(7) / FPS, atol=1e-6)


@pytest.mark.parametrize("num_frames", [1, 5, 64])
def test_pictures_of_a_shared_v3_file_are_those_of_the_episode(v3, num_frames):
    source = LeRobotEpisodes(v3)
    whole = read_video(v3 / f"videos/{WRIST}/chunk-000/file-000.mp4")
    assert len(whole) == 28
    for episode, first in zip(source.episodes, (0, 12, 19), strict=True):
        given = pictures(source, episode, WRIST, num_frames)
        np.testing.assert_array_equal(given, whole[first : first + episode.num_frames])
    assert np.abs(given.astype(int) - moving_square(9, seed=21)).mean() < 4


def test_columns_are_read_back_as_written(v3):
    source = LeRobotEpisodes(v3)
    for episode in source.episodes:
        written = columns(episode.num_frames, seed=episode.index)
        read = source.columns(episode, ["action", "observation.state", "frame_index", "next.truncated"])
        np.testing.assert_array_equal(read["action"], written["action"])
        np.testing.assert_array_equal(read["observation.state"], written["observation.state"])
        np.testing.assert_array_equal(read["frame_index"], np.arange(episode.num_frames))
        assert read["next.truncated"].dtype == bool


def test_cameras_and_episodes_can_be_chosen(v3):
    source = LeRobotEpisodes(v3, cameras=[WRIST], select=[2, 0])
    assert [e.index for e in source.episodes] == [0, 2]
    assert source.episodes[0].cameras == (WRIST,)
    assert FRONT in source.features


@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_version_2_is_read_like_version_3(tmp_path, version):
    folder = write_v2_data_set(tmp_path / "v2", version=version)
    source = LeRobotEpisodes(folder)
    assert [e.instruction for e in source.episodes] == ["push the square", "pull the square"]
    assert source.episodes[0].success is None
    assert not source.episodes[0].terminated
    for episode in source.episodes:
        film = read_video(folder / f"videos/chunk-000/{FRONT}/episode_{episode.index:06d}.mp4")
        np.testing.assert_array_equal(pictures(source, episode, FRONT), film)


def test_version_2_stamps_count_from_the_first_row(tmp_path):
    source = LeRobotEpisodes(write_v2_data_set(tmp_path / "v2", first_stamp=0.1))
    np.testing.assert_allclose(source.episodes[0].stamp, np.arange(12) / FPS, atol=1e-6)
    assert len(pictures(source, source.episodes[0], FRONT)) == 12


def test_a_template_that_writes_the_episode_for_the_chunk_is_understood(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2")
    data = "data/chunk-{episode_index:03d}/episode_{episode_index:06d}.parquet"
    edit_json(folder / "meta/info.json", data_path=data)
    assert len(LeRobotEpisodes(folder).episodes) == 2


def test_pictures_inside_parquet_are_read(tmp_path):
    source = LeRobotEpisodes(write_v2_data_set(tmp_path / "v2", kind="image"))
    for episode in source.episodes:
        np.testing.assert_array_equal(
            pictures(source, episode, FRONT), moving_square(episode.num_frames, seed=10 * episode.index)
        )
    first, second = (source.fingerprint(episode, FRONT) for episode in source.episodes)
    assert first != second


def test_success_may_be_told_by_another_column(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2")
    declared = json.loads((folder / "meta/info.json").read_text())["features"]
    declared["reached"] = {"dtype": "int64", "shape": [1], "names": None}
    edit_json(folder / "meta/info.json", features=declared)
    for index, length in enumerate((12, 7)):
        path = folder / f"data/chunk-000/episode_{index:06d}.parquet"

        reached = pa.array((np.arange(length) >= 10).astype(np.int64))
        pq.write_table(pq.read_table(path).append_column("reached", reached), path)
    episodes = LeRobotEpisodes(folder, success_column="reached").episodes
    assert [int(e.success.sum()) for e in episodes] == [2, 0]
    assert [e.terminated for e in episodes] == [True, False]
    with pytest.raises(DataSetError, match=r"column 'frame_index' must hold 0 and 1 only"):
        LeRobotEpisodes(folder, success_column="frame_index")


def test_only_present_episodes_can_be_used_when_asked_for(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2", lengths=(4, 4, 4, 4))
    for index in (0, 2):
        (folder / f"videos/chunk-000/{FRONT}/episode_{index:06d}.mp4").unlink()
    with pytest.raises(
        DataSetError,
        match=r"2 of 4 episodes lack files: 0, 2; the first missing one is .*episode_000000.mp4; use those that are "
        r"there with episodes.select=\[1,3\] or episodes.select=present",
    ):
        LeRobotEpisodes(folder)
    assert [e.index for e in LeRobotEpisodes(folder, select="present").episodes] == [1, 3]
    with pytest.raises(DataSetError, match=r"1 of 2 episodes lack files: 2"):
        LeRobotEpisodes(folder, select=[2, 3])


def test_nan_is_allowed_where_a_reward_model_may_have_abstained(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2")
    declared = json.loads((folder / "meta/info.json").read_text())["features"]
    names = {"observation.state": "reward.progress"}
    declared["reward.progress"] = declared.pop("observation.state")
    edit_json(folder / "meta/info.json", features=declared)

    for path in sorted((folder / "data/chunk-000").iterdir()):
        table = pq.read_table(path)
        nan = pa.array([[float("nan")] * 3] * len(table), pa.list_(pa.float32()))
        table = table.set_column(0, "observation.state", nan)
        pq.write_table(table.rename_columns([names.get(name, name) for name in table.column_names]), path)
    source = LeRobotEpisodes(folder)
    assert np.isnan(source.columns(source.episodes[0], ["reward.progress"])["reward.progress"]).all()


def test_memory_is_bounded_by_the_chunk_whatever_the_length_of_the_episode(tmp_path):

    folder = write_data_set(tmp_path / "long", lengths=(400,), cameras=(FRONT,))
    source = LeRobotEpisodes(folder)
    clips = source.clips(source.episodes[0], num_frames=8)
    next(clips)
    tracemalloc.start()
    for _ in clips:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * 48 * 64 * 3


def test_png_round_trip_of_the_builder_is_lossless():
    frame = moving_square(1)[0]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(frame)))).transpose(2, 0, 1), frame)


def test_episodes_that_share_a_row_group_are_told_apart(v3, tmp_path):
    folder = tmp_path / "v3"
    shutil.copytree(v3, folder)
    path = folder / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path), path)
    assert pq.ParquetFile(path).num_row_groups == 1
    source = LeRobotEpisodes(folder)
    for episode in source.episodes:
        action = source.columns(episode, ["action"])["action"]
        np.testing.assert_array_equal(action, columns(episode.num_frames, seed=episode.index)["action"])
