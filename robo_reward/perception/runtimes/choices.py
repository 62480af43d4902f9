"""The runtimes by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from robo_reward.errors import EncoderError
from robo_reward.perception.runtimes.image_tower import ImageTower
from robo_reward.perception.runtimes.onnx_float32 import OnnxFloat32
from robo_reward.perception.runtimes.onnx_int8 import OnnxInt8
from robo_reward.perception.runtimes.openvino import OpenVino
from robo_reward.perception.runtimes.torch_bfloat16 import TorchBfloat16
from robo_reward.perception.runtimes.torch_compiled import TorchCompiled
from robo_reward.perception.runtimes.torch_float32 import TorchFloat32


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TowerSource:
    """A loaded image tower and what is needed to run it elsewhere."""

    visual: nn.Module
    """The tower in float32, on the CPU; the runtime may cast or move it."""
    image_size: int
    """Height and width of a picture [px]."""
    weights: str
    """Hash of the checkpoint."""


def _torch_float32(source: TowerSource, device: torch.device, batch_size: int | None) -> ImageTower:
    return TorchFloat32(source.visual, device, batch_size=batch_size)


def _torch_bfloat16(source: TowerSource, device: torch.device, batch_size: int | None) -> ImageTower:
    return TorchBfloat16(source.visual, device, batch_size=batch_size)


def _torch_compiled(source: TowerSource, device: torch.device, batch_size: int | None) -> ImageTower:
    if device.type != "cuda":
        raise EncoderError("runtime torch_compile is for CUDA; on the CPU openvino and onnx are faster than compiling")
    return TorchCompiled(source.visual, device, batch_size=batch_size)


def _onnx_float32(source: TowerSource, device: torch.device, batch_size: int | None) -> ImageTower:
    _require_cpu("onnx", device)
    visual, size, weights = source.visual, source.image_size, source.weights
    return OnnxFloat32(visual, image_size=size, weights=weights, batch_size=batch_size)


def _onnx_int8(source: TowerSource, device: torch.device, batch_size: int | None) -> ImageTower:
    _require_cpu("onnx", device)
    visual, size, weights = source.visual, source.image_size, source.weights
    return OnnxInt8(visual, image_size=size, weights=weights, batch_size=batch_size)


def _openvino(precision: Literal["float32", "bfloat16"]) -> Callable[..., ImageTower]:
    def build(source: TowerSource, device: torch.device, batch_size: int | None) -> ImageTower:
        _require_cpu("openvino", device)
        visual, size, weights = source.visual, source.image_size, source.weights
        return OpenVino(visual, image_size=size, precision=precision, weights=weights, batch_size=batch_size)

    return build


_BUILDERS: Mapping[tuple[str, str], Callable[[TowerSource, torch.device, int | None], ImageTower]] = {
    ("torch", "float32"): _torch_float32,
    ("torch", "bfloat16"): _torch_bfloat16,
    ("torch_compile", "bfloat16"): _torch_compiled,
    ("onnx", "float32"): _onnx_float32,
    ("onnx", "int8"): _onnx_int8,
    ("openvino", "float32"): _openvino("float32"),
    ("openvino", "bfloat16"): _openvino("bfloat16"),
}

RUNTIMES: tuple[tuple[str, str], ...] = tuple(_BUILDERS)
"""Every (runtime, precision) that exists."""


def image_tower(
    source: TowerSource, device: torch.device, *, runtime: str, precision: str, batch_size: int | None
) -> ImageTower:
    """Put a tower into the runtime of that name.

    Args:
        source: The loaded tower; not to be used afterwards.
        device: Where to run.
        runtime: One of the names in `RUNTIMES`.
        precision: One that the runtime has.
        batch_size: Largest number of pictures in one call; None = what suits the device.

    Raises:
        EncoderError: No such runtime or precision, or it is not to be had on this device or in this environment.
    """
    if (runtime, precision) not in _BUILDERS:
        allowed = ", ".join(f"{name}/{numbers}" for name, numbers in RUNTIMES)
        raise EncoderError(f"unknown runtime/precision '{runtime}/{precision}'; allowed: {allowed}")
    return _BUILDERS[runtime, precision](source, device, batch_size)


def _require_cpu(runtime: str, device: torch.device) -> None:
    if device.type != "cpu":
        raise EncoderError(f"runtime {runtime} runs on the CPU here, not on '{device}'; set device=cpu")
