import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robo_reward.cli import train
from robo_reward.cli.study_plan import plan_study
from robo_reward.cli.study_runner import StudyFolders, run_study
from robo_reward.errors import OutputError
from robo_reward.study.result import read_result, read_results

pytest.importorskip("robo_reward_sim.rendering", reason="the tasks are simulated: pip install 'robo-reward[sim]'")

PLAN = {
    "settings": [
        "total_steps=40",
        "every=20",
        "evaluation_episodes=1",
        "stop_success_rate=null",
        "videos=0",
        "threads=1",
        "learner.num_envs=2",
        "learner.hidden=[8]",
        "learner.batch_size=8",
        "learner.learning_starts=10",
        "task.env.horizon=8",
        "task.env.height=32",
        "task.env.width=32",
    ],
    "tasks": {"reach": {"settings": ["task=table_top/reach"]}},
    "models": {"truth": {"settings": ["reward_model=ground_truth", "task.cameras=[]", "task.record=null"]}},
    "rewards": {"sparse": ["reward=sparse", "task.cameras=[]", "task.record=null"], "shaped": ["reward=shaped"]},
    "parts": {
        "all": [
            {"tasks": ["reach"], "rewards": ["sparse"], "seeds": 2},
            {"tasks": ["reach"], "rewards": ["shaped"], "models": ["truth"], "seeds": 1},
        ]
    },
}


def runs():
    return plan_study(**PLAN).runs()


def folders(path: Path) -> StudyFolders:
    return StudyFolders(output=path / "output", results=path / "results")


def curves(path: Path):
    return [(each.name, each.steps, each.success, each.returns, each.lengths) for each in read_results(path)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study that nobody interrupted."""
    path, told = tmp_path_factory.mktemp("study"), []
    assert run_study(runs(), folders(path), told=told.append) == 3
    return path, told


def test_every_run_leaves_its_result_and_says_so(whole):
    path, told = whole
    results = read_results(path / "results")
    assert [each.name for each in results] == ["reach.shaped.truth.0", "reach.sparse.0", "reach.sparse.1"]
    assert results[0].steps == [20, 40]
    assert results[0].settings[-1] == "seed=0"
    assert results[0].cpu_seconds > 0
    assert results[0].fit_cpu_seconds == 0
    assert told[0] == "run 1 of 3 (3 to do): reach.sparse.0"
    assert told[1].startswith("reach.sparse.0: 0% at the end, 0% at best; ")
    assert not list((path / "output" / "runs").glob("*/checkpoints"))


def test_what_is_finished_is_not_made_again(whole):
    path, _ = whole
    before = {file: file.read_bytes() for file in (path / "results").iterdir()}
    assert run_study(runs(), folders(path), told=pytest.fail) == 0
    assert {file: file.read_bytes() for file in (path / "results").iterdir()} == before


def test_a_run_that_another_process_makes_is_left_to_it(whole, tmp_path):
    import fcntl

    lock = tmp_path / "output" / "locks" / "reach.sparse.0.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run_study(runs()[:1], folders(tmp_path), told=pytest.fail) == 0
    assert not (tmp_path / "results").exists()


def test_a_result_of_other_settings_is_neither_taken_nor_overwritten(whole):
    path, _ = whole
    changed = plan_study(**PLAN | {"settings": [*PLAN["settings"], "learner.tau=0.5"]}).runs()
    with pytest.raises(OutputError, match=r"was made with other settings \(learner.tau=0.5\): remove it"):
        run_study(changed, folders(path), told=lambda _: None)


def test_a_study_that_goes_on_comes_to_what_an_uninterrupted_one_does(whole, tmp_path, monkeypatch):
    path, _ = whole
    learnt = train.Training._segment
    segments = []

    def interrupted(training):
        if len(segments) == 1:
            segments.append("cut")
            raise KeyboardInterrupt
        segments.append("whole")
        learnt(training)

    with monkeypatch.context() as patched:
        patched.setattr(train.Training, "_segment", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(runs(), folders(tmp_path), told=lambda _: None)
    assert not (tmp_path / "results").exists()
    spent = json.loads((tmp_path / "output" / "runs" / "reach.sparse.0" / "cpu_seconds.json").read_text())
    assert run_study(runs(), folders(tmp_path), told=lambda _: None) == 3
    assert curves(tmp_path / "results") == curves(path / "results")
    assert read_result(tmp_path / "results" / "reach.sparse.0.json").cpu_seconds > spent > 0


def test_a_run_that_cannot_be_made_does_not_keep_the_others_from_being_made(tmp_path):
    task = {"reach": {"settings": ["task=table_top/reach"]}, "none": {"settings": ["task=table_top/fold"]}}
    rows = [{"tasks": ["none", "reach"], "rewards": ["sparse"], "seeds": 1}]
    chosen, told = plan_study(**PLAN | {"tasks": task, "parts": {"all": rows}}).runs(), []
    with pytest.raises(ValueError, match=r"these runs could not be made, see above why: none.sparse.0$"):
        run_study(chosen, folders(tmp_path), told=told.append)
    assert [each.name for each in read_results(tmp_path / "results")] == ["reach.sparse.0"]
    assert told[1].startswith("none.sparse.0 cannot be made: ")
    assert "fold" in told[1]


RUNNER = """
import sys
from pathlib import Path
from test_study_runner import folders, runs
from robo_reward.cli.study_runner import run_study
run_study(runs(), folders(Path(sys.argv[1])), told=print)
"""


@pytest.mark.slow
def test_a_runner_that_is_killed_leaves_no_half_result_and_no_lock(whole, tmp_path):
    path, _ = whole
    started = subprocess.Popen([sys.executable, "-c", RUNNER, str(tmp_path)], cwd=Path(__file__).parent)
    first = tmp_path / "output" / "runs" / "reach.sparse.0" / "metrics.jsonl"
    until = time.monotonic() + 120
    while not first.exists() and time.monotonic() < until:
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    left = curves(tmp_path / "results")
    assert left == curves(path / "results")[: len(left)]
    run_study(runs(), folders(tmp_path), told=lambda _: None)
    assert curves(tmp_path / "results") == curves(path / "results")
