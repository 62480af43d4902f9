"""Which reward model looks at which task: built from the configuration, fitted, or loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from robo_reward.cli.build import Plain, build, build_with_encoder, plain, takes_encoder
from robo_reward.models.calibrated_spread import CalibratedSpread
from robo_reward.models.saved_models import describe, rebuild
from robo_reward.models.watched import WatchedCameras
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.fitting import FittableRewardModel
from robo_reward.reward_model import RewardModel
from robo_reward.training.fit import load_models, load_success, read_description
from robo_reward.training.fit_success import FittedSuccess

SAVED = "robo_reward.training.fit.load_models"
"""The target of `reward_model=saved`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenModels:
    """Models with what rebuilds them."""

    encoder_config: Plain
    encoder: ImageEncoder | None
    """None where no model looks through one."""
    models: Mapping[str, RewardModel]
    """Instruction to the model bound to it."""
    configs: Mapping[str, Plain]
    """Instruction to the settings that a model was built from, for models that do not tell them."""
    success: Mapping[str, FittedSuccess] = field(default_factory=dict)
    """Instruction to what tells success of it, kept beside saved models; empty = nothing was fitted to do so."""

    def with_models(self, models: Mapping[str, RewardModel]) -> "ChosenModels":
        """Give the same with other models, after a fit."""
        return replace(self, models=models)

    def described(self) -> dict[str, Plain]:
        """Give each model as plain data that `rebuild_model` turns into the same model again."""
        return {
            text: describe(model) if isinstance(model, FittableRewardModel) else dict(self.configs[text])
            for text, model in self.models.items()
        }


def choose_models(config: DictConfig, instructions: Sequence[str]) -> ChosenModels:
    """Build a reward model for each instruction: the common settings, then those under `prompts` for it; or load them.

    Raises:
        ValueError: Prompts for an instruction that no episode has, a missing value, or no saved model of one.
        FileNotFoundError: No saved models where they should be.
    """
    if config.reward_model.get("_target_") == SAVED:
        return _saved(config.reward_model, instructions)
    tasks = _prompts(config.prompts)
    unknown = sorted(set(tasks) - set(instructions)) if config.prompts.file is not None else []
    if unknown:
        raise ValueError(f"{config.prompts.file}: no episode has instruction {unknown}; there are {list(instructions)}")
    configs = {text: _settings(config.reward_model, tasks.get(text, {}), text) for text in instructions}
    encoder = build(config.encoder) if any(takes_encoder(own) for own in configs.values()) else None
    models = {text: build_with_encoder(own, encoder) for text, own in configs.items()}
    return ChosenModels(encoder_config=plain(config.encoder), encoder=encoder, models=models, configs=configs)


def watched(chosen: ChosenModels) -> ChosenModels:
    """Put a watch on the cameras of every model.

    Raises:
        ValueError: A model that cannot be fitted, so that nothing is known of good pictures.
    """
    return chosen.with_models(
        {text: WatchedCameras(fittable(model).encoder, model=fittable(model)) for text, model in chosen.models.items()}
    )


def calibrated(chosen: ChosenModels, *, coverage: float) -> ChosenModels:
    """Have the spread of every model scaled, in its fit, so that intervals of this coverage hold.

    Raises:
        ValueError: A model that cannot be fitted, a coverage outside (0, 1).
    """
    return chosen.with_models(
        {
            text: CalibratedSpread(fittable(model).encoder, model=fittable(model), coverage=coverage)
            for text, model in chosen.models.items()
        }
    )


def fittable(model: RewardModel) -> FittableRewardModel:
    """Give the model if recordings can make it better.

    Raises:
        ValueError: They cannot.
    """
    if not isinstance(model, FittableRewardModel):
        raise ValueError(
            f"{type(model).__name__} cannot be fitted to demonstrations; choose process, perceptual_steps, "
            "trajectory_match, preference or prompt_similarity, or leave the demonstrations out"
        )
    return model


def rebuild_model(description: Mapping[str, Any], encoder: ImageEncoder | None, folder: Path) -> RewardModel:
    """Build a model from what `ChosenModels.described` says, its tensors from `folder`."""
    if encoder is not None and takes_encoder(dict(description)):
        return rebuild(description, encoder, folder)
    return build(dict(description))


def overridden_encoder(recorded: Plain, overrides: Plain) -> Plain:
    """Give an encoder's recorded settings with some of them changed, such as the device.

    Raises:
        ValueError: A setting that the encoder does not have.
    """
    unknown = sorted(set(overrides) - set(recorded))
    if unknown:
        settings = sorted(name for name in recorded if not name.startswith("_"))
        raise ValueError(f"the recorded encoder {recorded['_target_']} has no setting {unknown}; it has {settings}")
    return recorded | overrides


def _saved(config: DictConfig, instructions: Sequence[str]) -> ChosenModels:
    folder = Path(config.path)
    encoder_config = overridden_encoder(read_description(folder)["encoder"], plain(config.encoder))
    encoder = build(encoder_config)
    models = load_models(folder, encoder)
    missing = sorted(set(instructions) - set(models))
    if missing:
        raise ValueError(f"{folder} has no model for instruction {missing}; it has models for {sorted(models)}")
    return ChosenModels(
        encoder_config=encoder_config,
        encoder=encoder,
        models={text: models[text] for text in instructions},
        configs={},
        success={text: told for text, told in load_success(folder, encoder).items() if text in instructions},
    )


def _settings(common: DictConfig, own: Mapping[str, Any], instruction: str) -> Plain:
    merged = OmegaConf.merge(common, dict(own))
    missing = sorted(str(key) for key in OmegaConf.missing_keys(merged))
    if missing:
        raise ValueError(
            f"reward_model.{missing[0]} is missing for instruction '{instruction}': give reward_model.{missing[0]}=…, "
            "or prompts.file=FILE.yaml with prompts for each instruction"
        )
    return _filled(plain(merged), instruction)  # pyright: ignore[reportArgumentType]


def _filled(value: Any, instruction: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, instruction) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, instruction) for each in value]
    return value.replace("{instruction}", instruction) if isinstance(value, str) else value


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
