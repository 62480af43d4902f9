"""`robo-reward train`: a policy, rewarded by what cameras see."""

import json
import math
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from robo_reward.cli.build import build
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.train_model import reward_model_of
from robo_reward.cli.train_nets import nets_of
from robo_reward.cli.train_progress import TrainingProgress
from robo_reward.cli.train_task import TrainingTask
from robo_reward.cli.train_video import write_video
from robo_reward.durable import atomic_file
from robo_reward.errors import OutputError
from robo_reward.rl.hacking_monitor import RewardHackingError
from robo_reward.rl.learners import Learner
from robo_reward.rl.learning_reward import PERCEIVED, check_mode
from robo_reward.rl.policy_evaluation import FilmedEpisode
from robo_reward.rl.training import Training
from robo_reward.rl.training_result import TrainingListener, TrainingResult
from robo_reward.rl.training_settings import TrainingSettings

FREE_TO_CHANGE = ("total_steps", "stop_success_rate", "stop_evaluations", "videos", "threads", "monitor")
"""Keys that may differ when a training goes on: they decide where it ends and what is told, not what is learnt."""


def run(config: DictConfig) -> None:
    """Train as configured, or go on with it, and say what came of it."""
    output = Path(config.output)
    settings = _settings(config)
    task: TrainingTask = build(config.task)
    learner: Learner = build(config.learner)
    _claim(output, config)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    potential = build(config.shaping)
    model = reward_model_of(config, task, output) if settings.reward in PERCEIVED else None
    nets = nets_of(config, model, task=task, potential=potential, output=output)
    with TrainingProgress(settings.total_steps) as progress:

        def film(path: Path, episode: FilmedEpisode) -> None:
            write_video(path, episode, instruction=task.in_words(), model=model, potential=potential, config=config)

        training = Training(
            task.environments(),
            learner,
            settings=settings,
            output=output,
            model=model,
            potential=potential,
            nets=nets,
            listener=TrainingListener(
                on_steps=progress.at, on_metrics=progress.told, on_film=film, on_alarm=progress.warned
            ),
        )
        try:
            result = training.run()
        except RewardHackingError:
            progress.stopped(output)
            raise
    _say(result, settings)


def _settings(config: DictConfig) -> TrainingSettings:
    check_mode(config.reward)
    return TrainingSettings(
        reward=config.reward,
        success_reward=config.success_reward,
        total_steps=config.total_steps,
        every=config.every,
        evaluation_episodes=config.evaluation_episodes,
        stop_success_rate=config.stop_success_rate,
        stop_evaluations=config.stop_evaluations,
        videos=config.videos,
        deferred=config.deferred,
        seed=config.seed,
    )


def _claim(output: Path, config: DictConfig) -> None:
    """Bind the folder to this configuration: a training goes on as it began."""
    whole = _plain(config)
    marker = output / "configuration.json"
    if any((output / made).exists() for made in ("checkpoints", "demonstrations", "reward_model")) and marker.exists():
        before = _with_defaults(json.loads(marker.read_text()), whole)
        differing = sorted(
            key for key in before | whole if key not in FREE_TO_CHANGE and before.get(key) != whole.get(key)
        )
        if differing:
            raise OutputError(
                f"{output} holds a training with another {', '.join(differing)} (configuration.json); give it another "
                f"output=FOLDER, or remove it. Only {', '.join(FREE_TO_CHANGE)} may change when a training goes on"
            )
    with atomic_file(marker) as temporary:
        temporary.write_text(json.dumps(whole, indent=2, sort_keys=True))


def _with_defaults(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Give keys that an earlier version of this project did not have the values that it stood for: their defaults."""
    filled = _plain(compose_verb("train", ["output=."])) | before
    for key, group in filled.items():
        same = isinstance(group, dict) and "_target_" in group and now.get(key, {}).get("_target_") == group["_target_"]
        if same and is_dataclass(kind := get_object(group["_target_"])):
            defaults = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
            known = {name: value for name, value in defaults.items() if name in now[key] and _is_plain(value)}
            filled[key] = known | group
    return filled


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _plain(config: DictConfig) -> dict[str, Any]:
    whole: Any = OmegaConf.to_container(config, resolve=True)
    return {key: value for key, value in whole.items() if key != "output"}


def _say(result: TrainingResult, settings: TrainingSettings) -> None:
    console = Console(stderr=True, soft_wrap=True)
    why = "the policy is good enough" if result.stopped_early else f"all of {settings.total_steps} steps are taken"
    rate = "" if math.isnan(result.success_rate) else f"; it succeeds in {result.success_rate:.0%} of episodes"
    best = "" if math.isnan(result.best_success_rate) else f" (the best one in {result.best_success_rate:.0%})"
    console.print(f"stopped after {result.steps} steps: {why}{rate}{best}", markup=False)
    console.print(f"policies: {result.policy} and {result.best_policy}", markup=False)
