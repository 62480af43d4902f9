"""A plan of key points in a recorded data set: what the arm felt is read, judged, and felt again by the evaluation."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from key_point_plans import CORNER
from lerobot_data import FPS, FRONT, features, moving_square

from robo_reward.cli.choose_models import choose_models
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.main import main
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter
from robo_reward.plans.plan_file import write_plan

ROUND = replace(CORNER, task="Go round the corner ")
LENGTHS = (9, 12)
STATE = "episodes.state={tool_position: {column: observation.state, first: 0, stop: 3}}"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """An arm that goes the plan's way, (0, 0, 0) to (1, 0, 0) to (1, 1, 0), at constant speed."""
    folder = tmp_path_factory.mktemp("felt") / "data"
    declared = features((FRONT,), next__success=Feature(dtype="bool"))
    with LeRobotWriter(folder, declared, fps=FPS, robot_type="square") as writer:
        for index, length in enumerate(LENGTHS):
            way = np.linspace(0, 2, length)
            at = np.stack([way.clip(0, 1), (way - 1).clip(0, 1), 0 * way], axis=1).astype(np.float32)
            action = np.zeros((length, 2), np.float32)
            views = {FRONT: moving_square(length, seed=index)}
            columns = {"observation.state": at, "action": action, "next.success": np.arange(length) == length - 1}
            writer.add_episode("go round the corner", views=views, columns=columns)
    return folder


def test_progress_along_the_plan_is_written_and_judged_by_what_was_felt(recorded, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plan, output = tmp_path / "plan.yaml", tmp_path / "out"
    write_plan(ROUND, plan)
    model = ["reward_model=keypoint_affordance", f"reward_model.plan='{plan}'", "reward_model.gripper=null"]
    assert main(["relabel", f"episodes.path={recorded}", f"output={output}", STATE, *model]) == 0
    progress = pq.read_table(sorted(output.glob("data/**/*.parquet")))["reward.progress"].to_numpy()
    assert progress == pytest.approx(np.concatenate([np.linspace(0, 1, length) for length in LENGTHS]), abs=1e-5)
    assert main(["evaluate", f"episodes.path={output}", "overlays=0"]) == 0
    (figures,) = json.loads((tmp_path / "out_report" / "metrics.json").read_text())["tasks"].values()
    assert figures["voc"] == pytest.approx(1)
    assert figures["voc_reversed"] == pytest.approx(-1)


def test_a_plan_of_another_task_is_refused_unless_it_is_said_to_be_the_same(recorded, tmp_path, capsys):
    plan = write_plan(replace(ROUND, task="bring it"), tmp_path / "plan.yaml")
    model = ["reward_model=keypoint_affordance", f"reward_model.plan='{plan}'", "reward_model.gripper=null"]
    asked = ["relabel", f"episodes.path={recorded}", STATE, *model]
    assert main([*asked, f"output={tmp_path / 'out'}"]) == 2
    told = capsys.readouterr().err
    assert "the plan is of the task 'bring it', the episodes are told 'go round the corner'" in told
    assert "prompts.file=FILE.yaml" in told
    assert not (tmp_path / "out").exists()
    assert main([*asked, f"output={tmp_path / 'out'}", "reward_model.any_task=true"]) == 0


def test_each_instruction_may_have_its_own_plan(tmp_path):
    tasks = {name: replace(CORNER, task=name) for name in ("bring it", "open the door")}
    own = {name: {"plan": str(write_plan(plan, tmp_path / f"{name}.yaml"))} for name, plan in tasks.items()}
    (tmp_path / "prompts.yaml").write_text(json.dumps(own))
    config = compose_verb("relabel", ["reward_model=keypoint_affordance", f"prompts.file={tmp_path / 'prompts.yaml'}"])
    models = choose_models(config, list(tasks)).models
    assert [models[name].plan.task for name in tasks] == list(tasks)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_plan_without_what_the_arm_felt_is_refused_and_nothing_is_written(recorded, tmp_path, capsys):
    plan, output = tmp_path / "plan.yaml", tmp_path / "out"
    write_plan(ROUND, plan)
    model = ["reward_model=keypoint_affordance", f"reward_model.plan='{plan}'", "reward_model.gripper=null"]
    assert main(["relabel", f"episodes.path={recorded}", f"output={output}", *model]) != 0
    assert "tool_position" in capsys.readouterr().err
    assert not output.exists()
