"""Learning on the simulated arm: settings, processes, and a whole small training over DDS."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from robo_reward_ros.demo_ros_model import GROUND_TRUTH, bring_up_words
from robo_reward_ros.demo_ros_processes import ProcessError, check_running, run, running
from robo_reward_ros.robot_env_settings import robot_of
from robo_reward_ros.robot_env_sim_arm import ARM_JOINTS, GRIPPER_JOINT, OPEN, SHUT, STEP_DURATION, TOOL_SPEED
from robo_reward_ros.robot_env_sim_arm import sim_arm_robot as described
from ros_pictures import until

from robo_reward.camera.rig_file import read_rig


def test_the_simulated_arm_is_described_as_its_simulator_has_it():
    kinematics = pytest.importorskip("robo_reward_sim.table_top.kinematics", reason="pip install 'robo-reward[sim]'")
    from robo_reward_sim.table_top import environment, task

    assert (ARM_JOINTS, GRIPPER_JOINT) == (kinematics.ARM_JOINTS, kinematics.GRIPPER_JOINT)
    assert (OPEN, SHUT) == (kinematics.MAX_WIDTH / 2, 0.0)
    assert (TOOL_SPEED, STEP_DURATION) == (task.TOOL_SPEED, environment.STEP_DURATION)


def test_the_truth_comes_over_a_topic_and_a_fitted_model_has_an_encoder(tmp_path):
    given = {"task": "reach", "discount": 0.95, "success_reward": 2.0, "seed": 0}
    told, fitted = bring_up_words(GROUND_TRUTH, **given), bring_up_words(tmp_path, **given)
    assert {"reward_model:=ground_truth", "state_names:=[progress]", "state_fields:=[]"} <= set(told)
    assert not any(word.startswith("overrides") for word in told)
    assert any(word.startswith("overrides") for word in fitted)
    assert not any(word.startswith("state_") for word in fitted)


def test_an_action_moves_the_tool_of_the_simulated_arm_as_the_task_says():
    kinematics = pytest.importorskip("robo_reward_sim.table_top.kinematics", reason="pip install 'robo-reward[sim]'")
    robot, episodes = robot_of(described(horizon=7))
    assert (robot.lockstep, robot.use_sim_time, episodes.horizon, episodes.seed_node) == (True, True, 7, "sim_arm_node")
    arm = kinematics.ArmKinematics()
    start = arm.joints_at(np.array([0.45, 0.0, 0.2]))
    moved = robot.actions.targets(np.array([1.0, -1.0, 0.5, 1.0]), np.append(start, OPEN))
    assert moved[-1] == SHUT
    change = arm.tool_position(moved[:-1]) - arm.tool_position(start)
    assert change == pytest.approx([0.015, -0.015, 0.0075], abs=1e-4)


def test_an_observation_that_there_is_none_of_is_refused():
    with pytest.raises(ValueError, match="observation must be one of learner, seen, task, got 'pixels'"):
        described(observation="pixels")


def test_a_policy_may_observe_the_goal_where_cameras_see_it():
    robot, _ = robot_of(described(observation="seen"))
    told, seen = robot_of(described())[0].states["goal"], robot.states["goal"]
    assert (seen.topic, seen.fields) == ("reward_node/key_points", ["points.ball"])
    assert (seen.relative_to, seen.scale) == (told.relative_to, told.scale) == ("tool", 10.0)


def test_geometry_is_written_down_as_a_person_would_have_it_and_binds(tmp_path):
    rewards = pytest.importorskip("robo_reward_ros.train_robot_reward", reason="pip install 'robo-reward[sim]'")
    from robo_reward_bringup.known_nodes import PARAMETER_TABLES
    from robo_reward_ros.bound_model import bind_model
    from robo_reward_ros.task_settings import TaskSettings

    from robo_reward_sim.table_top.tasks import table_top_task

    found = rewards.robot_reward(tmp_path, model="geometry", task="reach", demonstrations=3)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.yaml", "plan.yaml", "rig.yaml"]
    said = dict(word.split(":=") for word in found.words)
    assert said["instruction"] == table_top_task("reach").instruction
    assert said["state_topics"] == "[tool_pose]"
    words = bring_up_words(
        found.model, task="reach", discount=0.9, success_reward=2.0, seed=0, cameras=found.cameras, more=found.words
    )
    assert len({word.split(":=")[0] for word in words}) == len(words)
    names = [f"observation.images.{camera}" for camera in found.cameras]
    assert f"cameras:=[{', '.join(names)}]" in words
    nodes = rewards.node_parameters(words)
    reward, arm = (nodes[f"/**/{name}"]["ros__parameters"] for name in ("reward_node", "sim_arm_node"))
    assert (reward["rig"], reward["cameras"], reward["discount"]) == (said["rig"], names, 0.9)
    assert arm == {"task": "reach", "cameras": list(found.cameras)}
    assert not {"max_age", "state_scales", "use_sim_time"} & set(reward)
    for node, given in (("reward_node", reward), ("sim_arm_node", arm)):
        assert all(PARAMETER_TABLES[node][name].problem(value) == "" for name, value in given.items() if value != [])
    bound = bind_model(TaskSettings(reward_model=str(found.model), instruction=said["instruction"], rig=said["rig"]))
    assert bound.rig == said["rig"]
    assert list(read_rig(Path(said["rig"])).cameras) == names
    again = rewards.robot_reward(tmp_path, model="geometry", task="reach", demonstrations=3)
    assert bind_model(TaskSettings(reward_model=str(again.model), instruction=bound.goal_id)).model.version == (
        bound.model.version
    )


def test_what_rewards_is_chosen_by_the_task_unless_it_is_named(tmp_path):
    rewards = pytest.importorskip("robo_reward_ros.train_robot_reward", reason="pip install 'robo-reward[sim]'")
    assert [rewards.default_model(task) for task in ("reach", "push")] == ["geometry", "process"]
    truth = rewards.robot_reward(tmp_path, model="ground_truth", task="push", demonstrations=3)
    assert (truth.model, truth.words, truth.observation) == (GROUND_TRUTH, (), "learner")
    assert rewards.robot_reward(tmp_path, model="some/folder", task="push", demonstrations=3).model == Path(
        "some/folder"
    )
    with pytest.raises(ValueError, match="geometry is there for the task reach; got 'push': choose process"):
        rewards.robot_reward(tmp_path, model="geometry", task="push", demonstrations=3)
    assert list(tmp_path.iterdir()) == []


def test_who_wants_geometry_of_another_task_is_told_so_on_the_command_line(capsys):
    for name in ("rclpy", "robo_reward_msgs", "stable_baselines3", "tensorboard", "mujoco"):
        pytest.importorskip(name, reason=f"{name} is not installed: `make ros`, and pip install 'robo-reward[sim,rl]'")
    from robo_reward_ros.train_robot import main

    with pytest.raises(SystemExit):
        main(["unused", "--task", "push", "--model", "geometry"])
    assert "geometry is there for the task reach; got 'push'" in capsys.readouterr().err


def test_a_bring_up_that_ends_at_once_is_said_at_once(tmp_path, monkeypatch):
    for name in ("rclpy", "robo_reward_msgs", "robo_reward_bringup", "stable_baselines3", "tensorboard", "mujoco"):
        pytest.importorskip(name, reason=f"{name} is not installed: `make ros`, and pip install 'robo-reward[sim,rl]'")
    import ros_bench
    from robo_reward_ros import train_robot

    assert ros_bench.rclpy
    monkeypatch.setattr(train_robot, "bring_up_words", lambda *given, **settings: ["no_such_robot"])
    training = train_robot.RobotTraining(output=tmp_path, model="ground_truth", domain=DOMAIN + 1)
    began = monotonic()
    with pytest.raises(ProcessError, match=r"(?s)the bring-up ended \(exit status 2\); .*ends so:\n.*no_such_robot"):
        train_robot.train(training)
    assert monotonic() - began < 60  # not the two minutes that an arm is waited for


@pytest.mark.slow
def test_nodes_do_not_outlive_a_training_that_is_killed(tmp_path):
    for name in ("rclpy", "robo_reward_msgs", "robo_reward_bringup", "mujoco"):
        pytest.importorskip(name, reason=f"{name} is not installed: `make ros`, and pip install 'robo-reward[sim]'")
    words = bring_up_words(GROUND_TRUTH, task="reach", discount=0.95, success_reward=2.0, seed=0)
    paths = [str(Path(__file__).parents[2] / "ros_ws" / "src" / name) for name in ("robo_reward_ros", PACKAGE)]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN + 2), "PYTHONPATH": os.pathsep.join(paths)}
    log = tmp_path / "log"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(log), PACKAGE, *words], env=environment)
    try:
        until(lambda: log.exists() and len(started(log)) == 2, seconds=40)
        assert all(map(runs, started(log)))
    finally:
        starter.kill()
        starter.wait()
    until(lambda: not any(map(runs, started(log))), seconds=40)


PACKAGE = "robo_reward_bringup"
STARTER = """
import sys, time
from pathlib import Path
from robo_reward_ros.demo_ros_processes import running

with running(sys.argv[2], sys.argv[3:], log=Path(sys.argv[1])):
    time.sleep(300)
"""


def started(log: Path) -> list[int]:
    """Process ids of the nodes that a bring-up says it started."""
    return [int(line.rpartition(" ")[2]) for line in log.read_text().splitlines() if " started, process " in line]


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_that_fails_is_named_with_the_end_of_its_log(tmp_path):
    (tmp_path / "log").write_text("")
    with pytest.raises(ProcessError, match=r"(?s)json.tool failed \(exit status \d+\); .*log ends so:\n.*"):
        run("json.tool", [str(tmp_path / "absent")], log=tmp_path / "log")


def test_a_program_beside_this_one_is_interrupted_and_its_children_do_not_outlive_it(tmp_path):
    log = tmp_path / "log"
    with running("http.server", ["0", "--bind", "127.0.0.1"], log=log) as process:
        check_running(process, "the server", log=log)
        sleep(0.5)
    assert process.poll() is not None
    with pytest.raises(ProcessError, match=r"the server ended \(exit status "):
        check_running(process, "the server", log=log)


@pytest.mark.slow
def test_a_training_over_dds_completes_with_the_right_sums(tmp_path):
    for name in ("rclpy", "robo_reward_msgs", "robo_reward_bringup", "stable_baselines3", "tensorboard", "mujoco"):
        pytest.importorskip(name, reason=f"{name} is not installed: `make ros`, and pip install 'robo-reward[sim,rl]'")
    import ros_bench  # imports rclpy without the warning of what it imports
    from robo_reward_ros.train_robot import RobotTraining, train

    assert ros_bench.rclpy
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        (tmp_path / "model.yaml").write_text(MODEL)
        training = RobotTraining(
            output=tmp_path,
            model=str(tmp_path / "model.yaml"),
            steps=100,
            every=100,
            episodes=2,
            judged=1,
            domain=DOMAIN,
        )
        summary = train(training)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert summary["steps"] == 100
    assert 0 <= summary["success_rate"] <= 1
    line = json.loads((tmp_path / "training" / "metrics.jsonl").read_text().splitlines()[-1])
    # Φ is in [0, 1]: undiscounted, 50 steps of F = γΦ' − Φ add up to Φ_T − Φ_0 − (1 − γ) ΣΦ
    assert -1.0 - 0.05 * 50 <= line["episodes/shaping_return"] <= 1.0
    assert line["episodes/episodes"] == 2
    assert (tmp_path / "training" / "best_policy.zip").is_file()
    assert (tmp_path / "robot.yaml").is_file()


DOMAIN = 210
MODEL = """
encoder:
  _target_: robo_reward.perception.embedded_encoder.embedded_encoder
  device: cpu
  runtime: torch
  precision: float32
  batch_size: 2
reward_model:
  _target_: robo_reward.models.prompt_similarity.PromptSimilarity
  goal: [the gripper is in the red ball]
  baseline: [a table]
  alpha: 0.5
"""
