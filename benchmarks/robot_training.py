"""Policies learnt over DDS on the simulated arm: rewarded by what cameras see, by success alone, and by the truth.

    python benchmarks/robot_training.py outputs/robot_training [--seeds 3]   (where rclpy is: docs/ros/training.md)

Each training is `python -m robo_reward_ros.train_robot` in a folder of its own; what is there from an earlier call is
not done again. Writes `results/robot_training.json` and the figure of the page.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from machine import machine

RESULTS = Path(__file__).parent / "results" / "robot_training.json"
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "train_robot.png"
STEPS, EVERY = 2000, 500
CONDITIONS = {
    "geometry": ("shaped by what calibrated cameras see", ("--model", "geometry")),
    "sparse": ("success alone", ("--model", "geometry", "--reward", "sparse")),
    "truth": ("shaped by the simulator's truth", ("--model", "ground_truth")),
    "process": ("shaped by a process model, 60 demonstrations", ("--model", "process")),
}
COLOURS = {"geometry": "#0072b2", "sparse": "#888888", "truth": "#009e73", "process": "#d55e00"}


def train(folder: Path, condition: str, *, seed: int) -> None:
    """Train where it was not done before."""
    if (folder / "summary.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--steps", str(STEPS), "--every", str(EVERY), "--seed", str(seed), "--domain", str(1 + os.getpid() % 200)]
    with (folder / "log").open("w") as log:
        subprocess.run(
            [sys.executable, "-m", "robo_reward_ros.train_robot", str(folder), *CONDITIONS[condition][1], *words],
            check=True,
            stdout=log,
            stderr=log,
        )


def result(folder: Path) -> dict[str, Any]:
    """Read what one training came to."""
    summary = json.loads((folder / "summary.json").read_text())
    lines = [json.loads(line) for line in (folder / "training" / "metrics.jsonl").read_text().splitlines()]
    kept = ("steps", "episodes_judged", "success_rate", "mean_length", "training_seconds", "steps_per_second")
    return {name: summary[name] for name in kept} | {
        "on_the_way": {line["step"]: line["evaluation/success_rate"] for line in lines},
        "while_learning": {line["step"]: line["episodes/success_rate"] for line in lines},
    }


def draw(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw success while learning against steps, a line a seed."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for condition, seeds in results.items():
        for number, told in enumerate(seeds.values()):
            way = {int(step): rate for step, rate in told["while_learning"].items()}
            # a training that succeeded twice in a row ended there
            steps, rates = [0, *way], [0.0, *way.values()]
            label = CONDITIONS[condition][0] if number == 0 else None
            axes.plot(steps, rates, color=COLOURS[condition], marker="o", markersize=3, alpha=0.8, label=label)
    axes.set(xlabel="steps over DDS", ylabel="success while learning", ylim=(-0.03, 1.03), xlim=(0, STEPS))
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(alpha=0.25)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(words: Sequence[str] | None = None) -> None:
    """Train, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="takes a folder for each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS), choices=CONDITIONS)
    given = parser.parse_args(words)
    results: dict[str, dict[str, Any]] = {}
    for condition in given.conditions:
        for seed in range(given.seeds):
            folder = given.output / f"{condition}{seed}"
            train(folder, condition, seed=seed)
            results.setdefault(condition, {})[str(seed)] = result(folder)
    RESULTS.write_text(json.dumps({"machine": machine(), "task": "reach", "trainings": results}, indent=1) + "\n")
    draw(results, FIGURE)


if __name__ == "__main__":
    main()
