"""Compiled torch under autocast to bfloat16, for CUDA."""

from typing import ClassVar, final

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from robo_reward.perception.device import require_bfloat16


@final
class TorchCompiled:
    """Runs the tower through `torch.compile` with one fixed shape, matrix products in bfloat16, norms in float32.

    The first call compiles (tens of seconds). Every call has exactly `batch_size` pictures, since each further shape
    would compile again: a set of few frames costs a whole batch. Its cosine on CUDA was not measured; the bound is the
    one of bfloat16 weights.

    Args:
        visual: The image tower, in float32.
        device: Where to run.
        batch_size: Pictures in every call; None = 64.

    Raises:
        EncoderError: The device has no bfloat16 arithmetic.
    """

    min_cosine: ClassVar[float] = 0.9998

    def __init__(self, visual: nn.Module, device: torch.device, *, batch_size: int | None) -> None:
        require_bfloat16(device)
        self.batch_size = batch_size or 64
        self._device = device
        self._visual = torch.compile(visual.to(device).eval(), dynamic=False)

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        return f"torch {torch.__version__} compiled bfloat16"

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """None: each would be compiled anew."""
        return ()

    def __call__(self, pictures: Float32[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Features before normalisation to unit length, on the pictures' device."""
        with torch.no_grad(), torch.autocast(self._device.type, torch.bfloat16):
            return self._visual(pictures).to(torch.float32)
