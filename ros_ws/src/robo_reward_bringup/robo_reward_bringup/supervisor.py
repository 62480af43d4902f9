"""Runs described nodes as processes: started anew when they die, taken to active each time. No ROS.

For machines where `ros2 launch` is not installed; the launch files start the same descriptions.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

from robo_reward_bringup.node_description import NodeDescription
from robo_reward_bringup.nodes_of_robot import BringUp, activator

PERIOD = 0.05  # between two looks at the processes [s]
STOPPING = ((signal.SIGINT, 10.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))
"""Signals that end a node, and how long each is given [s]."""
_LEAKING = ("_ROS_WHEELS_BOOTSTRAP_COMPLETE",)  # a mark of ROS's wheels that is true of one environment only


@dataclass(slots=True)
class _Running:
    node: NodeDescription
    process: subprocess.Popen[bytes] | None = None
    due: float = 0.0
    """When it is started, where it does not run (monotonic clock) [s]."""


class Supervisor:
    """Starts, watches and ends the nodes of a description.

    Args:
        described: What is started.
        say: Takes one line for each thing that happens.
        environment: What the processes inherit; None = this process's.
    """

    def __init__(
        self, described: BringUp, *, say: Callable[[str], None], environment: Mapping[str, str] | None = None
    ) -> None:
        self._described, self._say = described, say
        given = dict(os.environ if environment is None else environment)
        for name in _LEAKING:
            given.pop(name, None)
        self._environment = given | dict(described.environment)
        self._nodes = [_Running(node) for node in described.nodes]
        self._activators: dict[str, _Running] = {}
        self._commands = {node.full_name: node.command() for node in described.nodes}  # a missing package is said first
        self._stop = Event()

    def pid(self, full_name: str) -> int | None:
        """Give the process id of a node; None = it does not run.

        Raises:
            KeyError: No such node.
        """
        process = {each.node.full_name: each.process for each in self._nodes}[full_name]
        return process.pid if process is not None and process.poll() is None else None

    def stop(self) -> None:
        """End `run`, from any thread or signal handler."""
        self._stop.set()

    def run(self) -> int:
        """Run until `stop`; 0 = stopped, 1 = a node that is not started anew came to its end."""
        try:
            while not self._stop.is_set():
                if not all([self._look_at(each) for each in self._nodes]):
                    return 1
                self._look_at_activators()
                self._stop.wait(PERIOD)
            return 0
        finally:
            self._end_all()

    def _look_at(self, each: _Running) -> bool:
        """Start what is due, and see what has died; False = that is the end of everything."""
        now = time.monotonic()
        if each.process is None:
            if now >= each.due:
                self._start(each)
            return True
        code = each.process.poll()
        if code is None:
            return True
        each.process, each.due = None, now + each.node.respawn_delay
        if not each.node.respawn:
            self._say(f"{each.node.full_name} ended with {_told(code)}; respawn is off: everything is stopped")
            return False
        self._say(
            f"{each.node.full_name} ended with {_told(code)}; it is started anew in {each.node.respawn_delay:g} s"
        )
        return True

    def _start(self, each: _Running) -> None:
        name = each.node.full_name
        each.process = self._begin(self._commands[name])
        self._say(f"{name} started, process {each.process.pid}")
        if not each.node.lifecycle or not self._described.autostart:
            return
        if name in self._activators:  # of the start before
            _end([self._activators.pop(name).process])
        helper = activator(each.node, timeout=self._described.activation_timeout)
        self._activators[name] = _Running(helper, self._begin(helper.command()))

    def _begin(self, command: list[str]) -> subprocess.Popen[bytes]:
        # a session of its own: Ctrl-C reaches this process, which ends the nodes once and in order
        return subprocess.Popen(command, env=self._environment, start_new_session=True)

    def _look_at_activators(self) -> None:
        for name, each in list(self._activators.items()):
            code = each.process.poll() if each.process is not None else 0
            if code is not None:
                del self._activators[name]
                self._say(f"{name} is active" if code == 0 else f"{name} did not become active")

    def _end_all(self) -> None:
        helpers = [each.process for each in self._activators.values()]
        _end([*helpers, *(each.process for each in self._nodes)])


def _end(processes: list[subprocess.Popen[bytes] | None]) -> None:
    left = [each for each in processes if each is not None]
    for number, seconds in STOPPING:
        left = [each for each in left if each.poll() is None]
        for each in left:
            each.send_signal(number)
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(each.poll() is None for each in left):
            time.sleep(PERIOD)


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
