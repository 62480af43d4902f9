import sys

import pytest
from recorded import record_red_to_green

from robo_reward.cli.main import VERBS, main


def said(capsys) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_help_names_every_verb(capsys):
    assert main([]) == 0
    text = said(capsys)
    assert all(verb in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_shows_its_keys_and_choices(verb, capsys):
    assert main([verb, "--help"]) == 0
    text = said(capsys)
    assert f"usage: robo-reward {verb}" in text
    assert "output:" in text
    if verb in ("relabel", "demo"):
        assert "encoder=" in text
        assert "embedded" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["relable"], "error: unknown verb 'relable'; there are demo, record, fit, relabel, plan, evaluate"),
        (["relabel", "encodr=embedded"], "error: Could not override 'encodr'"),
        (["relabel", "encoder=vit_x"], "error: In 'relabel': Could not find 'encoder/vit_x'"),
        (["relabel", "output=out"], "Missing mandatory value: episodes.path"),
        (["relabel", "output=out", "episodes.path=nowhere"], "nowhere"),
        (["evaluate", "episodes.path=nowhere"], "nowhere"),
    ],
)
def test_what_the_user_can_mend_is_one_line_without_a_traceback(arguments, message, capsys):
    assert main(arguments) == 2
    text = said(capsys)
    assert message in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("plan", "  heights: []           # [m] to choose from: then the first camera and a height are enough"),
        ("plan", "output: ???             # folder of plan.yaml and all that it was made from"),
        ("relabel", "discount: 0.99          # the learner's γ"),
        ("relabel", "  # What models may feel, in metres of the base frame; null = nothing. Such as"),
        ("relabel", "  path: ???             # the folder that holds meta/, data/ and videos/"),
    ],
)
def test_help_says_what_the_keys_mean(verb, told, capsys):
    assert main([verb, "--help"]) == 0
    assert told in said(capsys).splitlines()


@pytest.mark.parametrize("slow", ["robo_reward.cli.configuration", "robo_reward.cli.plan"])
def test_ctrl_c_while_things_are_imported_is_one_line(slow, monkeypatch, capsys):
    class Stop:
        def find_spec(self, name, *_):
            if name == slow:
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, slow, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Stop(), *sys.meta_path])
    assert main(["plan", "task=a"]) == 130
    assert said(capsys).startswith("stopped; ")


def test_missing_prompts_are_named(tmp_path, capsys):
    data = record_red_to_green(tmp_path / "data", [3])
    assert main(["relabel", f"episodes.path={data}", f"output={tmp_path / 'out'}"]) == 2
    assert "reward_model.baseline is missing for instruction 'make it green'" in said(capsys)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.partial").exists()


def test_prompts_for_an_instruction_that_nobody_recorded_are_refused(tmp_path, capsys):
    data = record_red_to_green(tmp_path / "data", [3])
    prompts = tmp_path / "prompts.yaml"
    prompts.write_text("open the drawer: {goal: [the drawer is open], baseline: [the drawer is closed]}\n")
    assert main(["relabel", f"episodes.path={data}", f"output={tmp_path / 'out'}", f"prompts.file={prompts}"]) == 2
    assert "no episode has instruction ['open the drawer']; there are ['make it green']" in said(capsys)
