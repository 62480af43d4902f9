"""Every model that demonstrations can teach, beside baselines, on real recordings and simulated tasks.

    python benchmarks/compare_models.py --shared-data ../shared/data --simulated outputs/demo

Real recordings are left out where --shared-data is not given, simulated tasks where --simulated is not (a folder that
`robo-reward record` wrote). Each cell (suite, fold, model) is kept in --work as soon as it is done, and embeddings too:
a run that was stopped goes on where it was. Writes results/models.json, docs/models/comparison.md and its picture; with
--render, only the page and the picture, from the JSON that is there.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comparison_models import Contender, contenders
from comparison_page import write_page
from comparison_scores import real_scores, simulated_scores
from comparison_suites import Fold, SimulatedTasks, Suite, g1, robo_dopamine
from machine import machine
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from robo_reward.perception.embedding_store import EmbeddingStore

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
STORE_BYTES = 20_000_000_000


def suites(arguments: argparse.Namespace) -> list[Suite]:
    """Those whose data is there."""
    store = EmbeddingStore(arguments.work / "embeddings", max_bytes=STORE_BYTES)
    shared = arguments.shared_data
    found: list[Suite] = []
    if shared is not None:
        found += [robo_dopamine(shared, store), g1(shared, store)]
    if arguments.simulated is not None:
        weights = None if shared is None else shared / "weights"
        found.append(SimulatedTasks(arguments.simulated, weights=weights, store=store))
    return found


def cells(found: list[Suite], arguments: argparse.Namespace) -> Iterator[tuple[Suite, Fold, Contender]]:
    """Every combination that was asked for."""
    for suite in found:
        for contender in contenders():
            left_out = arguments.only and contender.name not in arguments.only
            no_weights = contender.looks_through == "lpips" and not arguments.shared_data
            if suite.name not in contender.suites or left_out or no_weights:
                continue
            for fold in suite.folds:
                yield suite, fold, contender


def measure(suite: Suite, fold: Fold, contender: Contender) -> dict[str, Any]:
    """Fit and score."""
    encoder = suite.encoder(contender, fold)
    lessons, tests = suite.lessons(contender, fold, encoder), suite.tests(contender, fold, encoder)
    cell = {"suite": suite.name, "fold": fold.name, "model": contender.name}
    start = time.perf_counter()
    try:
        model = contender.build(encoder, fold.instruction).fitted_to(lessons)
    except ValueError as error:  # what a model says when it cannot learn from these demonstrations
        return cell | {"refused": str(error)}
    seconds = time.perf_counter() - start
    if suite.name == "simulated":
        scores = simulated_scores(model, tests)
    else:
        scores = real_scores(model, tests[0], spread_known=not contender.is_baseline)
    return cell | {"fit_seconds": round(seconds, 1), "scores": _rounded(scores)}


def run(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure every cell that an earlier run did not."""
    todo, done = list(cells(suites(arguments), arguments)), []
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("cells", total=len(todo))
        for suite, fold, contender in todo:
            name = f"{suite.name}, {fold.name}, {contender.name}"
            bar.update(task, description=name)
            file = arguments.work / "cells" / f"{name.replace(', ', '__').replace(' ', '_')}.json"
            if not file.is_file() or contender.name in arguments.again:
                file.parent.mkdir(parents=True, exist_ok=True)
                unfinished = file.with_suffix(".unfinished")
                unfinished.write_text(json.dumps(measure(suite, fold, contender), indent=1) + "\n")
                unfinished.replace(file)
                console.print(name)
            done.append(json.loads(file.read_text()))
            bar.advance(task)
    return done


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value


def main() -> None:
    """Compare, store, render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared-data", type=Path, help="folder with episodes/ and weights/")
    parser.add_argument("--simulated", type=Path, help="folder with demonstrations/ and episodes/")
    parser.add_argument("--work", type=Path, default=Path("outputs/compare_models"), help="embeddings, finished cells")
    parser.add_argument("--again", nargs="*", default=[], metavar="MODEL", help="measure these anew")
    parser.add_argument("--only", nargs="*", default=[], metavar="MODEL", help="leave the others out")
    parser.add_argument("--render", action="store_true", help="only the page, from the results that are there")
    parser.add_argument("--output", type=Path, default=RESULTS / "models.json")
    arguments = parser.parse_args()
    if not arguments.render:
        if arguments.shared_data is None and arguments.simulated is None:
            parser.error("give --shared-data, --simulated or both")
        report = {"machine": machine(), "cells": run(arguments)}
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    report = json.loads(arguments.output.read_text())
    write_page(report, ROOT / "docs/models/comparison.md", ROOT / "docs/images/comparison.png")


if __name__ == "__main__":
    main()
