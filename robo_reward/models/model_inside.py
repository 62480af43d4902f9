"""A reward model inside another: its settings as plain data, its tensors under a prefix, its memory."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import Tensor

from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder
from robo_reward.perception.fitting import FittableRewardModel
from robo_reward.reward_model import Estimate, RecurrentRewardModel

TARGET = "_target_"
"""Key of plain model settings that names the class, as in the YAML files."""
PREFIX = "model."
"""Before the name of each of the inner model's tensors."""


def built_inside(
    encoder: ImageEncoder, model: Mapping[str, Any] | FittableRewardModel, weights: Mapping[str, Tensor]
) -> FittableRewardModel:
    """Give the inner model, built from its settings if it is not there yet.

    Args:
        encoder: What the outer model looks through.
        model: The inner model, or its settings with its class under `_target_`.
        weights: Of the outer model; the inner model's are those under the prefix.

    Raises:
        ValueError: Settings without a class of this project, an inner model that looks through another encoder.
    """
    inner = _built(encoder, model, below(weights, PREFIX)) if isinstance(model, Mapping) else model
    if inner.encoder.version != encoder.version:
        raise ValueError(
            f"the inner model looks through encoder {inner.encoder.version}, the outer one through {encoder.version}"
        )
    return inner


def settings_inside(model: FittableRewardModel) -> dict[str, object]:
    """Give the inner model's settings as `built_inside` takes them."""
    kind = type(model)
    return {TARGET: f"{kind.__module__}.{kind.__qualname__}", **model.settings}


def weights_inside(model: FittableRewardModel) -> dict[str, Tensor]:
    """Give the inner model's tensors as `built_inside` takes them."""
    return {f"{PREFIX}{name}": tensor for name, tensor in model.weights.items()}


def resume_inside(
    model: FittableRewardModel, seen: EmbeddedClip, memory: Any | None
) -> tuple[Estimate, EmbeddedClip | Any | None]:
    """Estimate the next frames of an episode; a model without a memory of its own has its last frames carried along.

    Args:
        model: The inner model.
        seen: The next frames.
        memory: From the call before; None at the start of an episode.
    """
    if isinstance(model, RecurrentRewardModel):
        return model.resume(seen, memory)
    new = seen.stamp.shape[1]
    window = seen if memory is None else memory.followed_by(seen)
    whole = model.estimate_embedded(window)
    estimate = Estimate(progress=whole.progress[:, -new:], spread=whole.spread[:, -new:])
    if model.context is None:
        return estimate, window
    return estimate, window.latest(model.context - 1) if model.context > 1 else None


def below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Give the tensors under a prefix, by their names without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _built(encoder: ImageEncoder, settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> FittableRewardModel:
    target = str(settings.get(TARGET, ""))
    if not target.startswith("robo_reward.models."):
        raise ValueError(
            f"model must name its class under '{TARGET}', robo_reward.models.<file>.<class>; got '{target}'"
        )
    module, name = target.rsplit(".", 1)
    kind = getattr(import_module(module), name)
    arguments = {key: value for key, value in settings.items() if key != TARGET}
    return kind(encoder, **arguments | ({"weights": weights} if weights else {}))
