"""The reward model of a training: as it is, kept in a folder, or fitted first to recorded demonstrations."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from robo_reward.cli import fit
from robo_reward.cli.choose_models import SAVED, choose_models
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.train_task import TrainingTask
from robo_reward.reward_model import RewardModel
from robo_reward.rl.state_progress import StateProgress


def reward_model_of(config: DictConfig, task: TrainingTask, output: Path) -> RewardModel:
    """Give the reward model, bound to the task; with `fit`, record demonstrations and fit it in the output folder.

    Raises:
        ValueError: It is to be fitted and the task has no demonstrations.
    """
    if config.reward_model["_target_"] == f"{StateProgress.__module__}.{StateProgress.__name__}":
        return StateProgress(config.reward_model.name)
    chosen = config
    if config.fit and config.reward_model["_target_"] != SAVED:
        chosen = _saved(config, _fitted(config, task, output))
    instruction = task.in_words()
    return choose_models(chosen, [instruction]).models[instruction]


def _fitted(config: DictConfig, task: TrainingTask, output: Path) -> Path:
    """Record and fit what an earlier run has not, and give the folder of the model."""
    folder, demonstrations = output / "reward_model", output / "demonstrations"
    console = Console(stderr=True, soft_wrap=True)
    if folder.exists():
        console.print(f"{folder} is there from an earlier run", markup=False)
        return folder
    if task.record is None:
        raise ValueError(
            "this task has no scripted demonstrations (task.record) to fit a reward model to: give reward_model=FOLDER "
            "of `robo-reward fit`, fit=false for one that needs no fit, or a reward that asks no model"
        )
    if not demonstrations.exists():
        task.record.record_demonstrations(demonstrations)
    fit.run(_fitting(config, demonstrations, folder))
    return folder


def _fitting(config: DictConfig, demonstrations: Path, folder: Path) -> DictConfig:
    """Give the configuration of `robo-reward fit` with what the training's own says about the model."""
    composed: Any = OmegaConf.to_container(compose_verb("fit", []), resolve=False)
    groups = ("encoder", "reward_model", "embeddings", "prompts")
    chosen = {name: OmegaConf.to_container(config[name], resolve=False) for name in groups}
    same = {name: config[name] for name in ("labels", "watch_cameras", "own_encoder", "batch_size")}
    keys = same | {"output": str(folder)}
    composed["episodes"]["path"] = str(demonstrations)
    whole = OmegaConf.create(composed | chosen | keys)
    assert isinstance(whole, DictConfig)  # noqa: S101  of a dictionary
    return whole


def _saved(config: DictConfig, folder: Path) -> DictConfig:
    """Give the configuration with the fitted model in the place of its settings."""
    opened = OmegaConf.create(OmegaConf.to_container(config))
    assert isinstance(opened, DictConfig)  # noqa: S101  of a dictionary
    opened.reward_model = {"_target_": SAVED, "path": str(folder), "encoder": {}}
    return opened
