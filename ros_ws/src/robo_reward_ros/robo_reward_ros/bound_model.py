"""A reward model bound to its task, out of a configuration: everything that a node loads before it answers. No ROS."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml
from jaxtyping import UInt8
from torch import Tensor

from robo_reward.cli.build import Plain, build, build_with_encoder, plain, takes_encoder
from robo_reward.cli.choose_models import choose_models
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.failure import USER_ERRORS, failure_text
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import Potential
from robo_reward.stream import RewardStream
from robo_reward.training.fit import MODELS, read_description
from robo_reward.training.fit_success import FittedSuccess


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """What names a model, its task and what is made of its progress."""

    reward_model: str
    """A choice of `configs/reward_model`, a folder that `robo-reward fit` wrote, or a YAML file."""
    instruction: str = ""
    """The task in words; empty = the only task of a fitted model."""
    overrides: Sequence[str] = ()
    """As on the command line of `robo-reward relabel`."""
    prompts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Name of a list of prompts, such as goal, to what is configured instead."""
    shaping: str = "linear"
    discount: float = 0.99
    success_reward: float = 1.0


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

    @property
    def bounds(self) -> tuple[float, float]:
        """Φ of progress 0 and of progress 1."""
        low, high = self.potential(torch.tensor([0.0, 1.0])).tolist()
        return low, high


def bind_model(settings: TaskSettings) -> BoundModel:
    """Build or load the model, with its weights checked against their digests.

    Raises:
        ValueError: Whatever a user can mend: no such model, task or setting, missing or damaged files; the message
            says what is allowed.
    """
    if not settings.reward_model:
        raise ValueError(
            "reward_model is empty: give a choice such as process, a folder of fitted models or a YAML file"
        )
    try:
        return _bound(settings)
    except USER_ERRORS as error:
        raise ValueError(failure_text(error) or str(error)) from error


def use_threads(number: int) -> None:
    """Let a forward pass have so many threads of the processor; 0 = torch decides."""
    if number:
        torch.set_num_threads(number)


def warm_up(bound: BoundModel, cameras: Sequence[str], *, height: int, width: int, times: int = 2) -> None:
    """Show the model black pictures, so that the first real ones find it ready, and so that it names what it misses.

    Raises:
        ValueError: Cameras that the model was not fitted to, a state that it needs.
    """
    stream = RewardStream(bound.model, discount=bound.discount, potential=bound.potential)
    black: UInt8[Tensor, "3 _h _w"] = torch.zeros(3, height, width, dtype=torch.uint8)
    for time in range(times):
        stream.step(dict.fromkeys(cameras, black), stamp=time / 30)


def _bound(settings: TaskSettings) -> BoundModel:
    file = Path(settings.reward_model)
    named = file.suffix == ".yaml" and file.name != MODELS
    if named and not file.is_file():
        raise FileNotFoundError(f"reward_model={file}: there is no such file")
    choice = str(file.parent if file.name == MODELS else file)
    config = compose_verb(
        "relabel",
        [
            *([] if named else [f"reward_model={choice}"]),
            f"shaping={settings.shaping}",
            f"discount={settings.discount}",
            f"success_reward={settings.success_reward}",
            *settings.overrides,
            *([] if named else _prompt_overrides(settings.prompts)),
        ],
    )
    if named:
        own, encoder = _own_settings(file, settings, plain(config.encoder))
        model = build_with_encoder(own, None if encoder is None else build(encoder))
        instruction, success, described = settings.instruction, None, {"model": own, "encoder": encoder}
    else:
        instruction = settings.instruction or _only_task(choice)
        chosen = choose_models(config, [instruction])
        model, success = chosen.models[instruction], chosen.success.get(instruction)
        described = {"model": chosen.described()[instruction], "encoder": chosen.encoder_config}
    shaping = plain(config.shaping)
    text = yaml.safe_dump({**described, "shaping": shaping}, sort_keys=True, allow_unicode=True)
    return BoundModel(
        model=model,
        potential=build(shaping),
        discount=float(config.discount),
        goal_id=instruction,
        success=success,
        success_reward=float(config.success_reward),
        configuration=text,
        sha256=_digest(text, Path(choice)),
    )


def _own_settings(file: Path, settings: TaskSettings, encoder: Plain) -> tuple[Plain, Plain | None]:
    """Read a YAML file: a reward model's settings, or those under `reward_model` and its encoder's under `encoder`."""
    own = yaml.safe_load(file.read_text().replace("{instruction}", settings.instruction))
    if isinstance(own, Mapping) and "reward_model" in own:
        own, encoder = own["reward_model"], own.get("encoder", encoder)
    if not isinstance(own, Mapping) or "_target_" not in own:
        raise ValueError(f"{file}: a reward model's YAML must be a mapping with _target_, as in configs/reward_model")
    own = {**own, **{name: list(texts) for name, texts in settings.prompts.items()}}
    return own, encoder if takes_encoder(own) else None


def _prompt_overrides(prompts: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"reward_model.{name}=[{','.join(map(_quoted, texts))}]" for name, texts in prompts.items()]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _only_task(choice: str) -> str:
    if not (Path(choice) / MODELS).is_file():
        return ""
    tasks = sorted(read_description(Path(choice))["models"])
    if len(tasks) != 1:
        raise ValueError(f"instruction is empty, and {choice} has models for several: {tasks}")
    return tasks[0]


def _digest(text: str, folder: Path) -> str:
    digest = hashlib.sha256(text.encode())
    for file in sorted(folder.glob("weights/*.safetensors")) if folder.is_dir() else []:
        digest.update(file.read_bytes())
    return digest.hexdigest()
