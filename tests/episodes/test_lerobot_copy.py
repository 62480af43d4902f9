import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_data import FRONT, WRIST, moving_square, read_video, write_data_set, write_v2_data_set

from robo_reward.episodes import lerobot_copy
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_copy import check_copyable, write_lerobot_v3
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.robo_dopamine import RoboDopamineEpisodes
from robo_reward.errors import DataSetError, OutputError

EXTRA = {"reward.progress": Feature(dtype="float32"), "next.success": Feature(dtype="bool")}


def progress(episode):
    share = np.linspace(0, 1, episode.num_frames, dtype=np.float32)
    share[1] = np.nan
    return {"reward.progress": share, "next.success": share > 0.9}


def copied(source, target: Path) -> Path:
    write_lerobot_v3(target, source, extra_features=EXTRA, extra_columns=progress)
    return target


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_against_input(folder: Path, source, films, tables):
    """Compare a written data set with its input through pyarrow and PyAV alone.

    Args:
        folder: The v3 data set.
        source: Tells the episodes' numbers only.
        films: (episode, camera) to the input's video.
        tables: Episode to the input's table.
    """
    info = json.loads((folder / "meta/info.json").read_text())
    rows = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    written = pq.read_table(folder / "data/chunk-000/file-000.parquet")
    assert info["total_episodes"] == len(rows) == len(source.episodes)
    assert set(written.column_names) == {k for k, f in info["features"].items() if f["dtype"] != "video"}
    for row, episode in zip(rows, source.episodes, strict=True):
        part = written.slice(row["dataset_from_index"], row["length"])
        assert set(part["episode_index"].to_pylist()) == {row["episode_index"]}
        table = tables(episode.index)
        for name in set(table.column_names) - {"timestamp", "episode_index", "index", *EXTRA}:
            assert part[name].to_pylist() == table[name].to_pylist(), name
        np.testing.assert_array_equal(part["reward.progress"].to_numpy(), progress(episode)["reward.progress"])
        stamps = table["timestamp"].to_numpy()
        np.testing.assert_allclose(part["timestamp"].to_numpy(), stamps - stamps[0], atol=1e-6)
        for camera in (key for key, feature in info["features"].items() if feature["dtype"] == "video"):
            place = {key: row[f"videos/{camera}/{key}"] for key in ("chunk_index", "file_index", "from_timestamp")}
            path = folder / info["video_path"].format(video_key=camera, **place)
            assert path.read_bytes() == films(episode.index, camera).read_bytes()
            assert place["from_timestamp"] == 0


def test_version_2_0_with_late_stamps_is_written_as_version_3(shared_data, tmp_path):
    folder = shared_data / "episodes/gr00t_lerobot_sim/robot_sim.PickNPlace"
    source = LeRobotEpisodes(folder, cameras=["observation.images.ego_view"], select=[0, 4])
    output = copied(source, tmp_path / "v3")
    check_against_input(
        output,
        source,
        lambda index, camera: folder / f"videos/chunk-000/{camera}/episode_{index:06d}.mp4",
        lambda index: pq.read_table(folder / f"data/chunk-000/episode_{index:06d}.parquet"),
    )
    features = json.loads((output / "meta/info.json").read_text())["features"]
    assert "observation.images.egoview" not in features  # declared, but never filmed
    assert features["observation.images.ego_view"]["info"]["video.codec"] == "h264"
    assert (output / "meta/modality.json").read_bytes() == (folder / "meta/modality.json").read_bytes()
    tasks = pq.read_table(output / "meta/tasks.parquet").to_pandas()
    assert tasks["task_index"].tolist() == [0, 1, 2, 3, 4, 5]
    assert tasks.index[5] == "pick the cupcake from the counter and place it in the plate"


def test_version_2_1_in_av1_is_written_as_version_3(shared_data, tmp_path):
    folder = shared_data / "episodes/g1_lerobot_real"
    with pytest.raises(DataSetError, match=r"97 of 100 episodes lack files: 0-9, 11-28, 31-99; .*select=\[10,29,30\]"):
        LeRobotEpisodes(folder)
    source = LeRobotEpisodes(folder, select="present")
    output = copied(source, tmp_path / "v3")
    check_against_input(
        output,
        source,
        lambda index, camera: folder / f"videos/chunk-000/{camera}/episode_{index:06d}.mp4",
        lambda index: pq.read_table(folder / f"data/chunk-000/episode_{index:06d}.parquet"),
    )
    lines = (folder / "meta/episodes_stats.jsonl").read_text().splitlines()
    recorded = {row["episode_index"]: row["stats"] for row in map(json.loads, lines)}
    rows = pq.read_table(output / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    camera = "observation.images.cam_high"
    assert rows[1][f"stats/{camera}/mean"] == recorded[29][camera]["mean"]
    for row, number in zip(rows, (10, 29, 30), strict=True):
        np.testing.assert_allclose(row["stats/action/mean"], recorded[number]["action"]["mean"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("index", [10, 29])
def test_first_and_last_frames_of_real_av1_are_those_of_another_decoder(shared_data, index):
    folder = shared_data / "episodes/g1_lerobot_real"
    camera = "observation.images.cam_high"
    source = LeRobotEpisodes(folder, select=[index])
    film = read_video(folder / f"videos/chunk-000/{camera}/episode_{index:06d}.mp4")
    clips = [clip.views[camera][0].numpy() for clip in source.clips(source.episodes[0], num_frames=50)]
    assert sum(map(len, clips)) == len(film) == source.episodes[0].num_frames
    np.testing.assert_array_equal(clips[0][0], film[0])
    np.testing.assert_array_equal(clips[-1][-1], film[-1])


def test_version_3_is_copied_with_its_shared_videos(tmp_path):
    folder = write_data_set(tmp_path / "in", lengths=(12, 7, 9), success={0: True})
    source = LeRobotEpisodes(folder, cameras=[WRIST], select=[0, 2])
    output = copied(source, tmp_path / "out")
    for camera in (FRONT, WRIST):
        film = f"videos/{camera}/chunk-000/file-000.mp4"
        assert (output / film).read_bytes() == (folder / film).read_bytes()
    again = LeRobotEpisodes(output)
    assert [e.num_frames for e in again.episodes] == [12, 9]
    for old, new in zip(source.episodes, again.episodes, strict=True):
        assert source.fingerprint(old, WRIST) == again.fingerprint(new, WRIST)
        for a, b in zip(source.clips(old, num_frames=4), again.clips(new, num_frames=4), strict=True):
            np.testing.assert_array_equal(a.views[WRIST], b.views[WRIST])
        assert new.instruction == old.instruction
        np.testing.assert_array_equal(new.stamp, old.stamp)
        np.testing.assert_array_equal(new.success, progress(old)["next.success"])  # replaced by the added column
    table = pq.read_table(output / "data/chunk-000/file-000.parquet")
    assert table["index"].to_pylist() == list(range(21))


def test_pictures_inside_parquet_are_copied(tmp_path):
    source = LeRobotEpisodes(write_v2_data_set(tmp_path / "in", kind="image", version="v2.0"))
    again = LeRobotEpisodes(copied(source, tmp_path / "out"))
    for old, new in zip(source.episodes, again.episodes, strict=True):
        assert source.fingerprint(old, FRONT) == again.fingerprint(new, FRONT)
        frames = np.concatenate([clip.views[FRONT][0].numpy() for clip in again.clips(new, num_frames=4)])
        np.testing.assert_array_equal(frames, moving_square(old.num_frames, seed=10 * old.index))
    stats = json.loads((tmp_path / "out/meta/stats.json").read_text())
    pixels = np.concatenate([moving_square(n, seed=10 * k) for k, n in enumerate((12, 7))]) / 255
    np.testing.assert_allclose(np.ravel(stats[FRONT]["mean"]), pixels.mean((0, 2, 3)))


def test_statistics_of_added_columns_leave_out_what_is_unknown(tmp_path):
    source = LeRobotEpisodes(write_data_set(tmp_path / "in"))
    stats = json.loads((copied(source, tmp_path / "out") / "meta/stats.json").read_text())
    assert stats["reward.progress"]["count"] == [28 - 3]
    assert np.isfinite(stats["reward.progress"]["mean"]).all()


def test_the_same_input_gives_the_same_bytes_and_an_interrupted_copy_goes_on_to_them(tmp_path, monkeypatch):
    source = LeRobotEpisodes(write_v2_data_set(tmp_path / "in", lengths=(12, 7, 9)))
    whole = contents(copied(source, tmp_path / "whole"))
    assert contents(copied(source, tmp_path / "again")) == whole

    def stop_at_second(episode):
        if episode.index == 2:
            raise KeyboardInterrupt
        return progress(episode)

    half = tmp_path / "half"
    with pytest.raises(KeyboardInterrupt):
        write_lerobot_v3(half, source, extra_features=EXTRA, extra_columns=stop_at_second)
    left = contents(half)
    assert set(left) < set(whole)
    assert all(whole[name] == data for name, data in left.items())
    assert "meta/info.json" not in left
    seen = []
    monkeypatch.setattr(lerobot_copy, "_copy", lambda a, b: seen.append(a) or shutil.copyfile(a, _made(b)))
    assert contents(copied(source, half)) == whole
    assert [path.name for path in seen] == ["episode_000002.mp4"]


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_the_input_is_never_touched(tmp_path):
    folder = write_v2_data_set(tmp_path / "in")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")}
    output = copied(LeRobotEpisodes(folder), tmp_path / "out")
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")} == before
    inodes = {path.stat().st_ino for path in output.rglob("*")}
    assert not inodes & {inode for _, inode in before.values()}


def test_a_missing_video_of_an_unseen_camera_is_told_before_anything_is_written(tmp_path):
    from lerobot_data import write_video

    folder = write_v2_data_set(tmp_path / "in")
    info = json.loads((folder / "meta/info.json").read_text())
    info["features"][WRIST] = info["features"][FRONT]
    (folder / "meta/info.json").write_text(json.dumps(info))
    wrist = folder / f"videos/chunk-000/{WRIST}/episode_000000.mp4"
    write_video(_made(wrist), moving_square(12))
    source = LeRobotEpisodes(folder, cameras=[FRONT])
    with pytest.raises(DataSetError, match=rf"episode_000001.mp4: the video of camera {WRIST} in episode 1 is missing"):
        check_copyable(source)


@pytest.mark.parametrize(
    ("features", "columns", "message"),
    [
        ({"a/b": Feature(dtype="int64")}, {}, "feature 'a/b'"),
        ({"a": Feature(dtype="image", shape=(4, 4, 3))}, {}, "feature 'a': an added column cannot be a picture"),
        ({"a": Feature(dtype="int64")}, {}, r"columns must be \['a'\], got \[\]"),
        ({"a": Feature(dtype="int64")}, {"a": np.zeros(12, np.int32)}, "column 'a' must be int64, got int32"),
        (
            {"a": Feature(dtype="int64")},
            {"a": np.zeros(11, np.int64)},
            r"column 'a' must have shape \(12,\), got \(11,\)",
        ),
    ],
)
def test_wrong_added_columns_are_refused(tmp_path, features, columns, message):
    source = LeRobotEpisodes(write_v2_data_set(tmp_path / "in"))
    with pytest.raises(ValueError, match=message):
        write_lerobot_v3(tmp_path / "out", source, extra_features=features, extra_columns=lambda _: columns)
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    import errno

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    source = LeRobotEpisodes(write_v2_data_set(tmp_path / "in"))
    monkeypatch.setattr(lerobot_copy.shutil, "copyfile", full)
    with pytest.raises(OutputError, match=r"file-000.mp4 cannot be written: the disk is full"):
        copied(source, tmp_path / "out")
    assert not (tmp_path / "out/meta/info.json").exists()


@pytest.mark.slow
def test_three_camera_recordings_are_written_as_version_3(shared_data, tmp_path):
    folder = shared_data / "episodes/robo_dopamine/dataset/example_raw_data"
    source = RoboDopamineEpisodes(folder)
    output = copied(source, tmp_path / "v3")
    again = LeRobotEpisodes(output)
    assert [e.num_frames for e in again.episodes] == [1277, 1715]
    for old, new in zip(source.episodes, again.episodes, strict=True):
        np.testing.assert_array_equal(old.stamp, new.stamp)
        for camera in old.cameras:
            assert source.fingerprint(old, camera) == again.fingerprint(new, camera)
        keyframe = again.columns(new, ["keyframe"])["keyframe"]
        np.testing.assert_array_equal(keyframe, source.columns(old, ["keyframe"])["keyframe"])
