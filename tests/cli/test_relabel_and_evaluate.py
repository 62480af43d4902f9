"""The verbs on a small recorded data set with the embedded encoder: what a user types first."""

import json

import pyarrow.parquet as pq
import pytest
from recorded import record_red_to_green

from robo_reward.cli.main import main

TWO = ("make it green", "turn the picture green")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record_red_to_green(tmp_path_factory.mktemp("recorded") / "data", [12, 14, 9, 11, 10, 13], instructions=TWO)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def relabel(recorded, output, *overrides) -> int:
    prompts = ['reward_model.goal=["a green cube","{instruction}"]', "reward_model.baseline=[a red cube]"]
    return main(["relabel", "episodes=lerobot", f"episodes.path={recorded}", f"output={output}", *prompts, *overrides])


def test_relabel_then_evaluate(recorded, tmp_path):
    assert relabel(recorded, tmp_path / "out", f"demonstrations.path={recorded}", "demonstrations.select=[0,1]") == 0
    table = pq.read_table(sorted((tmp_path / "out").glob("data/**/*.parquet")))
    assert {"reward.progress", "reward.spread", "reward.potential", "reward.shaped", "next.reward"} <= set(
        table.column_names
    )
    assert main(["evaluate", f"episodes.path={tmp_path / 'out'}", "overlays=0"]) == 0
    metrics = json.loads((tmp_path / "out_report" / "metrics.json").read_text())
    assert set(metrics["tasks"]) == {"make-it-green", "turn-the-picture-green"}
    for figures in metrics["tasks"].values():
        assert {"voc", "voc_static", "voc_reversed", "voc_wrong_instruction", "success_auroc"} <= set(figures)
        assert figures["voc_reversed"] == pytest.approx(-figures["voc"], abs=1e-9)
    assert (tmp_path / "out_report" / "report.html").stat().st_size > 10_000


def test_demonstrations_are_known_as_fitted_under_any_spelling_of_their_folder(recorded, tmp_path):
    spelt = recorded.parent / "." / ".." / recorded.parent.name / recorded.name
    output = tmp_path / "out"
    assert relabel(recorded, output, f"demonstrations.path={spelt}", "demonstrations.select=[0,1]") == 0
    provenance = json.loads((output / "meta" / "robo_reward" / "provenance.json").read_text())
    assert provenance["fitted_on"] == [0, 1]


def test_another_discount_changes_the_shaping_and_not_the_progress(recorded, tmp_path):
    for discount in (0.9, 0.99):
        assert relabel(recorded, tmp_path / str(discount), f"discount={discount}", "shaping=exponential") == 0
    one, other = (
        pq.read_table(sorted((tmp_path / name).glob("data/**/*.parquet"))).to_pandas() for name in ("0.9", "0.99")
    )
    assert one["reward.progress"].equals(other["reward.progress"])
    assert not one["reward.shaped"].equals(other["reward.shaped"])


def test_evaluating_what_was_never_relabelled_says_so(recorded, capsys):
    assert main(["evaluate", f"episodes.path={recorded}"]) == 2
    assert "was not written by `robo-reward relabel`" in capsys.readouterr().err
