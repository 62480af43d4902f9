"""From configuration to objects: one place that reads it, plain Python behind it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.reward_model import RewardModel

Plain = dict[str, Any]


def build(config: DictConfig | Plain, **given: Any) -> Any:
    """Build what `_target_` names from plain Python values."""
    return instantiate(config, _convert_="all", **given)


def no_store() -> None:
    """Stand for `embeddings=none` in the configuration."""


def plain(config: DictConfig | None) -> Plain:
    """Resolve a part of the configuration to plain Python values; a missing value is an error that names it."""
    if config is None:
        return {}
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # pyright: ignore[reportReturnType]


def build_models(
    config: DictConfig, instructions: Sequence[str], encoder: ImageEncoder | None
) -> dict[str, RewardModel]:
    """Build a reward model for each instruction: the common settings, then those under `prompts` for it.

    Raises:
        ValueError: Prompts for an instruction that no episode has, or a missing value.
    """
    tasks = _prompts(config.prompts)
    unknown = sorted(set(tasks) - set(instructions)) if config.prompts.file is not None else []
    if unknown:
        raise ValueError(f"{config.prompts.file}: no episode has instruction {unknown}; there are {list(instructions)}")
    return {text: _build_model(config.reward_model, tasks.get(text, {}), text, encoder) for text in instructions}


def fit_models(
    models: Mapping[str, RewardModel],
    demonstrations: LeRobotEpisodes,
    *,
    store: EmbeddingStore | None,
    batch_size: int,
) -> dict[str, RewardModel]:
    """Fit each model to the demonstrations of its instruction.

    Raises:
        ValueError: A model that cannot be fitted, or an instruction without a demonstration.
    """
    return {
        text: _fit_model(text, model, demonstrations, store=store, batch_size=batch_size)
        for text, model in models.items()
    }


def describe_models(models: Mapping[str, RewardModel], target: str) -> dict[str, Plain]:
    """Give each model as plain data that `build` turns into the same model again."""
    return {
        text: {"_target_": target, **model.settings} if isinstance(model, FittableRewardModel) else {"_target_": target}
        for text, model in models.items()
    }


def _build_model(
    common: DictConfig, own: Mapping[str, Any], instruction: str, encoder: ImageEncoder | None
) -> RewardModel:
    merged = OmegaConf.merge(common, dict(own))
    missing = sorted(str(key) for key in OmegaConf.missing_keys(merged))
    if missing:
        raise ValueError(
            f"reward_model.{missing[0]} is missing for instruction '{instruction}': give reward_model.{missing[0]}=…, "
            "or prompts.file=FILE.yaml with prompts for each instruction"
        )
    settings = {key: _filled(value, instruction) for key, value in plain(merged).items()}  # pyright: ignore[reportArgumentType]
    return build(settings, **({} if encoder is None else {"encoder": encoder}))


def _filled(value: Any, instruction: str) -> Any:
    if isinstance(value, list):
        return [_filled(each, instruction) for each in value]
    return value.replace("{instruction}", instruction) if isinstance(value, str) else value


def _fit_model(
    instruction: str,
    model: RewardModel,
    demonstrations: LeRobotEpisodes,
    *,
    store: EmbeddingStore | None,
    batch_size: int,
) -> RewardModel:
    if not isinstance(model, FittableRewardModel):
        raise ValueError(f"{type(model).__name__} cannot be fitted to demonstrations; leave demonstrations.path out")
    chosen = [episode for episode in demonstrations.episodes if episode.instruction == instruction]
    if not chosen:
        there = sorted({episode.instruction for episode in demonstrations.episodes})
        raise ValueError(f"{demonstrations.description} has no demonstration of '{instruction}'; it has {there}")
    embedder = EpisodeEmbedder(model.encoder, demonstrations, store=store, batch_size=batch_size)
    return model.fitted_to([LabelledClip(clip=clip, success=True) for _, clip in embedder.embed_all(chosen)])


def _prompts(config: DictConfig) -> dict[str, Plain]:
    if config.file is None:
        return plain(config.tasks)
    path = Path(config.file)
    if not path.is_file():
        raise FileNotFoundError(f"prompts.file={path}: there is no such file")
    tasks = yaml.safe_load(path.read_text())
    if not isinstance(tasks, dict) or not all(isinstance(own, dict) for own in tasks.values()):
        raise ValueError(f"{path}: must map each instruction to its settings, such as goal: [...] and baseline: [...]")
    return tasks
