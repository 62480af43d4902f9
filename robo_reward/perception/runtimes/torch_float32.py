"""Eager torch in float32: the reference that every other runtime is compared with."""

from typing import ClassVar, final

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from robo_reward.perception.runtimes.image_tower import powers_of_two_below


@final
class TorchFloat32:
    """Runs the tower as it is, on the CPU or on CUDA.

    Bits depend on the batch size (matrix products choose their kernels by it), for powers of two from 4 on they were
    equal on the CPU; not on the place in the batch. Odd sizes on several threads depend on the place too.

    Args:
        visual: The image tower, in float32.
        device: Where to run.
        batch_size: Pictures in one call; None = 16 on the CPU, 64 on CUDA.
    """

    min_cosine: ClassVar[float] = 1.0

    def __init__(self, visual: nn.Module, device: torch.device, *, batch_size: int | None) -> None:
        self.batch_size = batch_size or (64 if device.type == "cuda" else 16)
        self._visual = visual.to(device).eval()

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        return f"torch {torch.__version__} float32"

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """Sizes below `batch_size` that are worth trying."""
        return powers_of_two_below(self.batch_size)

    @torch.inference_mode()
    def __call__(self, pictures: Float32[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Features before normalisation to unit length, on the pictures' device."""
        return self._visual(pictures)
