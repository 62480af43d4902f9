"""Training of an encoder of a task's own, with memory that is freed given back to the system, and kept.

    python benchmarks/own_encoder.py [--rounds 3] [--steps 100]

Every round trains once either way, each in a process of its own, so that a machine whose speed drifts drifts for both;
medians are reported, and the ratio of processor time. Pictures are noise: what they show costs nothing.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from machine import machine

from robo_reward.cli.freed_memory import keep_freed_memory
from robo_reward.training.fit_encoder import EncoderFit, EncoderLessons, fit_encoder

RESULTS = Path(__file__).parent / "results" / "own_encoder.json"
WAYS = {"given back": False, "kept": True}


def train(steps: int, *, kept: bool) -> dict[str, float]:
    """Give the processor time of an encoder's training in this process [s], and its page faults."""
    if kept and not keep_freed_memory():
        raise SystemExit("this C library has no such setting")
    random = torch.Generator().manual_seed(0)
    lessons = EncoderLessons(
        pictures=torch.randint(0, 255, (2000, 3, 84, 84), dtype=torch.uint8, generator=random),
        camera=torch.zeros(2000, dtype=torch.int64),
        target=torch.rand(2000, generator=random),
    )
    before = resource.getrusage(resource.RUSAGE_SELF)
    fit_encoder(lessons, EncoderFit(steps=steps), on_step=lambda _step, _error: None)
    after = resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return {"seconds": user + system, "of_these_in_the_system": system, "faults": after.ru_minflt - before.ru_minflt}


def measure(*, rounds: int, steps: int) -> dict[str, dict[str, float]]:
    """Give the medians of either way."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name in WAYS:
            asked = [sys.executable, __file__, "--steps", str(steps), "--way", name]
            found[name].append(json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout))
    return {
        name: {figure: round(statistics.median(each[figure] for each in runs), 2) for figure in runs[0]}
        for name, runs in found.items()
    }


def main() -> None:
    """Measure, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--way", choices=list(WAYS), help="train once this way, and print its figures alone")
    given = parser.parse_args()
    if given.way:
        print(json.dumps(train(given.steps, kept=WAYS[given.way])))
        return
    ways = measure(rounds=given.rounds, steps=given.steps)
    report = {
        "machine": machine() | {"load_average": [round(each, 1) for each in os.getloadavg()]},
        "steps": given.steps,
        "ways": ways,
        "ratio": round(ways["given back"]["seconds"] / ways["kept"]["seconds"], 2),
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
