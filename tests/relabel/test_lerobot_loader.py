"""LeRobot's own loader reads what relabelling wrote; it needs an environment of its own (it pins an older torch).

    LEROBOT_PYTHON=/path/to/python make test

names an interpreter that has `lerobot` (0.4.4 was used, with torchcodec for video).
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from recorded import CAMERAS, INSTRUCTION, greenness, record_red_to_green

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.perception import torchvision_ops
from robo_reward.relabel.run import Relabelling, relabel

READ = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("torchvision_ops", sys.argv[2])
ops = importlib.util.module_from_spec(spec); spec.loader.exec_module(ops); ops.declare_torchvision_ops()
from lerobot.datasets.lerobot_dataset import LeRobotDataset
data = LeRobotDataset("local/test", root=sys.argv[1])
rows = [data[index] for index in range(len(data))]
names = ["reward.progress", "reward.shaped", "next.reward", "next.success", "index", "episode_index"]
cameras = [name for name in rows[0] if name.startswith("observation.images")]
print(json.dumps({
    "columns": {name: [float(row[name]) for row in rows] for name in names},
    "green": {name: [float(row[name][1].mean()) for row in rows] for name in cameras},
    "tasks": sorted({row["task"] for row in rows}), "episodes": data.num_episodes,
}))
"""


@pytest.mark.slow
def test_lerobots_own_loader_reads_the_relabelled_data_set(tmp_path):
    python = os.environ.get("LEROBOT_PYTHON")
    if python is None:
        pytest.skip("LEROBOT_PYTHON does not name an interpreter that has lerobot")
    source = LeRobotEpisodes(record_red_to_green(tmp_path / "data", [12, 9, 7]))
    folder = relabel(source, tmp_path / "out", Relabelling(models={INSTRUCTION: greenness()}, discount=0.9), store=None)
    shim = torchvision_ops.__file__
    done = subprocess.run([python, "-c", READ, str(folder), shim], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    read = json.loads(done.stdout.strip().splitlines()[-1])
    table = pq.read_table(sorted(Path(folder).glob("data/**/*.parquet"))).to_pandas()
    for name, values in read["columns"].items():
        np.testing.assert_allclose(values, table[name].astype(float), atol=1e-6)
    assert read["episodes"] == 3
    assert read["tasks"] == [INSTRUCTION]
    for camera in CAMERAS:
        ours = [
            float(green) / 255
            for episode in source.episodes
            for clip in source.clips(episode, num_frames=50)
            for green in clip.views[camera][0, :, 1].float().mean(dim=(-1, -2))
        ]
        np.testing.assert_allclose(read["green"][camera], ours, atol=0.01)
