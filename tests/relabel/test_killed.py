"""Killed with SIGKILL at random moments, the command line resumes to a byte-identical data set."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recorded import record_red_to_green

KILLS = 10


def command(recorded: Path, output: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "robo_reward.cli.main", "relabel", f"episodes.path={recorded}", f"output={output}"),
        *("reward_model.goal=[a green cube]", "reward_model.baseline=[a red cube]", "embeddings=none"),
    ]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_kills_at_random_moments_change_no_byte(tmp_path):
    recorded = record_red_to_green(tmp_path / "data", [150] * 8)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    start = time.monotonic()
    subprocess.run(command(recorded, tmp_path / "whole"), env=environment, check=True, capture_output=True)
    duration = time.monotonic() - start
    generator, output, kills, finished = random.Random(0), tmp_path / "out", 0, 0
    while kills < KILLS:
        start, whole = time.monotonic(), not (tmp_path / "out.partial").exists()
        process = subprocess.Popen(command(recorded, output), env=environment, stderr=subprocess.DEVNULL)
        try:
            # early kills hit the imports, late ones the scoring, the writing and the renaming
            process.wait(timeout=generator.uniform(0.2, 0.9) * duration)
            if whole:  # and not killed: the machine has grown faster
                duration = time.monotonic() - start
        except subprocess.TimeoutExpired:
            kills += 1
            process.kill()
            process.wait()
        finished = max(finished, len(list((tmp_path / "out.partial" / "finished").glob("episode-*"))))
        if output.exists():  # finished between two kills: look at it, and be killed on a new one
            assert files(output) == files(tmp_path / "whole")
            output.rename(tmp_path / f"finished-{time.monotonic_ns()}")
    subprocess.run(command(recorded, output), env=environment, check=True, capture_output=True)
    assert files(output) == files(tmp_path / "whole")
    assert not (tmp_path / "out.partial").exists()
    assert finished > 0, "no kill hit a run that had finished an episode; the test proves nothing"
