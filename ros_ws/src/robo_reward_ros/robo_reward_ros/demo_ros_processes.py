"""Other programs of the demo and of trainings, as processes: started with a log, and stopped whatever happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 20.0  # how long a process may take to stop when it is asked to [s]


class ProcessError(RuntimeError):
    """A program ended when it should not have, or failed; says where its log is, and how it ends."""


def run(module: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a Python module to its end; arguments as of `running`.

    Raises:
        ProcessError: It failed.
    """
    with running(module, arguments, log=log, environment=environment) as process:
        code = process.wait()
    if code != 0:
        raise ProcessError(_said(module, f"failed (exit status {code})", log))


@contextmanager
def running(
    module: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Python module beside this program; on leaving it is interrupted, and killed with its children if need be.

    Where this program is killed, the module ends by itself; see `run_beside`.

    Args:
        module: Is run as `python -m`, with this interpreter.
        arguments: On its command line.
        log: Takes what it says.
        environment: Variables beside this program's own.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "robo_reward_ros.run_beside", str(os.getpid()), module, *arguments],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            # Ctrl-C is for this program, which stops the others in order
            start_new_session=True,
        )
        try:
            yield process
        finally:
            stop(process)


def check_running(process: "subprocess.Popen[bytes]", name: str, *, log: Path) -> None:
    """Raise ProcessError if a program that should run does not."""
    if process.poll() is not None:
        raise ProcessError(_said(name, f"ended (exit status {process.returncode})", log))


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt a process and wait; then kill what is left of it and of its children."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    with suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _said(name: str, what: str, log: Path) -> str:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    return f"{name} {what}; {log} ends so:\n{tail}"
