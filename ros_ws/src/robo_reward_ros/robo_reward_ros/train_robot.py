"""A policy learnt through `RobotEnv`: python -m robo_reward_ros.train_robot OUTPUT.

Starts the simulated arm in lockstep and its reward node as processes of their own, and has a learner of
`robo_reward.rl` train and be judged over DDS, rewarded by what calibrated cameras see, by a model that is fitted to
scripted demonstrations first, or by one that is named. OUTPUT takes the model, logs, checkpoints, `nodes.yaml` for the
bring-up, `robot.yaml` and `best_policy.zip` for `policy_node`, and `summary.json`. The same call on the same folder
goes on where it was interrupted.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import torch
import yaml

from robo_reward.errors import RoboRewardError
from robo_reward.rl.environments import Environments
from robo_reward.rl.learners import Sac
from robo_reward.rl.metrics import MetricsLine
from robo_reward.rl.policy_evaluation import PolicyEvaluation, evaluate_policy
from robo_reward.rl.saved_policy import load_saved_policy
from robo_reward.rl.training import Training, TrainingListener, TrainingResult
from robo_reward.rl.training_settings import TrainingSettings
from robo_reward_ros.demo_ros_model import bring_up_words
from robo_reward_ros.demo_ros_processes import ProcessError, check_running, running
from robo_reward_ros.robot_env import RobotEnv
from robo_reward_ros.robot_env_settings import robot_of
from robo_reward_ros.robot_env_sim_arm import sim_arm_robot
from robo_reward_ros.train_robot_reward import check_model, default_model, robot_reward

JUDGED_FROM = 1_000_000
"""First seed of the last evaluation: none of them occurred in training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotTraining:
    """A training on the simulated arm."""

    output: Path
    model: str = ""
    """geometry, process, ground_truth, a fitted folder or a YAML file, see `robot_reward`; empty = the task's own."""
    task: str = "reach"
    reward: str = "environment"
    """environment: shaped and task reward, from the reward node; sparse: success alone, to compare with."""
    steps: int = 4000
    every: int = 500
    episodes: int = 20
    """Of the last evaluation."""
    judged: int = 5
    """Episodes of each evaluation on the way."""
    updates: float = 1.0
    """Gradient steps per step; with three the critic overestimates before the first success."""
    demonstrations: int = 60
    discount: float = 0.95
    success_reward: float = 2.0
    """More than Φ ever is: a terminal state pays −Φ."""
    seed: int = 0
    domain: int = 77
    """ROS_DOMAIN_ID."""


def train(training: RobotTraining) -> dict[str, Any]:
    """Train, judge the best policy from seeds that it has not seen, and say how it went; `summary.json` says the same.

    Raises:
        ProcessError: A node or the fit ended.
        RobotError: The arm or the rewards are not there.
    """
    began, output = time.monotonic(), training.output
    rewarded = robot_reward(
        output / "reward",
        model=training.model or default_model(training.task),
        task=training.task,
        demonstrations=training.demonstrations,
    )
    _tell(f"the reward model is {rewarded.model} ({time.monotonic() - began:.0f} s)")
    words = bring_up_words(
        rewarded.model,
        task=training.task,
        discount=training.discount,
        success_reward=training.success_reward,
        seed=training.seed,
        cameras=rewarded.cameras,
        more=rewarded.words,
    )
    described = sim_arm_robot(
        observation=rewarded.observation,
        discount=training.discount,
        success_reward=training.success_reward,
        reset_timeout=120.0,
        # a potential that is not known for a while, far from all that the model knows, is no reason to begin anew
        max_hold=10.0,
    )
    (output / "robot.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    environment = {"ROS_DOMAIN_ID": str(training.domain), "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    log = output / "logs" / "bringup.log"
    with running("robo_reward_bringup", words, log=log, environment=environment) as nodes:
        env = RobotEnv(
            *robot_of(described),
            domain=training.domain,
            # nobody waits for nodes that have ended
            check=partial(check_running, nodes, "the bring-up", log=log),
        )
        try:
            result = _learn(training, env)
            learnt = time.monotonic()
            judged = _judge(training, env, result)
        finally:
            env.close()
    summary = _summary(training, result, judged) | {
        "training_seconds": round(learnt - started, 1),
        "steps_per_second": round(result.steps / (learnt - started), 1),
        "seconds": round(time.monotonic() - began, 1),
    }
    (output / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def _learn(training: RobotTraining, env: RobotEnv) -> TrainingResult:
    torch.set_num_threads(1)
    settings = TrainingSettings(
        reward=training.reward,  # pyright: ignore[reportArgumentType]
        success_reward=training.success_reward,
        total_steps=training.steps,
        every=training.every,
        evaluation_episodes=training.judged,
        stop_success_rate=1.0,
        stop_evaluations=2,
        videos=0,
        seed=training.seed,
    )
    learner = Sac(
        num_envs=1,
        discount=training.discount,
        entropy=0.01,
        learning_starts=min(300, training.steps // 2),
        updates_per_step=training.updates,
    )
    return Training(
        # there is one robot: what closes an environment of the training does not close it
        Environments(make=partial(_Shared, env), only_one=True),
        learner,
        output=training.output / "training",
        settings=settings,
        listener=TrainingListener(on_metrics=_told),
    ).run()


def _judge(training: RobotTraining, env: RobotEnv, result: TrainingResult) -> PolicyEvaluation:
    policy = load_saved_policy(result.best_policy)
    seeds = range(JUDGED_FROM, JUDGED_FROM + training.episodes)
    return evaluate_policy(policy, env, seeds=seeds, mode="environment")


def _summary(training: RobotTraining, result: TrainingResult, judged: PolicyEvaluation) -> dict[str, Any]:
    return {
        "task": training.task,
        "reward": training.reward,
        "model": training.model or default_model(training.task),
        "seed": training.seed,
        "steps": result.steps,
        "episodes_judged": training.episodes,
        "success_rate": judged.success_rate,
        "mean_return": judged.mean_return,
        "mean_length": judged.mean_length,
        "policy": str(result.best_policy),
    }


class _Shared(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The one robot: whoever closes it has it hold only."""

    def close(self) -> None:
        self.env.hold()  # pyright: ignore[reportAttributeAccessIssue]


def _told(line: MetricsLine) -> None:
    success, length = line.get("evaluation/success_rate"), line.get("evaluation/mean_length")
    rate = line["time/steps_per_second"]
    _tell(f"{line['step']} steps: success {success:.2f}, {length:.1f} steps an episode; {rate:.1f} steps/s")


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _arguments(words: Sequence[str] | None) -> RobotTraining:
    parser = argparse.ArgumentParser(
        prog="train_robot", description="A policy learnt on the simulated arm, rewarded by what cameras see, over DDS."
    )
    default = RobotTraining(output=Path())
    parser.add_argument("output", type=Path, help="folder; the same one again goes on where it was interrupted")
    parser.add_argument(
        "--model",
        default="",
        help="geometry: calibrated cameras see the ball; process: fitted to scripted demonstrations; ground_truth: the "
        "simulator tells; or a fitted folder or a YAML file; none = geometry for reach, process for other tasks",
    )
    parser.add_argument("--task", default=default.task, choices=("reach", "push", "pick", "open"))
    parser.add_argument("--reward", default=default.reward, choices=("environment", "sparse"))
    for name, text in (
        ("steps", "of the training at most"),
        ("every", "steps between evaluations"),
        ("episodes", "of the last evaluation"),
        ("demonstrations", "that the reward model is fitted to"),
        ("seed", "of all random choices"),
        ("domain", "ROS_DOMAIN_ID"),
    ):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name), help=f"{text} (%(default)s)")
    training = RobotTraining(**vars(parser.parse_args(words)))
    try:
        check_model(training.model or default_model(training.task), task=training.task)
    except ValueError as error:
        parser.error(str(error))
    return training


def main(words: Sequence[str] | None = None) -> int:
    """Run it; 0 = trained, 1 = something was missing, 130 = interrupted."""
    training = _arguments(words)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    for told_to_end in (signal.SIGINT, signal.SIGTERM):  # in the background a shell has SIGINT ignored
        signal.signal(told_to_end, signal.default_int_handler)
    training.output.mkdir(parents=True, exist_ok=True)
    try:
        _tell(json.dumps(train(training), indent=1))
    except (RoboRewardError, ProcessError) as error:
        _tell(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _tell("interrupted: the arm holds, the nodes are stopped; the same command goes on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
