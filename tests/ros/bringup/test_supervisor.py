"""Processes that are started anew, and ended once and in order; no ROS is needed."""

import os
import signal
import sys
import textwrap
from threading import Thread
from time import monotonic, sleep

import pytest
from robo_reward_bringup import supervisor as supervisor_module
from robo_reward_bringup.node_description import NodeDescription
from robo_reward_bringup.nodes_of_robot import BringUp
from robo_reward_bringup.supervisor import Supervisor

NODE = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in a shell's background are started deaf to it
here = pathlib.Path(__file__).parent
with (here / "starts").open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
if (here / "deaf").exists():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    time.sleep(float((here / "life").read_text()))
except KeyboardInterrupt:
    (here / "interrupted").write_text("once")
"""


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Start a supervisor over a node that is a plain Python file, in a thread."""
    (tmp_path / "plain_node.py").write_text(textwrap.dedent(NODE))
    (tmp_path / "life").write_text("60")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    running = []

    def start(**changes) -> tuple[Supervisor, list[str], Thread, list[int]]:
        given = {"package": "p", "executable": "e", "module": "plain_node", "name": "n", "respawn_delay": 0.05}
        node = NodeDescription(**(given | changes))
        said, codes = [], []
        supervisor = Supervisor(BringUp(nodes=(node,), environment={"EXTRA": "1"}), say=said.append)
        thread = Thread(target=lambda: codes.append(supervisor.run()), daemon=True)
        thread.start()
        running.append((supervisor, thread))
        return supervisor, said, thread, codes

    yield start
    for supervisor, thread in running:
        supervisor.stop()
        thread.join(20)
        assert not thread.is_alive()


def wait_for(condition, seconds: float = 10.0):
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        sleep(0.01)


def starts(tmp_path) -> list[str]:
    path = tmp_path / "starts"
    return path.read_text().splitlines() if path.exists() else []


def test_a_killed_node_is_started_anew(started, tmp_path):
    supervisor, said, *_ = started()
    wait_for(lambda: len(starts(tmp_path)) == 1)
    first = supervisor.pid("/n")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(starts(tmp_path)) == 2)
    assert supervisor.pid("/n") != first
    assert said[1] == "/n ended with signal SIGKILL; it is started anew in 0.05 s"


def test_without_respawn_the_end_of_one_is_the_end_of_all(started, tmp_path):
    (tmp_path / "life").write_text("0.05")
    _, said, thread, codes = started(respawn=False)
    thread.join(10)
    assert codes == [1]
    assert said[-1] == "/n ended with code 0; respawn is off: everything is stopped"


def test_stopped_it_interrupts_its_nodes_and_ends_without_an_error(started, tmp_path):
    supervisor, _, thread, codes = started()
    wait_for(lambda: len(starts(tmp_path)) == 1)
    sleep(0.1)
    # Ctrl-C at a terminal goes to a whole group: the nodes must not hear it beside the supervisor's own interrupt
    assert os.getpgid(supervisor.pid("/n")) == supervisor.pid("/n")
    supervisor.stop()
    thread.join(10)
    assert codes == [0]
    assert (tmp_path / "interrupted").read_text() == "once"
    assert supervisor.pid("/n") is None


def test_a_node_that_does_not_heed_the_interrupt_is_ended_all_the_same(started, tmp_path, monkeypatch):
    stopping = ((signal.SIGINT, 0.2), (signal.SIGTERM, 5.0))
    monkeypatch.setattr(supervisor_module, "STOPPING", stopping)
    (tmp_path / "deaf").touch()
    supervisor, _, thread, codes = started()
    wait_for(lambda: len(starts(tmp_path)) == 1)
    sleep(0.2)
    supervisor.stop()
    thread.join(10)
    assert codes == [0]
    assert supervisor.pid("/n") is None


def test_a_package_that_is_not_installed_is_said_before_anything_starts(tmp_path):
    nodes = (
        NodeDescription(package="p", executable="e", module="plain_node", name="a"),
        NodeDescription(package="no_such_driver", executable="node", name="b"),
    )
    with pytest.raises(
        FileNotFoundError, match="no_such_driver/node cannot be started: no_such_driver is not installed"
    ):
        Supervisor(BringUp(nodes=nodes, environment={}), say=print)
    assert starts(tmp_path) == []
