"""Programs that end with the one that started them, however that one ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from robo_reward_ros import run_beside
from ros_pictures import until

PACKAGE = Path(run_beside.__file__).resolve().parents[1]
PARENT = """
import sys, time
from pathlib import Path
from robo_reward_ros.demo_ros_processes import running

with running(sys.argv[1], sys.argv[2:], log=Path(sys.argv[2]).with_suffix(".log")):
    time.sleep(60)
"""
CHILD = """
import os, signal, sys, time
from pathlib import Path

def told(number, frame):
    Path(sys.argv[1]).with_suffix(".told").write_text(str(number))
    raise SystemExit

signal.signal(signal.SIGTERM, told)
Path(sys.argv[1]).write_text(f"{os.getpid()} {__name__} {sys.argv[0][-8:]}")
time.sleep(60)
"""


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().split(")")[1][:3]


@pytest.fixture
def child(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{PACKAGE}"}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "child", str(tmp_path / "said")], env=environment)
    try:
        until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text(), seconds=20)
        process, *said = (tmp_path / "said").read_text().split()
        yield parent, int(process), said, tmp_path / "said.told"
    finally:
        parent.kill()
        parent.wait()


def test_a_program_whose_starter_is_killed_is_told_to_end(child):
    parent, process, said, told = child
    assert said == ["__main__", "child.py"]  # as `python -m child` would be
    assert alive(process)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not alive(process), seconds=10)
    assert told.read_text() == str(int(signal.SIGTERM))


def test_a_program_whose_starter_lives_goes_on(child):
    _, process, _, told = child
    with pytest.raises(AssertionError):
        until(lambda: not alive(process), seconds=4 * run_beside.PERIOD)
    assert not told.exists()


def test_it_says_what_it_takes():
    for wrong in ([], ["robo"], ["x", "json.tool"]):
        with pytest.raises(SystemExit, match="run_beside takes the id of a process and a module"):
            run_beside.main(wrong)
