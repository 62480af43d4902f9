"""Eager torch in float32: the reference that every other runtime is compared with."""

from typing import ClassVar, final

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from robo_reward.perception.runtimes.image_tower import powers_of_two_below


@final
class TorchFloat32:
    """Runs the tower as it is, on the CPU or on CUDA.

    Bits depend on the batch size (kernels are chosen by it), on the CPU mostly not between 4 and 8; not on the place in
    the batch, save for odd sizes on several threads. Batches of 8 reach 0.98 and more of the best throughput of any
    size, and leave 4 and often 2 usable for a few frames; with 16 some convolutional towers leave none. On the CPU
    bits may also depend on the number of threads, which is therefore part of `version`; no other runtime showed that.

    Args:
        visual: The image tower, in float32.
        device: Where to run.
        batch_size: Pictures in one call; None = 8 on the CPU, 64 on CUDA.
    """

    min_cosine: ClassVar[float] = 1.0

    def __init__(self, visual: nn.Module, device: torch.device, *, batch_size: int | None) -> None:
        self.batch_size = batch_size or (64 if device.type == "cuda" else 8)
        self._visual = visual.to(device).eval()
        self._threads = f" {torch.get_num_threads()} threads" if device.type == "cpu" else ""

    @property
    def version(self) -> str:
        """Name and release of the library that does the arithmetic, and its precision."""
        return f"torch {torch.__version__} float32{self._threads}"

    @property
    def smaller_batch_sizes(self) -> tuple[int, ...]:
        """Sizes below `batch_size` that are worth trying."""
        return powers_of_two_below(self.batch_size)

    @torch.inference_mode()
    def __call__(self, pictures: Float32[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim *cells"]:
        """Features before normalisation to unit length, or a network's feature map; on the pictures' device."""
        return self._visual(pictures)
