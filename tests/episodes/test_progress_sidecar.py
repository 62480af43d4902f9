import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_data import write_data_set

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_copy import write_lerobot_v3
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.progress_sidecar import write_progress_sidecar
from robo_reward.errors import DataSetError


def test_the_side_car_has_the_columns_and_metadata_that_ra_bc_reads(tmp_path):
    source = LeRobotEpisodes(write_data_set(tmp_path / "in", lengths=(4, 3)))
    progress = {0: [0.0, np.nan, 0.5, 1.0], 1: [0.0, 0.5, 1.0]}
    write_lerobot_v3(
        tmp_path / "out",
        source,
        extra_features={"reward.progress": Feature(dtype="float32")},
        extra_columns=lambda episode: {"reward.progress": np.array(progress[episode.index], np.float32)},
    )
    path = write_progress_sidecar(tmp_path / "out", reward_model="model abc")
    assert path == tmp_path / "out/sarm_progress.parquet"
    table = pq.read_table(path)
    assert table.schema.metadata == {b"reward_model_path": b"model abc"}
    assert [(name, str(kind)) for name, kind in zip(table.schema.names, table.schema.types, strict=True)] == [
        ("index", "int64"),
        ("episode_index", "int64"),
        ("frame_index", "int64"),
        ("progress_sparse", "float"),
    ]
    assert table["index"].to_pylist() == list(range(7))
    assert table["episode_index"].to_pylist() == [0, 0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(table["progress_sparse"].to_numpy(), [0, np.nan, 0.5, 1, 0, 0.5, 1])
    assert not table["progress_sparse"].null_count


def test_a_data_set_without_progress_is_told(tmp_path):
    folder = write_data_set(tmp_path / "in", lengths=(4,))
    with pytest.raises(DataSetError, match=r"file-000.parquet: no column 'reward.progress' to take progress from"):
        write_progress_sidecar(folder, reward_model="m")
    with pytest.raises(DataSetError, match=r"data: no file of a LeRobot v3 data set"):
        write_progress_sidecar(tmp_path / "nowhere", reward_model="m")
    assert not (folder / "sarm_progress.parquet").exists()
