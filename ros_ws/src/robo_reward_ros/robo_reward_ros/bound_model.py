"""A reward model bound to its task, out of a configuration: everything that a node loads before it answers. No ROS."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from robo_reward.cli.build import Plain, build, build_with_encoder, plain, takes_encoder
from robo_reward.cli.choose_models import SAVED, choose_models, overridden_encoder
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.failure import USER_ERRORS, failure_text
from robo_reward.models.saved_models import describe
from robo_reward.perception.fitting import FittableRewardModel
from robo_reward.plans.plan_file import read_plan
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import Potential
from robo_reward.training.fit import MODELS, read_description
from robo_reward.training.fit_success import FittedSuccess
from robo_reward_ros.demonstration_fit import fitted_to_demonstrations, model_like_saved, only_task
from robo_reward_ros.model_changes import changed_settings, rig_of
from robo_reward_ros.task_settings import TaskSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundModel:
    """A reward model bound to one task, with what is made of its progress."""

    model: RewardModel
    potential: Potential
    discount: float
    """The learner's γ per step, in (0, 1]."""
    goal_id: str = ""
    """The task in words."""
    success: FittedSuccess | None = None
    """What tells success; None = nothing does."""
    success_reward: float = 1.0
    """Task reward of the transition with which an episode succeeds."""
    configuration: str = ""
    """YAML that says what the model was built from."""
    sha256: str = field(default="")
    """Of the configuration and of the files beside it that hold weights."""
    rig: str = ""
    """File of the rig of cameras that it counts on; empty = it knows no geometry."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Φ of progress 0 and of progress 1."""
        low, high = self.potential(torch.tensor([0.0, 1.0])).tolist()
        return low, high


def bind_model(settings: TaskSettings, *, go_on: Callable[[], bool] = lambda: True) -> BoundModel:
    """Build or load the model, with its weights checked against their digests, and fit it where that is asked for.

    Args:
        settings: Model and task.
        go_on: Asked now and then during a fit; False ends it.

    Raises:
        ValueError: Whatever a user can mend: no such model, task or setting, missing or damaged files; the message
            says what is allowed.
    """
    if not settings.reward_model:
        raise ValueError(
            "reward_model is empty: give a choice such as process, a folder of fitted models or a YAML file"
        )
    try:
        return _bound(settings, go_on)
    except USER_ERRORS as error:
        raise ValueError(failure_text(error) or str(error)) from error


def use_threads(number: int) -> None:
    """Let a forward pass have so many threads of the processor; 0 = torch decides."""
    if number:
        torch.set_num_threads(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    model: RewardModel
    instruction: str
    described: Plain
    """Model and encoder as plain data."""
    rig: str = ""
    success: FittedSuccess | None = None


def _bound(settings: TaskSettings, go_on: Callable[[], bool]) -> BoundModel:
    file = Path(settings.reward_model).expanduser()
    named = file.suffix == ".yaml" and file.name != MODELS
    if named and not file.is_file():
        raise FileNotFoundError(f"reward_model={file}: there is no such file")
    choice = str(file.parent if file.name == MODELS else file)
    shaping = (f"shaping={settings.shaping}", f"discount={settings.discount}")
    config = compose_verb(
        "relabel",
        [
            *([] if named else [f"reward_model={choice}"]),
            *shaping,
            f"success_reward={settings.success_reward}",
            *settings.overrides,
        ],
    )
    built = _built_of_file(file, settings, config) if named else _built_of_choice(choice, settings, config)
    if settings.demonstrations:
        built = _fitted(built, settings, go_on)
    text = yaml.safe_dump({**built.described, "shaping": plain(config.shaping)}, sort_keys=True, allow_unicode=True)
    return BoundModel(
        model=built.model,
        potential=build(plain(config.shaping)),
        discount=float(config.discount),
        goal_id=built.instruction,
        success=built.success,
        success_reward=float(config.success_reward),
        configuration=text,
        sha256=_digest(text, Path(choice)),
        rig=built.rig,
    )


def _built_of_file(file: Path, settings: TaskSettings, config: DictConfig) -> _Built:
    """Build from a YAML file: a reward model's settings, or those under `reward_model` and its encoder's beside."""
    instruction = _instruction(settings)
    own, encoder = yaml.safe_load(file.read_text().replace("{instruction}", instruction)), plain(config.encoder)
    if isinstance(own, Mapping) and "reward_model" in own:
        own, encoder = own["reward_model"], own.get("encoder", encoder)
    if not isinstance(own, Mapping) or "_target_" not in own:
        raise ValueError(f"{file}: a reward model's YAML must be a mapping with _target_, as in configs/reward_model")
    changed = changed_settings(dict(own), settings)
    looks_through = encoder if takes_encoder(changed) else None
    return _Built(
        model=build_with_encoder(changed, None if looks_through is None else build(looks_through)),
        instruction=instruction,
        described={"model": changed, "encoder": looks_through},
        rig=rig_of(changed),
    )


def _built_of_choice(choice: str, settings: TaskSettings, config: DictConfig) -> _Built:
    """Build one of `configs/reward_model`, or load one of a folder's."""
    instruction = _instruction(settings) or _only_task(choice)
    rig = ""
    if config.reward_model["_target_"] == SAVED:
        _check_saved(choice, settings)
        if settings.demonstrations:
            return _like_saved(Path(choice), plain(config.reward_model.encoder), instruction)
    else:
        own: Plain = OmegaConf.to_container(config.reward_model, resolve=False)  # pyright: ignore[reportAssignmentType]
        own = changed_settings(own, settings)
        config.reward_model, rig = own, rig_of(own)
    chosen = choose_models(config, [instruction])
    return _Built(
        model=chosen.models[instruction],
        instruction=instruction,
        described={"model": chosen.described()[instruction], "encoder": chosen.encoder_config},
        rig=rig,
        success=chosen.success.get(instruction),
    )


def _like_saved(folder: Path, overrides: Plain, instruction: str) -> _Built:
    """Give a folder's model for a fit to other demonstrations."""
    encoder_config = overridden_encoder(read_description(folder)["encoder"], overrides)
    model = model_like_saved(folder, build(encoder_config), instruction=instruction)
    return _Built(model=model, instruction=instruction, described={"encoder": encoder_config})


def _fitted(built: _Built, settings: TaskSettings, go_on: Callable[[], bool]) -> _Built:
    model: FittableRewardModel = fitted_to_demonstrations(
        built.model,
        settings.demonstrations,
        instruction=built.instruction,
        cameras=settings.cameras,
        go_on=go_on,
    )
    described = built.described | {"model": describe(model), "demonstrations": settings.demonstrations}
    # what told success was fitted to other recordings
    return _Built(model=model, instruction=built.instruction, described=described, rig=built.rig)


def _instruction(settings: TaskSettings) -> str:
    if settings.instruction:
        return settings.instruction
    if settings.plan:
        return read_plan(settings.plan).task
    return only_task(settings.demonstrations) if settings.demonstrations else ""


def _only_task(choice: str) -> str:
    if not (Path(choice) / MODELS).is_file():
        return ""
    tasks = sorted(read_description(Path(choice))["models"])
    if len(tasks) != 1:
        raise ValueError(f"instruction is empty, and {choice} has models for several: {tasks}")
    return tasks[0]


def _check_saved(choice: str, settings: TaskSettings) -> None:
    asked = {"prompts": settings.prompts, "plan": settings.plan, "goal images": settings.goal_pictures}
    if given := [name for name, value in asked.items() if value]:
        raise ValueError(
            f"{choice} holds fitted models, whose {' and '.join(given)} cannot be changed: ask by instruction"
        )


def _digest(text: str, folder: Path) -> str:
    digest = hashlib.sha256(text.encode())
    for file in sorted(folder.glob("weights/*.safetensors")) if folder.is_dir() else []:
        digest.update(file.read_bytes())
    return digest.hexdigest()
