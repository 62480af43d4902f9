import json
import re
from pathlib import Path

import pytest
from test_study_plan import shaping_plan

from robo_reward.cli import study_shaping
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.main import main
from robo_reward.study.result import StudyResult, write_result

PARTS = {part.name: [run.name for run in part.runs] for part in shaping_plan().parts}


def places(folder: Path) -> list[str]:
    page = folder / "page.md"
    page.write_text("".join(f"<!-- {name} -->\n<!-- end -->\n" for name in ("progress", "claims", *PARTS)))
    return [f"output={folder}", f"results={folder}/results", f"page={page}", f"images={folder}/images"]


def test_a_report_is_made_of_the_results_that_are_there(tmp_path, capsys):
    curve = {"steps": [500, 1000], "success": [0.0, 1.0], "returns": [0.0, 1.0], "lengths": [50.0, 9.0]}
    result = StudyResult(
        name="reach.sparse.0", task="reach", reward="sparse", model=None, variant="", seed=0, settings=[],
        cpu_seconds=60.0, fit_cpu_seconds=0.0, versions={}, **curve,
    )  # fmt: skip
    write_result(result, tmp_path / "results")
    assert main(["study", "shaping", *places(tmp_path), "report=true"]) == 0
    has = [part for part, names in PARTS.items() if result.name in names]
    assert {"comparison", "cross"} <= set(has) < set(PARTS)
    text = (tmp_path / "page.md").read_text()
    assert re.match(r"<!-- progress -->\n1 of \d+ runs are done \(comparison 1 of \d+, potential 0 of \d+, ", text)
    assert text.count("| reach | sparse | 1 | 1000 [–, –] | 50% [–, –] | 1.0 |") == len(has)
    assert text.count("No run of this part is done yet.") == len(PARTS) - len(has)
    assert {file.name for file in (tmp_path / "images").iterdir()} == {f"{part}.png" for part in has}
    assert "tables in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "output=x"], "name a study: robo-reward study shaping [key=value …]"),
        (["study", "colour", "output=x"], "study has no step 'colour'; there are shaping"),
        (["study", "shaping", "output=x", "only=fold"], "no run has 'fold' in its name; there are reach.sparse.0, "),
        (["study", "shaping", "output=x", "jobs=0"], "jobs must be >= 1, got 0"),
        (["study", "shaping"], "Missing mandatory value: output"),
    ],
)
def test_what_the_user_can_mend_is_told(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_only_the_named_runs_are_made(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(study_shaping, "run_study", lambda runs, folders, *, told: asked.append(runs))
    assert main(["study", "shaping", *places(tmp_path), "only=plate-slide.shaped.preference"]) == 0
    assert [run.name for run in asked[0]] == [f"plate-slide.shaped.preference.{seed}" for seed in range(5)]


def test_the_committed_results_were_made_with_the_settings_that_the_study_has_now():
    """A result of other settings would stop whoever goes on; here it is told to whoever changes them."""
    folder = Path(__file__).parents[2] / compose_verb("study", ["shaping", "output=x"]).results
    made = {path.stem for path in folder.glob("*.json")}
    if not made:
        pytest.skip("no run is done yet")
    planned = {run.name: run for run in shaping_plan().runs()}
    assert made <= set(planned)
    for name in made:
        told = json.loads((folder / f"{name}.json").read_text())
        assert told["settings"] == [*planned[name].settings, *planned[name].fit]


@pytest.mark.slow
def test_runs_are_shared_by_several_processes(tmp_path):
    from test_study_runner import folders, runs

    study_shaping._make(runs(), folders(tmp_path), 2)
    made = sorted(path.stem for path in (tmp_path / "results").iterdir())
    assert made == ["reach.shaped.truth.0", "reach.sparse.0", "reach.sparse.1"]
