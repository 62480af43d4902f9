"""Steps per second of the table-top tasks, without a camera and with one or three.

    python benchmarks/table_top.py [--rounds 3] [--steps 400]

Every round measures all settings of a task in turn, so that a machine whose speed drifts drifts for all of them; the
median over rounds is reported, by the clock on the wall and by the processor time of this process. Actions are drawn
beforehand; episodes are reset when their time is up.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
from machine import machine

from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.scene import CAMERAS
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS

RESULTS = Path(__file__).parent / "results" / "table_top.json"
SETTINGS = {
    "state only": ((), 64),
    "one camera of 64 px": (("front",), 64),
    "one camera of 112 px": (("front",), 112),
    "three cameras of 112 px": (CAMERAS, 112),
}


def steps_per_second(task: str, cameras: tuple[str, ...], size: int, *, steps: int) -> tuple[float, float]:
    """Give steps per second of wall and of processor time."""
    with TableTopEnvironment(task, height=size, width=size) as environment:
        actions = np.random.default_rng(0).uniform(-1, 1, (steps, 4)).astype(np.float32)
        environment.reset(seed=0)
        if cameras:
            environment.frames(cameras)  # the context is made at the first picture
        wall, processor = time.perf_counter(), time.process_time()
        for action in actions:
            truncated = environment.step(action)[3]
            if cameras:
                environment.frames(cameras)
            if truncated:
                environment.reset()
        return steps / (time.perf_counter() - wall), steps / (time.process_time() - processor)


def measure(task: str, *, rounds: int, steps: int) -> dict[str, dict[str, float]]:
    """Give the medians of one task."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in SETTINGS}
    for _ in range(rounds):
        for name, (cameras, size) in SETTINGS.items():
            found[name].append(steps_per_second(task, cameras, size, steps=steps))
    return {
        name: {
            "steps_per_second": round(statistics.median(wall for wall, _ in rates), 1),
            "steps_per_processor_second": round(statistics.median(processor for _, processor in rates), 1),
        }
        for name, rates in found.items()
    }


def main() -> None:
    """Measure every task, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    given = parser.parse_args()
    report = {
        "machine": machine() | {"load_average": [round(each, 1) for each in os.getloadavg()]},
        "tasks": {task: measure(task, rounds=given.rounds, steps=given.steps) for task in TABLE_TOP_TASKS},
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
