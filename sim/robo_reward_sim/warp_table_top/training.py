"""A training in many worlds, from its configuration to the policy on disk."""

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from robo_reward.cli.build import build
from robo_reward.cli.choose_models import SAVED
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.train_model import reward_model_of
from robo_reward.durable import atomic_file, check_absent
from robo_reward.reward_model import RewardModel
from robo_reward_sim.warp_table_top.ppo import Ppo, PpoSettings
from robo_reward_sim.warp_table_top.rewarded import RewardedWorlds
from robo_reward_sim.warp_table_top.worlds import TableTopWorlds

_LOG = logging.getLogger(__name__)
_REWARDS = ("shaped", "sparse")
_SUITE = "table_top"


def train(overrides: Sequence[str], *, device: str) -> Path:
    """Train, and give the folder with `policy.pt`, `metrics.jsonl` and `configuration.json`.

    Args:
        overrides: Of the configuration of `robo-reward train`.
        device: Of simulator, encoder and learner.

    Raises:
        ValueError: A task that is no table-top task, a learner that is not PPO, a reward that is not made here.
        OutputError: The folder holds a training already.
    """
    config = _configuration(overrides, device)
    _check(config)
    output = Path(config.output)
    check_absent(output / "metrics.jsonl")
    output.mkdir(parents=True, exist_ok=True)
    learner = Ppo(_worlds(config, device, output), settings=_settings(config), seed=config.seed)
    with atomic_file(output / "configuration.json") as temporary:
        temporary.write_text(json.dumps({"device": device, "overrides": list(overrides)}, indent=2))
    steps, saved = 0, 0
    per_rollout = config.learner.num_envs * config.learner.steps_per_env
    while steps < config.total_steps:
        metrics = learner.learn()
        steps += per_rollout
        _note(output / "metrics.jsonl", {"steps": steps} | asdict(metrics))
        if steps - saved >= config.every or steps >= config.total_steps:
            _save(output / "policy.pt", learner)
            saved = steps
    return output


def _configuration(overrides: Sequence[str], device: str) -> Any:
    """Compose; task, learner and the encoder's device are what they can be here where the words say nothing of them."""
    usual = {"task": f"{_SUITE}/reach", "learner": "ppo"}
    said = {each.lstrip("+").partition("=")[0] for each in overrides}
    words = [f"{key}={value}" for key, value in usual.items() if key not in said] + list(overrides)
    composed = compose_verb("train", words)
    # a saved model looks through the encoder that it was fitted with
    key = "reward_model.encoder.device" if composed.reward_model["_target_"] == SAVED else "encoder.device"
    return composed if key in said else compose_verb("train", [*words, f"{key}={device}"])


def _check(config: Any) -> None:
    if not str(config.task.env["_target_"]).startswith(f"robo_reward_sim.{_SUITE}."):
        raise ValueError(f"only table-top tasks are simulated here: task={_SUITE}/reach, push, pick or open")
    if not str(config.learner["_target_"]).endswith(".Ppo"):
        raise ValueError("only learner=ppo learns here")
    if config.reward not in _REWARDS:
        raise ValueError(f"reward must be {' or '.join(_REWARDS)} here, got '{config.reward}'")


def _worlds(config: Any, device: str, output: Path) -> RewardedWorlds:
    env = config.task.env
    worlds = TableTopWorlds(
        config.task.name,
        num_worlds=config.learner.num_envs,
        device=device,
        seed=config.seed,
        step_duration=env.step_duration,
        horizon=env.horizon,
        terminate_on_success=env.terminate_on_success,
    )
    return RewardedWorlds(
        worlds,
        discount=config.learner.discount,
        model=_model(config, worlds, output) if config.reward == "shaped" else None,
        cameras=tuple(config.task.cameras),
        height=env.height,
        width=env.width,
        camera_prefix=config.task.camera_prefix,
        potential=build(config.shaping),
    )


def _model(config: Any, worlds: TableTopWorlds, output: Path) -> RewardModel:
    """Build or load the reward model; nothing is recorded and fitted here, which needs the extra that warp excludes."""
    config.task.record = None
    config.task.instruction = worlds.task.plain.instruction
    return reward_model_of(config, build(config.task), output)


def _settings(config: Any) -> PpoSettings:
    learner = config.learner
    return PpoSettings(
        steps_per_world=learner.steps_per_env,
        learning_rate=learner.learning_rate,
        hidden=tuple(learner.hidden),
        epochs=learner.epochs,
        minibatches=max(1, learner.num_envs * learner.steps_per_env // learner.batch_size),
        trace=learner.trace,
        clip=learner.clip,
        entropy=learner.entropy,
        success_reward=config.success_reward,
    )


def _note(path: Path, numbers: dict[str, float]) -> None:
    known = {name: None if math.isnan(number) else number for name, number in numbers.items()}
    with path.open("a") as file:
        file.write(json.dumps(known) + "\n")
    _LOG.info(", ".join(f"{name} {number:.4g}" for name, number in numbers.items()))


def _save(path: Path, learner: Ppo) -> None:
    with atomic_file(path) as temporary:
        torch.save({"policy": learner.policy.state_dict(), "critic": learner.critic.state_dict()}, temporary)
