"""ONNX Runtime in float32: faster than eager torch on the CPU, the same to seven digits."""

from typing import ClassVar, final

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from robo_reward.perception.runtimes.image_tower import powers_of_two_below
from robo_reward.perception.runtimes.onnx_export import exported_tower, require_package
from robo_reward.perception.runtimes.onnx_session import OnnxSession


@final
class OnnxFloat32:
    """Runs the exported tower on the CPU; the bits did not depend on the batch size in any tower that was tried.

    Args:
        visual: The image tower, in float32.
        image_size: Height and width of a picture [px].
        weights: Hash of the checkpoint; names the exported file in the cache folder.
        batch_size: Pictures in one call; None = 16.

    Raises:
        EncoderError: onnx or onnxruntime is missing, or the tower cannot be exported.
    """

    min_cosine: ClassVar[float] = 0.999999

    def __init__(self, visual: nn.Module, *, image_size: int, weights: str, batch_size: int | None) -> None:
        require_package("onnx", extra="onnx")
        require_package("onnxruntime", extra="onnx")
        self.batch_size = batch_size or 16
        self._session = OnnxSession(exported_tower(visual, image_size=image_size, weights=weights))

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        return f"{self._session.version} float32, exported by torch {torch.__version__}"

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """Sizes below `batch_size` that are worth trying."""
        return powers_of_two_below(self.batch_size)

    def __call__(self, pictures: Float32[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Features before normalisation to unit length, on the CPU."""
        return self._session.run(pictures)
