"""`robo-reward train`: a policy, rewarded by what cameras see."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from robo_reward.cli.build import build
from robo_reward.cli.train_model import reward_model_of
from robo_reward.cli.train_progress import TrainingProgress
from robo_reward.cli.train_task import TrainingTask
from robo_reward.cli.train_video import write_video
from robo_reward.durable import atomic_file
from robo_reward.errors import OutputError
from robo_reward.rl.learners import Learner
from robo_reward.rl.learning_reward import PERCEIVED, check_mode
from robo_reward.rl.policy_evaluation import FilmedEpisode
from robo_reward.rl.training import Training, TrainingListener, TrainingResult
from robo_reward.rl.training_settings import TrainingSettings

FREE_TO_CHANGE = ("total_steps", "stop_success_rate", "stop_evaluations", "videos", "threads")
"""Keys that may differ when a training goes on: they decide where it ends and what is filmed, not what is learnt."""


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
            listener=TrainingListener(on_steps=progress.at, on_metrics=progress.told, on_film=film),
        )
        result = training.run()
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
        before = json.loads(marker.read_text())
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


def _plain(config: DictConfig) -> Mapping[str, Any]:
    whole: Any = OmegaConf.to_container(config, resolve=True)
    return {key: value for key, value in whole.items() if key != "output"}


def _say(result: TrainingResult, settings: TrainingSettings) -> None:
    console = Console(stderr=True, soft_wrap=True)
    why = "the policy is good enough" if result.stopped_early else f"all of {settings.total_steps} steps are taken"
    rate = "" if math.isnan(result.success_rate) else f"; it succeeds in {result.success_rate:.0%} of episodes"
    best = "" if math.isnan(result.best_success_rate) else f" (the best one in {result.best_success_rate:.0%})"
    console.print(f"stopped after {result.steps} steps: {why}{rate}{best}", markup=False)
    console.print(f"policies: {result.policy} and {result.best_policy}", markup=False)
