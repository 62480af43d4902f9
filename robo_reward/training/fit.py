"""Fit reward models to the episodes of each task and keep them in a folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Any

import yaml

from robo_reward.durable import check_absent, output_errors, publish_folder, staging_folder
from robo_reward.errors import DataSetError
from robo_reward.models.saved_models import describe, rebuild, write_weights
from robo_reward.models.success_decision import SuccessThreshold
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.fitting import FitProgress, FittableRewardModel, LabelledClip
from robo_reward.training.fit_success import FittedSuccess

MODELS = "reward_model.yaml"
CURVES = "fit.json"
PICTURE = "fit.png"
ENCODER = "encoder.safetensors"
"""Weights of an encoder of the task's own, which lie with the models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModels:
    """Models of one data set's tasks.

    Raises:
        ValueError: No model.
    """

    encoder: Mapping[str, Any]
    """Plain data that builds the encoder again."""
    models: Mapping[str, FittableRewardModel]
    """Instruction to model."""
    fitted_on: Mapping[str, Any]
    """Where the recordings were: plain data, no clock times."""
    curves: Mapping[str, Sequence[FitProgress]]
    """Instruction to how the fit went; empty where it has a closed form."""
    success: Mapping[str, FittedSuccess] = field(default_factory=dict)
    """Instruction to what tells success; empty = nothing was fitted to do so."""
    encoder_file: Path | None = None
    """Weights that were trained with the models, and are to lie with them; None = the encoder is another's."""

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models is empty; fit at least one")


def fit_models(
    models: Mapping[str, FittableRewardModel],
    clips: Callable[[str], Sequence[LabelledClip]],
    *,
    on_epoch: Callable[[str, FitProgress], None],
) -> tuple[dict[str, FittableRewardModel], dict[str, list[FitProgress]]]:
    """Fit each model to the recordings of its instruction, and note how it went.

    Args:
        models: Instruction to the model that is to be fitted.
        clips: Gives the recordings of an instruction.
        on_epoch: Told of every epoch.
    """
    fitted: dict[str, FittableRewardModel] = {}
    curves: dict[str, list[FitProgress]] = {}
    for instruction, model in models.items():
        curve = curves.setdefault(instruction, [])

        def note(progress: FitProgress, curve: list[FitProgress] = curve, instruction: str = instruction) -> None:
            curve.append(progress)
            on_epoch(instruction, progress)

        fitted[instruction] = model.fitted_to(clips(instruction), on_epoch=note)
    return fitted, curves


def save_models(fitted: FittedModels, output: Path) -> Path:
    """Write `reward_model.yaml`, `weights/*.safetensors`, `fit.json` and `fit.png` into a new folder, all or nothing.

    Raises:
        OutputError: The folder exists, or the disk is full.
    """
    check_absent(output)
    staging = staging_folder(output)
    with output_errors(output):
        if staging.exists():
            rmtree(staging)  # of a run that was killed: a fit is not resumed, its embeddings are kept elsewhere
        staging.mkdir(parents=True)
        for model in fitted.models.values():
            write_weights(staging, model)
        for success in fitted.success.values():
            write_weights(staging, success.classifier)
        described = {
            "encoder": _with_encoder(fitted, staging),
            "fitted_on": dict(fitted.fitted_on),
            "models": {instruction: describe(model) for instruction, model in fitted.models.items()},
            "success": {instruction: _describe_success(each) for instruction, each in fitted.success.items()},
        }
        (staging / MODELS).write_text(yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
        (staging / CURVES).write_text(json.dumps(_plain_curves(fitted.curves), indent=1) + "\n")
        drawn = {instruction: curve for instruction, curve in fitted.curves.items() if curve}
        if drawn:
            from robo_reward.training.curve import draw_curves  # noqa: PLC0415  (matplotlib, which loading needs not)

            draw_curves(drawn, staging / PICTURE)
    publish_folder(staging, output)
    return output


def read_description(folder: Path) -> dict[str, Any]:
    """Read what `save_models` wrote about the models; weights that lie with them have the folder's path.

    Raises:
        FileNotFoundError: The folder holds no fitted models.
    """
    file = folder / MODELS
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: {folder} was not written by `robo-reward fit`")
    described = yaml.safe_load(file.read_text())
    if described["encoder"].get("weights") == ENCODER:
        described["encoder"]["weights"] = str(folder / ENCODER)
    return described


def load_models(folder: Path, encoder: ImageEncoder) -> dict[str, FittableRewardModel]:
    """Load models that `save_models` wrote.

    Raises:
        FileNotFoundError: The folder holds no fitted models.
        DataSetError: Its files are damaged.
    """
    models = {text: rebuild(own, encoder, folder) for text, own in read_description(folder)["models"].items()}
    for text, model in models.items():
        if not isinstance(model, FittableRewardModel):  # what tells success must never become a potential
            raise DataSetError(f"{folder}: the model of '{text}' is a {type(model).__name__}, which is no reward model")
    return models


def load_success(folder: Path, encoder: ImageEncoder) -> dict[str, FittedSuccess]:
    """Load what tells success, as `save_models` wrote it; empty where nothing was fitted to do so.

    Raises:
        FileNotFoundError: The folder holds no fitted models.
        DataSetError: Its files are damaged.
    """
    return {
        text: FittedSuccess(
            classifier=rebuild(own["classifier"], encoder, folder),
            **own["latch"],
            certified=None if own["certified"] is None else SuccessThreshold(**own["certified"]),
        )
        for text, own in read_description(folder).get("success", {}).items()
    }


def _with_encoder(fitted: FittedModels, staging: Path) -> dict[str, Any]:
    """Put the encoder's own weights beside the models, and say where they are."""
    if fitted.encoder_file is None:
        return dict(fitted.encoder)
    copyfile(fitted.encoder_file, staging / ENCODER)
    return dict(fitted.encoder) | {"weights": ENCODER}


def _describe_success(success: FittedSuccess) -> dict[str, Any]:
    """Give it as plain data; a threshold that nothing certifies says so."""
    latch = {name: getattr(success, name) for name in ("threshold", "release", "votes", "window")}
    certified = None if success.certified is None else asdict(success.certified)
    return {"classifier": describe(success.classifier), "latch": latch, "certified": certified}


def _plain_curves(curves: Mapping[str, Sequence[FitProgress]]) -> dict[str, list[dict[str, float | None]]]:
    return {
        instruction: [
            {
                "epoch": each.epoch,
                "training_error": each.training_error,
                "held_out_error": None if each.held_out_error != each.held_out_error else each.held_out_error,
            }
            for each in curve
        ]
        for instruction, curve in curves.items()
    }
