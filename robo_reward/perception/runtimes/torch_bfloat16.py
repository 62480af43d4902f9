"""Eager torch with weights in bfloat16: two to three times the frames of float32 where the hardware has it."""

from typing import ClassVar, final

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from robo_reward.perception.device import require_bfloat16
from robo_reward.perception.runtimes.image_tower import powers_of_two_below


@final
class TorchBfloat16:
    """Runs the tower with weights and activations in bfloat16; sums stay in float32.

    Not autocast: under `inference_mode` that casts the weights on every call, which on the CPU is slower than float32.

    Args:
        visual: The image tower; its weights are cast in place.
        device: Where to run.
        batch_size: Pictures in one call; None = 16 on the CPU, 64 on CUDA.

    Raises:
        EncoderError: The device has no bfloat16 arithmetic.
    """

    min_cosine: ClassVar[float] = 0.9998

    def __init__(self, visual: nn.Module, device: torch.device, *, batch_size: int | None) -> None:
        require_bfloat16(device)
        self.batch_size = batch_size or (64 if device.type == "cuda" else 16)
        self._visual = visual.to(device, torch.bfloat16).eval()

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        return f"torch {torch.__version__} bfloat16"

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """Sizes below `batch_size` that are worth trying."""
        return powers_of_two_below(self.batch_size)

    @torch.inference_mode()
    def __call__(self, pictures: Float32[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Features before normalisation to unit length, on the pictures' device."""
        return self._visual(pictures.to(torch.bfloat16)).to(torch.float32)
