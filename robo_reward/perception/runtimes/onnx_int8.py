"""ONNX Runtime with 8-bit weights and activations: the fastest picture by picture, the least exact."""

import warnings
from pathlib import Path
from typing import ClassVar, final

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from robo_reward.errors import EncoderError
from robo_reward.perception.runtimes.onnx_export import exported_tower, require_package, write_once
from robo_reward.perception.runtimes.onnx_session import OnnxSession


@final
class OnnxInt8:
    """Runs the exported tower with dynamically quantised matrix products on the CPU, one picture at a time.

    Dynamic quantisation takes the range of activations over the whole batch: in company a picture's embedding would
    depend on its neighbours (by 0.05 in a coordinate, seen). Alone it does not, so the batch size is always 1.

    Args:
        visual: The image tower, in float32.
        image_size: Height and width of a picture [px].
        weights: Hash of the checkpoint; names the exported file in the cache folder.
        batch_size: 1, or None for it.

    Raises:
        EncoderError: Another batch size, onnx or onnxruntime is missing, or the tower cannot be exported.
    """

    min_cosine: ClassVar[float] = 0.999

    def __init__(self, visual: nn.Module, *, image_size: int, weights: str, batch_size: int | None) -> None:
        if batch_size not in (None, 1):
            raise EncoderError(
                f"int8 lets neighbours in a batch change a picture: batch_size must be 1, got {batch_size}"
            )
        self.batch_size = 1
        require_package("onnx", extra="onnx")
        require_package("onnxruntime", extra="onnx")
        exact = exported_tower(visual, image_size=image_size, weights=weights)
        self._session = OnnxSession(write_once(exact.with_suffix(".int8.onnx"), lambda path: _quantise(exact, path)))

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        return f"{self._session.version} int8, exported by torch {torch.__version__}"

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """None: there is nothing below 1."""
        return ()

    def __call__(self, pictures: Float32[Tensor, "1 3 size size"]) -> Float32[Tensor, "1 dim"]:
        """Features before normalisation to unit length, on the CPU."""
        return self._session.run(pictures)


def _quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415  an optional extra

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # convolutions (the patch embedding) stay in float32: their dynamic form is slower
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
