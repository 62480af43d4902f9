import errno
import hashlib
import json

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_data import FPS, FRONT, WRIST, columns, features, moving_square, read_video, write_data_set

from robo_reward.episodes import lerobot_assembly, lerobot_writer
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter
from robo_reward.errors import OutputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp("written") / "squares")


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def views(length, seed=0, size=(48, 64)):
    return {name: moving_square(length, seed=seed, size=size) for name in (FRONT, WRIST)}


def begin(tmp_path, **settings):
    return LeRobotWriter(tmp_path / "new", features(), **({"fps": FPS, "robot_type": "square"} | settings))


def test_info_says_what_version_3_wants(folder):
    info = json.loads((folder / "meta/info.json").read_text())
    assert info | {"features": None} == {
        "codebase_version": "v3.0",
        "robot_type": "square",
        "total_episodes": 3,
        "total_frames": 28,
        "total_tasks": 2,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 10,
        "splits": {"train": "0:3"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": None,
    }
    assert info["features"][FRONT]["dtype"] == "video"
    assert info["features"][FRONT]["names"] == ["height", "width", "channels"]
    assert info["features"][FRONT]["info"]["video.codec"] == "h264"
    assert info["features"]["timestamp"] == {"dtype": "float32", "shape": [1], "names": None}


def test_rows_are_numbered_through_and_read_back_equal_with_pyarrow(folder):
    table = pq.read_table(folder / "data/chunk-000/file-000.parquet")
    assert table["index"].to_pylist() == list(range(28))
    assert table["episode_index"].to_pylist() == [0] * 12 + [1] * 7 + [2] * 9
    assert table["frame_index"].to_pylist() == [*range(12), *range(7), *range(9)]
    assert table["task_index"].to_pylist() == [0] * 12 + [1] * 7 + [0] * 9
    assert str(table.schema.field("action").type) == "fixed_size_list<element: float>[2]"
    written = np.concatenate([columns(n, seed=k)["action"] for k, n in enumerate((12, 7, 9))])
    np.testing.assert_array_equal(np.stack(table["action"].to_pylist()), written)


def test_the_list_of_episodes_says_where_everything_is(folder):
    rows = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [row["tasks"] for row in rows] == [["push the square"], ["pull the square"], ["push the square"]]
    assert [(row["dataset_from_index"], row["dataset_to_index"]) for row in rows] == [(0, 12), (12, 19), (19, 28)]
    spans = [(row[f"videos/{WRIST}/from_timestamp"], row[f"videos/{WRIST}/to_timestamp"]) for row in rows]
    assert spans == [(0.0, 1.2), (1.2, 1.9), (1.9, 2.8)]
    for key in ("data/chunk_index", "data/file_index", "meta/episodes/chunk_index", "meta/episodes/file_index"):
        assert [row[key] for row in rows] == [0, 0, 0]
    action = columns(7, seed=1)["action"].astype(float)
    np.testing.assert_allclose(rows[1]["stats/action/mean"], action.mean(0))
    assert np.shape(rows[1][f"stats/{FRONT}/q50"]) == (3, 1, 1)
    assert rows[1][f"stats/{FRONT}/count"] == [7]


def test_tasks_are_a_pandas_frame_with_the_instruction_as_index(folder):
    frame = pq.read_table(folder / "meta/tasks.parquet").to_pandas()
    assert frame.index.tolist() == ["push the square", "pull the square"]
    assert frame["task_index"].tolist() == [0, 1]
    assert frame.columns.tolist() == ["task_index"]


def test_statistics_of_the_data_set_are_those_of_all_rows(folder):
    stats = json.loads((folder / "meta/stats.json").read_text())
    action = np.concatenate([columns(n, seed=k)["action"] for k, n in enumerate((12, 7, 9))]).astype(float)
    np.testing.assert_allclose(stats["action"]["std"], action.std(0))
    assert stats["action"]["count"] == [28]
    assert set(stats["action"]) == {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}
    pictures = np.concatenate([moving_square(n, seed=10 * k) for k, n in enumerate((12, 7, 9))]) / 255
    np.testing.assert_allclose(np.ravel(stats[FRONT]["mean"]), pictures.mean((0, 2, 3)))
    assert np.shape(stats[FRONT]["mean"]) == (3, 1, 1)


def test_each_episode_begins_with_a_key_frame(folder):
    with av.open(str(folder / f"videos/{FRONT}/chunk-000/file-000.mp4")) as container:
        keys = [k for k, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    assert {0, 12, 19} <= set(keys)


def test_the_same_calls_give_the_same_bytes(folder, tmp_path):
    assert digests(write_data_set(tmp_path / "again")) == digests(folder)


def test_frames_may_come_from_a_generator(folder, tmp_path):
    with begin(tmp_path) as writer:
        frames = views(12)
        writer.add_episode("push", views={k: (f for f in v) for k, v in frames.items()}, columns=columns(12))
    film = read_video(tmp_path / f"new/videos/{FRONT}/chunk-000/file-000.mp4")
    assert np.abs(film.astype(int) - frames[FRONT]).mean() < 4


def test_files_are_split_before_they_pass_their_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_writer, "VIDEO_FILE_MB", 0.003)
    monkeypatch.setattr(lerobot_assembly, "DATA_FILE_MB", 0.002)
    folder = write_data_set(tmp_path / "split", lengths=(12, 12, 12, 12, 12))
    films = sorted((folder / f"videos/{FRONT}/chunk-000").iterdir())
    tables = sorted((folder / "data/chunk-000").iterdir())
    assert 1 < len(films) <= 5
    assert 1 < len(tables) <= 5
    for episode in (source := LeRobotEpisodes(folder)).episodes:
        frames = np.concatenate([c.views[FRONT][0].numpy() for c in source.clips(episode, num_frames=5)])
        assert np.abs(frames.astype(int) - moving_square(12, seed=10 * episode.index)).mean() < 4
        action = source.columns(episode, ["action"])["action"]
        np.testing.assert_array_equal(action, columns(12, seed=episode.index)["action"])


def test_an_interrupted_recording_leaves_only_a_partial_folder_which_the_next_one_replaces(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupt_after_one_episode(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new.partial"]
    assert not (tmp_path / "new.partial/meta/info.json").exists()
    with begin(tmp_path) as writer:
        writer.add_episode("push", views=views(5), columns=columns(5))
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert len(LeRobotEpisodes(tmp_path / "new").episodes) == 1


def interrupt_after_one_episode(tmp_path):
    with begin(tmp_path) as writer:
        writer.add_episode("push", views=views(12), columns=columns(12))
        raise KeyboardInterrupt


def test_a_full_disk_is_told_and_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    writer = begin(tmp_path)
    writer.add_episode("push", views=views(5), columns=columns(5))

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lerobot_assembly, "_write_tasks", full)
    with pytest.raises(OutputError, match=r"new.partial cannot be written: the disk is full"):
        writer.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["new.partial"]
    assert not (tmp_path / "new.partial/meta/info.json").exists()


def test_a_folder_that_exists_is_left_alone(folder, tmp_path):
    before = digests(folder)
    with pytest.raises(OutputError, match=r"squares exists; name a folder that does not"):
        LeRobotWriter(folder, features(), fps=FPS, robot_type="square")
    assert digests(folder) == before


def test_after_an_episode_failed_half_way_the_data_set_cannot_be_finished(tmp_path):
    writer = begin(tmp_path)
    uneven = {FRONT: moving_square(5), WRIST: moving_square(4)}
    with pytest.raises(ValueError, match=r"cameras must give equally many frames, at least 1; got"):
        writer.add_episode("push", views=uneven, columns=columns(5))
    with pytest.raises(OutputError, match="an episode failed half-way; begin the data set anew"):
        writer.add_episode("push", views=views(5), columns=columns(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instruction": " "}, "instruction is empty"),
        ({"views": {FRONT: moving_square(5)}}, r"views must be of the cameras"),
        ({"views": views(5, size=(64, 64))}, r"frames must be uint8 \(3, 48, 64\), got uint8 \(3, 64, 64\)"),
        ({"views": {k: v.transpose(0, 2, 3, 1) for k, v in views(5).items()}}, "move the channels first"),
        ({"views": {k: v / 255 for k, v in views(5).items()}}, r"frames must be uint8 .*, got float64"),
        ({"views": {k: v[:0] for k, v in views(5).items()}}, "gave no frame"),
        ({"columns": columns(4)}, r"column 'observation.state' must have shape \(5, 3\), got \(4, 3\)"),
        ({"columns": {"action": columns(5)["action"]}}, r"columns must be \['action', 'observation.state'\]"),
        ({"columns": {k: v.astype(float) for k, v in columns(5).items()}}, "must be float32, got float64"),
    ],
)
def test_what_is_wrong_with_an_episode_is_said(tmp_path, change, message):
    writer = begin(tmp_path)
    given = {"instruction": "push", "views": views(5), "columns": columns(5)} | change
    with pytest.raises(ValueError, match=message):
        writer.add_episode(given["instruction"], views=given["views"], columns=given["columns"])


@pytest.mark.parametrize(
    ("declared", "settings", "message"),
    [
        (
            {"index": Feature(dtype="int64")},
            {},
            r"feature 'index': must not be empty, hold '/', or be one of timestamp",
        ),
        ({"a/b": Feature(dtype="int64")}, {}, r"feature 'a/b': must not be empty, hold '/'"),
        (
            {"c": Feature(dtype="video", shape=(47, 64, 3))},
            {},
            r"height and width must be even for H.264, got \(47, 64\)",
        ),
        ({"c": Feature(dtype="image", shape=(48, 64, 3))}, {}, "camera 'c' must be 'video'"),
        ({}, {"fps": 0.0}, "fps must be positive, got 0.0"),
        ({}, {"crf": 52}, "crf must be in"),
    ],
)
def test_what_cannot_be_recorded_is_said_at_the_beginning(tmp_path, declared, settings, message):
    with pytest.raises(ValueError, match=message):
        LeRobotWriter(tmp_path / "new", features() | declared, **({"fps": FPS, "robot_type": "x"} | settings))
    assert not list(tmp_path.iterdir())


def test_without_a_camera_or_an_episode_there_is_no_data_set(tmp_path):
    with pytest.raises(ValueError, match="features must hold at least one camera"):
        LeRobotWriter(tmp_path / "new", features(()), fps=FPS, robot_type="x")
    with pytest.raises(ValueError, match="no episode was added"):
        begin(tmp_path).finish()


def test_a_recording_of_pictures_alone_needs_no_other_column(tmp_path):
    features = {FRONT: Feature(dtype="video", shape=(32, 32, 3), names=None)}
    with LeRobotWriter(tmp_path / "data", features, fps=FPS, robot_type="test") as writer:
        writer.add_episode("look", views={FRONT: np.full((5, 3, 32, 32), 90, dtype=np.uint8)}, columns={})
    (episode,) = LeRobotEpisodes(tmp_path / "data").episodes
    assert episode.num_frames == 5
