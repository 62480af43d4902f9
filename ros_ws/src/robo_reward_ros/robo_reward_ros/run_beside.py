"""Runs a module no longer than the program that started it.

    python -m robo_reward_ros.run_beside PID MODULE WORD …

A program that is killed cannot stop the ones that it started. A process that is run in this way looks itself whether
its parent is still there; where it is not, it is told to end (SIGTERM), and where that is of no use it is killed, with
whatever it started in its process group.
"""

import os
import runpy
import signal
import sys
import time
from collections.abc import Sequence
from threading import Thread

PERIOD = 0.25  # between two looks [s]
PATIENCE = 30.0  # how long the module may take to end [s]


def main(words: Sequence[str] | None = None) -> None:
    """Run the module in this process, as `python -m MODULE WORD …` does."""
    given = list(sys.argv[1:] if words is None else words)
    if len(given) < 2 or not given[0].isdigit():
        raise SystemExit(f"run_beside takes the id of a process and a module, got {given}")
    Thread(target=_watch, args=(int(given[0]),), name="run_beside", daemon=True).start()
    sys.argv = given[1:]
    runpy.run_module(given[1], run_name="__main__", alter_sys=True)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PERIOD)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    group = os.getpgrp()
    # a group of somebody else is left alone
    os.killpg(group, signal.SIGKILL) if group == os.getpid() else os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
