"""Every command and every Python snippet of README and docs, executed.

Commands that need a download are composed, not run; `make` targets are dry-run.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.main import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MINIATURE = ["record.demonstrations=1", "record.successes=1", "record.failures=1", "record.num_workers=1"]
QUICK_FIT = ["reward_model.fit.steps=25"]
SHORT_TRAINING = [
    "total_steps=40",
    "every=20",
    "evaluation_episodes=1",
    "videos=0",
    "threads=1",
    "learner.learning_starts=10",
    "learner.num_envs=1",
    "task.parallel=false",
]
SHORT_STUDY = [
    "only=reach.sparse.0",
    "results=outputs/study_results",
    "page=study_shaping.md",
    "images=outputs/study_images",
    "settings=['every=20','evaluation_episodes=1','videos=0','threads=1','learner.num_envs=1','success_reward=2']",
    "tasks.reach.settings=['task=table_top','task.name=reach','total_steps=40']",
]
SMALLER = {"record": MINIATURE, "fit": QUICK_FIT, "train": SHORT_TRAINING, "study": SHORT_STUDY}
NEEDS_ROBOT = ("task.env=my_robot",)
NEEDS_DOWNLOAD = ("encoder=vit_b_32", "encoder=siglip", "encoder=mobileclip", "encoder.model=")


def blocks(language: str) -> list[tuple[str, str]]:
    """(page, text) of every fenced block of a language."""
    found = []
    for page in PAGES:
        for match in re.finditer(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            found.append((page.name, match[1]))
    return found


def commands() -> list[tuple[str, str]]:
    """(page, command) of every line of a shell block, continued lines joined."""
    return [
        (page, line.split("  #")[0].strip())
        for page, text in blocks("bash")
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]


def of(*starts: str) -> list[tuple[str, str]]:
    return [(page, command) for page, command in commands() if command.startswith(starts)]


def test_the_pages_hold_commands_of_every_kind_and_no_other():
    known = ("robo-reward ", "make ", "pip install ", "python benchmarks/", "python -m robo_reward_sim.")
    assert {command for _, command in commands() if not command.startswith(known)} == set()
    assert of("robo-reward relabel")
    assert of("robo-reward evaluate")
    assert of("make demo")


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_python_snippets_run(page, text):
    exec(compile(text, page, "exec"), {"__name__": "snippet"})


@pytest.mark.parametrize(("page", "command"), of("make "))
def test_make_targets_exist(page, command):
    done = subprocess.run(
        ["make", "-n", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "command"), of("pip install "))
def test_extras_that_are_named_exist(page, command):
    project = (ROOT / "pyproject.toml").read_text()
    for extra in re.findall(r"\[([a-z,]+)\]", command):
        assert all(re.search(rf"^{name} = \[", project, re.MULTILINE) for name in extra.split(","))


@pytest.mark.parametrize(("page", "command"), of("robo-reward "))
def test_commands_compose(page, command):
    verb, *overrides = shlex.split(command)[1:]
    if "--help" not in overrides:
        compose_verb(verb, overrides)


@pytest.mark.parametrize(("page", "command"), of("python benchmarks/", "python -m robo_reward_sim."))
def test_scripts_show_their_help(page, command):
    import sys

    words = [sys.executable, *shlex.split(command)[1:]]
    script = words[1:3] if words[1] == "-m" else words[1:2]
    done = subprocess.run(
        [sys.executable, *script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_commands_run_on_a_miniature_of_the_demo(tmp_path, monkeypatch):
    """In one folder, in the order of the pages, as a reader would type them."""
    pytest.importorskip("metaworld", reason="the sim extra is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copy(ROOT / "docs" / "study_shaping.md", tmp_path)
    assert main(["demo", *MINIATURE, *QUICK_FIT]) == 0
    for page, command in of("robo-reward "):
        words = shlex.split(command)[1:]
        lacking = any(need in word for word in words for need in (*NEEDS_DOWNLOAD, *NEEDS_ROBOT))
        if words[0] == "demo" or "--help" in words or lacking:
            continue
        closed_form = "reward_model=preference" in words  # it has no steps to shorten
        miniature = [] if closed_form else SMALLER.get(words[0], [])
        if words[0] == "train" and "reward_model=ground_truth" not in words:
            miniature = [*miniature, *QUICK_FIT, "task.record.demonstrations=2"]
        assert main([*words, *miniature]) == 0, f"{page}: {command}"
