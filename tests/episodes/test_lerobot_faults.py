"""What is wrong with a LeRobot data set is said by file, row and remedy."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lerobot_data import (
    FRONT,
    IMAGE_TYPE,
    WRIST,
    edit_json,
    edit_parquet,
    write_v2_data_set,
)

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.errors import DataSetError

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


def test_a_declared_camera_that_was_never_filmed_is_told_with_those_that_were(tmp_path):
    folder = write_v2_data_set(tmp_path / "v2")
    declared = json.loads((folder / "meta/info.json").read_text())["features"]
    edit_json(folder / "meta/info.json", features={WRIST: declared[FRONT], **declared})
    message = rf"camera {WRIST} is declared in meta/info.json, but none of its videos is there; .*cameras=\[{FRONT}\]"
    with pytest.raises(DataSetError, match=message):
        LeRobotEpisodes(folder)
    assert WRIST not in LeRobotEpisodes(folder, cameras=[FRONT]).features
