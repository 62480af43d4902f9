"""The image tower as an ONNX file in the cache folder, written once per checkpoint."""

import importlib.util
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from robo_reward.errors import EncoderError
from robo_reward.perception.cache_folder import cache_folder

OPSET = 17


def require_package(package: str, *, extra: str) -> None:
    """Raise unless a package of an optional extra is installed.

    Raises:
        EncoderError: It is missing; says which extra brings it.
    """
    if importlib.util.find_spec(package) is None:
        raise EncoderError(f"this runtime needs the package '{package}': pip install 'robo-reward[{extra}]'")


def exported_tower(visual: nn.Module, *, image_size: int, weights: str) -> Path:
    """Export the tower for any batch size, or find what an earlier run exported.

    Args:
        visual: The image tower in float32, on the CPU.
        image_size: Height and width of a picture [px].
        weights: Hash of the checkpoint; names the file.

    Raises:
        EncoderError: The tower has an operation that ONNX cannot express.
    """
    path = cache_folder("towers") / f"{weights[:32]}-opset{OPSET}-torch{torch.__version__}.onnx"

    try:
        return write_once(path, lambda target: _export(visual, target, image_size=image_size))
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise EncoderError(f"this tower cannot be exported to ONNX (choose runtime=torch): {error}") from error


def _export(visual: nn.Module, target: Path, *, image_size: int) -> None:
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # ONNX has no operator for torch's fused attention
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter calls itself deprecated and warns of every traced shape
            torch.onnx.export(
                visual.eval(),
                (torch.zeros(2, 3, image_size, image_size),),
                str(target),
                dynamo=False,
                opset_version=OPSET,
                input_names=["pictures"],
                output_names=["features"],
                dynamic_axes={"pictures": {0: "batch"}, "features": {0: "batch"}},
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def write_once(path: Path, write: Callable[[Path], None]) -> Path:
    """Write a file that appears whole or not at all; leave one that is there alone."""
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        unfinished = Path(folder) / path.name
        write(unfinished)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    return path
