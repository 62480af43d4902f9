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
    IMAGE_TYPE,
    WRIST,
    columns,
    edit_json,
    edit_parquet,
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


@pytest.fixture(scope="session")
def v3(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp("v3") / "squares", success={0: True, 2: False})


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


DATA = "data/chunk-000/episode_000001.parquet"
FILM = f"videos/chunk-000/{FRONT}/episode_000001.mp4"
LATE = np.array([0, 0.1, 0.2, 0.2, 0.4, 0.5, 0.6], np.float32)
HOLE = np.where(np.arange(7) == 3, np.nan, np.arange(7) / 10).astype(np.float32)
STATE = [[0.0, 1.0, 2.0]] * 5 + [[0.0, float("nan"), 2.0]] + [[0.0, 1.0, 2.0]]


def drop_line(path):
    path.write_text(path.read_text() + "{broken\n")


FAULTS = {
    "no data set": (
        lambda f: (f / "meta/info.json").unlink(),
        r"meta/info.json: the file is missing; a LeRobot data set has one",
    ),
    "unknown version": (
        lambda f: edit_json(f / "meta/info.json", codebase_version="v1.6"),
        r"info.json: codebase_version is 'v1.6'; allowed: v2.0, v2.1, v3.0",
    ),
    "broken json": (
        lambda f: (f / "meta/info.json").write_text('{"fps": '),
        r"info.json: no valid JSON \(Expecting value",
    ),
    "broken line": (lambda f: drop_line(f / "meta/episodes.jsonl"), r"episodes.jsonl: line 3 is no valid JSON"),
    "no list of episodes": (lambda f: (f / "meta/episodes.jsonl").unlink(), r"episodes.jsonl: the file is missing"),
    "empty": (lambda f: (f / "meta/episodes.jsonl").write_text(""), r"the data set is empty: meta/ lists no episode"),
    "fps": (lambda f: edit_json(f / "meta/info.json", fps=0), r"info.json: fps must be a positive number, found 0"),
    "missing video": (lambda f: (f / FILM).unlink(), r"1 of 2 episodes lack files: 1; .*episode_000001.mp4"),
    "missing rows": (lambda f: (f / DATA).unlink(), r"1 of 2 episodes lack files: 1; .*episode_000001.parquet"),
    "truncated rows": (
        lambda f: (f / DATA).write_bytes((f / DATA).read_bytes()[:-30]),
        r"episode_000001.parquet: no readable parquet file, perhaps truncated",
    ),
    "NaN": (
        lambda f: edit_parquet(f / DATA, observation__state=pa.array(STATE, pa.list_(pa.float32()))),
        r"episode_000001.parquet: column 'observation.state' is NaN in row 5 of episode 1; allowed in reward",
    ),
    "no value": (
        lambda f: edit_parquet(f / DATA, frame_index=pa.array([0, 1, None, 3, 4, 5, 6], pa.int64())),
        r"episode_000001.parquet: column 'frame_index' has no value in row 2 of episode 1",
    ),
    "wrong shape": (
        lambda f: edit_parquet(f / DATA, observation__state=pa.array([[1.0, 2.0]] * 7, pa.list_(pa.float32()))),
        r"column 'observation.state' of episode 1 is list<.*, not float32 of shape \[3\] as meta/info.json declares",
    ),
    "wrong type": (
        lambda f: edit_parquet(f / DATA, task_index=pa.array(["a"] * 7)),
        r"column 'task_index' of episode 1 is string, not int64 of shape \[1\]",
    ),
    "declared but absent": (
        lambda f: edit_parquet(f / DATA, observation__state=None),
        r"episode_000001.parquet: lacks the columns observation.state declared in meta/info.json; it has timestamp",
    ),
    "stamps stand still": (
        lambda f: edit_parquet(f / DATA, timestamp=pa.array(LATE)),
        r"timestamp must be finite and strictly increasing; row 3 of episode 1 is 0.2 s after 0.2 s",
    ),
    "a hole in the stamps": (
        lambda f: edit_parquet(f / DATA, timestamp=pa.array(HOLE)),
        r"column 'timestamp' is NaN in row 3 of episode 1",
    ),
    "other length": (
        lambda f: edit_lines(f / "meta/episodes.jsonl", length=9),
        r"episode_000000.parquet: holds 12 rows of episode 0; meta/ lists 9",
    ),
    "unknown task": (
        lambda f: (f / "meta/tasks.jsonl").write_text('{"task_index": 0, "task": "a"}\n'),
        r"episode_000001.parquet: task_index 1 is not in meta/tasks; known: \[0\]",
    ),
    "odd feature": (
        lambda f: edit_json(f / "meta/info.json", features={"a": {"dtype": "float128", "shape": [1]}}),
        r"info.json: feature 'a' is not understood: unknown dtype 'float128'; allowed: video, image, bool",
    ),
    "no camera": (
        lambda f: edit_json(f / "meta/info.json", features={"a": {"dtype": "int64", "shape": [1]}}),
        r"no camera among the features a",
    ),
}


def edit_lines(path, **replaced):
    rows = [json.loads(line) | replaced for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_said_when_the_data_set_is_opened(tmp_path, name):
    spoil, message = FAULTS[name]
    folder = write_v2_data_set(tmp_path / "v2")
    spoil(folder)
    with pytest.raises(DataSetError, match=message):
        LeRobotEpisodes(folder)


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


@pytest.mark.parametrize("others", [6, 8])
def test_video_and_rows_of_different_length_are_told(tmp_path, others):
    folder = write_v2_data_set(tmp_path / "v2")
    other = write_v2_data_set(tmp_path / "other", lengths=(12, others))
    (folder / FILM).write_bytes((other / FILM).read_bytes())
    source = LeRobotEpisodes(folder)
    with pytest.raises(
        DataSetError, match=rf"episode_000001.mp4: the video holds {others} frames of episode 1, .* has 7 rows"
    ):
        next(iter(source.clips(source.episodes[1], num_frames=4)))


def test_a_truncated_video_is_told(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2")
    (folder / FILM).write_bytes((folder / FILM).read_bytes()[:-300])
    source = LeRobotEpisodes(folder)
    with pytest.raises(DataSetError, match=r"episode_000001.mp4: no readable video, perhaps truncated"):
        next(iter(source.clips(source.episodes[1], num_frames=4)))


def test_a_v3_span_of_another_length_is_told(v3, tmp_path):

    folder = tmp_path / "v3"
    shutil.copytree(v3, folder)
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    ends = pq.read_table(path)[f"videos/{FRONT}/to_timestamp"].to_numpy()
    edit_parquet(path, **{f"videos/{FRONT}/to_timestamp".replace(".", "__"): pa.array(ends + np.array([0, 0.2, 0]))})
    source = LeRobotEpisodes(folder)
    with pytest.raises(DataSetError, match=r"file-000.mp4: the video holds 9 frames of episode 1, .* has 7 rows"):
        next(iter(source.clips(source.episodes[1], num_frames=4)))


def test_a_v3_list_without_a_needed_column_is_told(v3, tmp_path):

    folder = tmp_path / "v3"
    shutil.copytree(v3, folder)
    edit_parquet(folder / "meta/episodes/chunk-000/file-000.parquet", length=None)
    with pytest.raises(DataSetError, match=r"file-000.parquet: lacks the columns length"):
        LeRobotEpisodes(folder)


def test_a_picture_that_is_none_is_told(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2", kind="image")
    rows = [{"bytes": b"no picture", "path": None}] * 7
    edit_parquet(folder / DATA, **{FRONT.replace(".", "__"): pa.array(rows, IMAGE_TYPE)})
    source = LeRobotEpisodes(folder)
    with pytest.raises(DataSetError, match=rf"camera '{FRONT}' of episode 1: a picture cannot be decoded"):
        next(iter(source.clips(source.episodes[1], num_frames=4)))


def test_unknown_names_are_answered_with_those_there_are(v3):
    with pytest.raises(DataSetError, match=rf"no camera front; available: {FRONT}, {WRIST}"):
        LeRobotEpisodes(v3, cameras=["front"])
    with pytest.raises(DataSetError, match=r"no episode 3, 7; the data set lists 0-2"):
        LeRobotEpisodes(v3, select=[1, 3, 7])
    with pytest.raises(ValueError, match=r"select must name at least one episode, each once, got \[1, 1\]"):
        LeRobotEpisodes(v3, select=[1, 1])
    with pytest.raises(DataSetError, match=r"cameras must name each camera once, got \[\]"):
        LeRobotEpisodes(v3, cameras=[])
    with pytest.raises(DataSetError, match=r"no column 'won' to tell success; scalar columns: next.success"):
        LeRobotEpisodes(v3, success_column="won")
    source = LeRobotEpisodes(v3)
    with pytest.raises(DataSetError, match=r"no column truth; available: observation.state"):
        source.columns(source.episodes[0], ["truth"])
    with pytest.raises(ValueError, match="num_frames must be at least 1, got 0"):
        next(iter(source.clips(source.episodes[0], num_frames=0)))


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


def test_a_declared_camera_that_was_never_filmed_is_told_with_those_that_were(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2")
    declared = json.loads((folder / "meta/info.json").read_text())["features"]
    edit_json(folder / "meta/info.json", features={WRIST: declared[FRONT], **declared})
    message = rf"camera {WRIST} is declared in meta/info.json, but none of its videos is there; .*cameras=\[{FRONT}\]"
    with pytest.raises(DataSetError, match=message):
        LeRobotEpisodes(folder)
    assert WRIST not in LeRobotEpisodes(folder, cameras=[FRONT]).features
