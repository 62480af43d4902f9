"""Fitted models as files that a person can read and nothing can run: plain data, and tensors in safetensors."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from robo_reward.errors import DataSetError
from robo_reward.models.tensor_digest import tensor_digest
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.fitting import FittableRewardModel

TARGET, WEIGHTS = "_target_", "weights"
"""Keys of a description: the class, and the digest that names the file of its tensors."""


def describe(model: FittableRewardModel) -> dict[str, Any]:
    """Give a model as plain data: its class, its settings, and the digest of its tensors if it has any."""
    kind = type(model)
    described = {TARGET: f"{kind.__module__}.{kind.__qualname__}", **model.settings}
    return described | ({WEIGHTS: tensor_digest(model.weights)} if model.weights else {})


def write_weights(folder: Path, model: FittableRewardModel) -> Path | None:
    """Write a model's tensors as `weights/<digest>.safetensors`; None where it has none.

    The same tensors give the same file, byte for byte.
    """
    if not model.weights:
        return None
    path = _weights_file(folder, tensor_digest(model.weights))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: model.weights[name].contiguous() for name in sorted(model.weights)}, path)
    return path


def rebuild(description: Mapping[str, Any], encoder: ImageEncoder, folder: Path) -> FittableRewardModel:
    """Build the model that `describe` and `write_weights` saved.

    Args:
        description: From `describe`.
        encoder: What it looks through.
        folder: Which holds `weights/`.

    Raises:
        DataSetError: A class of another project, a file that is missing or damaged, or tensors of another digest.
    """
    arguments = dict(description)
    target, digest = str(arguments.pop(TARGET, "")), arguments.pop(WEIGHTS, None)
    if not target.startswith("robo_reward.models."):
        raise DataSetError(f"a saved model must be of robo_reward.models, got {TARGET}='{target}'")
    module, name = target.rsplit(".", 1)
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataSetError(f"there is no {target} in this release: {error}") from error
    if digest is None:
        return kind(encoder, **arguments)
    return kind(encoder, **arguments, weights=_read_weights(folder, digest))


def _read_weights(folder: Path, digest: str) -> dict[str, Tensor]:
    path = _weights_file(folder, digest)
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataSetError(f"{path} cannot be read: {error}") from error
    if tensor_digest(weights) != digest:
        raise DataSetError(f"{path} holds other tensors than its name says: the file was changed")
    return weights


def _weights_file(folder: Path, digest: str) -> Path:
    return folder / WEIGHTS / f"{digest}.safetensors"
