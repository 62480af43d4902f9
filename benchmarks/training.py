"""Environment steps per second of learning from a camera: VLM-RM's scheme, this project's, and without a reward.

    python benchmarks/training.py [--scene table_top humanoid] [--encoder embedded vit_b_32] [--rounds 5]

Both schemes learn with the same environment in as many processes, the same encoder and the same schedule: 50 steps of
each environment, every picture embedded, then one SAC update for 32 steps. They take turns, a rollout each, on a
machine that is best left alone; the median over rounds is reported, the ratio within each round, and the processor time
of all processes together, which says less on a quiet machine and more on another. Ours runs the
encoder in several ways: `torch float32` is the arithmetic of the other scheme, the others are what this project offers
for the same weights. Figures go into `results/training.json` beside those of other machines.
"""

import argparse
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from training_ours import OurScheme, Played, SharedEnvironments
from training_scenes import ENCODERS, SCENES, Pictured, encoder_of
from training_vlmrm import PHASES, TheirScheme

RESULTS = Path(__file__).parent / "results" / "training.json"
RUNTIMES = {
    "cpu": ("torch float32", "torch bfloat16", "onnx float32", "openvino bfloat16"),
    "cuda": ("torch float32", "torch bfloat16"),
}
THEIRS, WITHOUT = "VLM-RM's scheme", "ours, without a reward"


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of each round."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Of this process and all below it: what is left of a figure on a machine that others work on too."""


def processor_seconds() -> float:
    """Give the processor time of this process and all that it started and that still run."""
    parents, spent = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        parents[int(folder.name)] = int(told[1])
        spent[int(folder.name)] = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
    ours = {os.getpid()}
    while below := {process for process, parent in parents.items() if parent in ours} - ours:
        ours |= below
    return sum(spent[process] for process in ours)


def measured(scene: str, encoder: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Give the figures of one scene and encoder."""
    shared = SharedEnvironments(scene, num_envs=arguments.num_envs)
    theirs = TheirScheme(scene, encoder, num_envs=arguments.num_envs, device=arguments.device, chunk=arguments.chunk)
    ours = {WITHOUT: OurScheme(shared, scene, encoder=None, device=arguments.device)}
    for way in arguments.runtimes or RUNTIMES[arguments.device]:
        runtime, precision = way.split()
        looking = encoder_of(encoder, runtime=runtime, precision=precision, device=arguments.device)
        ours[f"ours, {way}"] = OurScheme(shared, scene, encoder=looking, device=arguments.device)
    agreement = _agreement(scene, theirs, ours)
    taken = _rounds({THEIRS: theirs} | ours, arguments.rounds)
    seconds = {name: each.wall for name, each in taken.items()}
    steps = theirs.rollout_steps
    parts = {name: each / (arguments.rounds * steps) for name, each in theirs.clock.seconds.items()}
    whole = {name: statistics.median(each) / steps for name, each in seconds.items()}
    adds = _our_shares(shared, ours, whole, rounds=arguments.rounds)
    theirs.close()
    shared.close()
    ratios = {name: statistics.median(np.divide(seconds[THEIRS], each)) for name, each in seconds.items()}
    return {
        "steps_per_second": {name: round(1 / each, 1) for name, each in whole.items()},
        "times_their_scheme": {name: round(each, 2) for name, each in ratios.items()},
        "processor_milliseconds_per_step": {
            name: round(1000 * statistics.median(each.processor) / steps, 2) for name, each in taken.items()
        },
        "rewards_differ_by_at_most": agreement,
        "their_milliseconds_per_step": _shares(parts, statistics.fmean(seconds[THEIRS]) / steps),
        "our_milliseconds_per_step": adds,
    }


def _rounds(schemes: Mapping[str, Any], rounds: int) -> dict[str, Taken]:
    for scheme in schemes.values():
        scheme.run()  # processes, caches and kernels are made in the first one
    schemes[THEIRS].clock.seconds.update(dict.fromkeys(PHASES, 0.0))
    taken = {name: Taken() for name in schemes}
    for number in range(rounds):
        order = list(schemes) if number % 2 == 0 else list(reversed(schemes))
        for name in order:
            before = processor_seconds()
            taken[name].wall.append(schemes[name].run())
            taken[name].processor.append(processor_seconds() - before)
    return taken


def _agreement(scene: str, theirs: TheirScheme, ours: Mapping[str, OurScheme]) -> dict[str, float]:
    """Reward the same pictures in every way: it is the same reward."""
    env = Pictured(SCENES[scene])
    env.reset(seed=0)
    pictures = []
    for _ in range(8):
        env.step(env.action_space.sample())
        pictures.append(env.render())
    env.close()
    wanted = theirs.rewards(np.stack(pictures))
    looking = {name: each for name, each in ours.items() if name != WITHOUT}
    return {name: float(np.abs(each.rewards(np.stack(pictures)) - wanted).max()) for name, each in looking.items()}


def _shares(parts: dict[str, float], whole: float) -> dict[str, float]:
    told = {name: round(1000 * each, 3) for name, each in parts.items()}
    return told | {"rest": round(1000 * (whole - sum(parts.values())), 3), "whole": round(1000 * whole, 3)}


def _our_shares(
    shared: SharedEnvironments, ours: Mapping[str, OurScheme], whole: Mapping[str, float], *, rounds: int
) -> dict[str, dict[str, float]]:
    """Tell what each part adds to a step: parts overlap, so that shares are differences, one more part at a time."""
    blind, seen = (Played(shared.vector(seen=seen)) for seen in (False, True))
    found = {}
    for name in ours:
        if name == WITHOUT:
            continue
        runs = [(blind.play(), seen.play(), ours[name].play()) for _ in range(rounds)]
        steps = blind.steps * shared.vector(seen=False).num_envs
        upto = [statistics.median(run[part] for run in runs) / steps for part in range(3)] + [whole[name]]
        adds = np.diff([0.0, *upto]).tolist()
        found[name] = {part: round(1000 * each, 3) for part, each in zip(PHASES, adds, strict=True)}
        found[name]["whole"] = round(1000 * whole[name], 3)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", nargs="+", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--encoder", nargs="+", choices=list(ENCODERS), default=list(ENCODERS))
    parser.add_argument("--runtimes", nargs="+", help="such as 'torch float32'; by default those of the device")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--num-envs", type=int, default=8)
    parser.add_argument("--chunk", type=int, default=100, help="pictures in one pass of the other scheme's encoder")
    parser.add_argument("--threads", type=int, help="of torch; by default its own choice")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    figures = json.loads(given.output.read_text()) if given.output.exists() else {}
    for scene in given.scene:
        for encoder in given.encoder:
            name = f"{scene}, {encoder}, {given.device}"
            figures[name] = measured(scene, encoder, given) | {"machine": machine(), "num_envs": given.num_envs}
            print(name, json.dumps(figures[name], indent=1))
            given.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
