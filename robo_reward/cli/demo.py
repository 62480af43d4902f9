"""`robo-reward demo`: record → relabel → evaluate → report, with no data and no download."""

import json
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from robo_reward.cli import evaluate, relabel
from robo_reward.cli.build import Plain, build, plain
from robo_reward.cli.configuration import compose_verb
from robo_reward.durable import atomic_file
from robo_reward.errors import OutputError


def run(config: DictConfig) -> None:
    """Run the four steps, leaving out those that an earlier run of the same configuration finished."""
    output, console = Path(config.output), Console(stderr=True, soft_wrap=True)
    _claim(output, config)
    recording = build(config.record)
    steps: list[tuple[str, Path, Callable[[], object]]] = [
        (
            "record demonstrations",
            output / "demonstrations",
            lambda: recording.record_demonstrations(output / "demonstrations"),
        ),
        ("record episodes", output / "episodes", lambda: recording.record_episodes(output / "episodes")),
        ("relabel", output / "relabelled", lambda: relabel.run(_relabelling(config, output))),
        ("evaluate", output / "report.html", lambda: evaluate.run(_evaluation(config, output))),
    ]
    for number, (name, result, step) in enumerate(steps, 1):
        console.print(f"[{number}/{len(steps)}] {name}", markup=False, style="bold")
        if result.exists():
            console.print(f"      {result} is there from an earlier run", markup=False)
        else:
            step()
    _show(output, console)


def _claim(output: Path, config: DictConfig) -> None:
    """Bind the folder to this configuration; results of two configurations never mix."""
    wanted = json.dumps(OmegaConf.to_container(config, resolve=True), indent=2, sort_keys=True)
    marker = output / "configuration.json"
    if marker.exists() and marker.read_text() != wanted:
        raise OutputError(f"{output} holds a demo of another configuration; remove it, or choose output=FOLDER")
    with atomic_file(marker) as temporary:
        temporary.write_text(wanted)


def _relabelling(config: DictConfig, output: Path) -> DictConfig:
    whole = compose_verb("relabel", [])
    beside = [str(name) for name in whole if name not in config]  # what relabelling asks beside the demo's own keys
    return _with(
        config,
        plain(OmegaConf.masked_copy(whole, beside))
        | {
            "output": str(output / "relabelled"),
            "episodes": {"path": str(output / "episodes"), "success_column": "truth.success"},
            "demonstrations": {"path": str(output / "demonstrations")},
        },
    )


def _evaluation(config: DictConfig, output: Path) -> DictConfig:
    paths = {"output": str(output), "episodes": {"path": str(output / "relabelled")}}
    return _with(config, plain(config.evaluation) | paths)


def _with(config: DictConfig, changes: Plain) -> DictConfig:
    """Give a copy with changes, which may name keys that the demo's own configuration lacks."""
    opened = OmegaConf.create(OmegaConf.to_container(config))
    return OmegaConf.merge(opened, changes)  # pyright: ignore[reportReturnType]


def _show(output: Path, console: Console) -> None:
    tasks = json.loads((output / "metrics.json").read_text())["tasks"]
    columns = ("voc", "voc_static", "voc_reversed", "voc_wrong_instruction", "success_auroc")
    table = Table("task", *columns)
    for name, figures in tasks.items():
        values = (figures.get(column) for column in columns)
        table.add_row(name, *("unknown" if value is None else f"{value:.2f}" for value in values))
    console.print(table)
    console.print(f"look at {output / 'report.html'}; figures are in {output / 'metrics.json'}", markup=False)
