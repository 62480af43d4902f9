"""Fitted models as files that a person can read and nothing can run: plain data, and tensors in safetensors."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from robo_reward.errors import DataSetError
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.tensor_digest import tensor_digest

TARGET, WEIGHTS = "_target_", "weights"
"""Keys of a description: the class, and the digest that names the file of its tensors."""


@runtime_checkable
class Rebuildable(Protocol):
    """What plain data and tensors rebuild: `type(model)(encoder, **model.settings, weights=model.weights)`."""

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        ...

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Tensors beside the settings; empty where settings say all."""
        ...


def describe(model: Rebuildable) -> dict[str, Any]:
    """Give a model as plain data: its class, its settings, and the digest of its tensors if it has any."""
    kind = type(model)
    described = {TARGET: f"{kind.__module__}.{kind.__qualname__}", **model.settings}
    return described | ({WEIGHTS: tensor_digest(model.weights)} if model.weights else {})


def write_weights(folder: Path, model: Rebuildable) -> Path | None:
    """Write a model's tensors as `weights/<digest>.safetensors`; None where it has none.

    The same tensors give the same file, byte for byte.
    """
    if not model.weights:
        return None
    path = _weights_file(folder, tensor_digest(model.weights))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: model.weights[name].contiguous() for name in sorted(model.weights)}, path)
    return path


def rebuild(description: Mapping[str, Any], encoder: ImageEncoder, folder: Path) -> Any:
    """Build the model that `describe` and `write_weights` saved.

    Args:
        description: From `describe`.
        encoder: What it looks through.
        folder: Which holds `weights/`.

    Raises:
        DataSetError: A class of another project, settings that it does not take, a file that is missing or damaged, or
            tensors of another digest.
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
    # a name that the module merely imported, or a function, is nothing that `describe` wrote
    if not isinstance(kind, type) or kind.__module__ != module or not hasattr(kind, "settings"):
        raise DataSetError(f"{target} is no class of models that can be saved")
    tensors = {} if digest is None else {WEIGHTS: _read_weights(folder, digest)}
    try:
        return kind(encoder, **arguments, **tensors)
    except (TypeError, ValueError, KeyError) as error:
        raise DataSetError(f"{name} cannot be built from what was saved in {folder}: {error}") from error


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
