"""Encoders that keep where things are: a network's feature map, averaged over the cells of a coarse grid."""

import json
from hashlib import sha256
from typing import final

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional

from robo_reward.perception.batch_sizes import in_batches, sizes_with_equal_bits
from robo_reward.perception.device import resolve_device
from robo_reward.perception.picture_transform import PictureTransform
from robo_reward.perception.runtimes.torch_float32 import TorchFloat32


@final
class FeatureMapEncoder:
    """Embeds pictures as flattened feature maps: (channel, row, column), not of unit length, without text.

    A picture gets the same bits whatever it is batched with, as in `OpenClipEncoder`.

    Args:
        network: Gives a map (batch, channel, height, width) of normalised pictures.
        weights: Hash of its weights.
        transform: How the network wants its pictures.
        grid: Cells along each side that the map is averaged over; 1 keeps nothing of place.
        device: "cpu", "cuda", "cuda:1" …, or "auto": CUDA where there is a CUDA device.
        batch_size: Largest number of pictures in one forward pass; None: 8 on the CPU, 64 on CUDA.

    Raises:
        EncoderError: A device that cannot be had.
        ValueError: A grid or batch size below 1, or a grid finer than the map.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        weights: str,
        transform: PictureTransform,
        grid: int,
        device: str,
        batch_size: int | None,
    ) -> None:
        if grid < 1 or (batch_size is not None and batch_size < 1):
            raise ValueError(f"grid and batch_size must be at least 1, got {grid} and {batch_size}")
        self.device, self.transform, self._grid = resolve_device(device), transform, grid
        self._tower = TorchFloat32(network, self.device, batch_size=batch_size)
        random = torch.Generator().manual_seed(0)
        shape = (self._tower.batch_size, 3, transform.size, transform.size)
        pictures = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random).to(self.device)
        side = min(self._map(pictures[:1]).shape[-2:])
        if grid > side:
            raise ValueError(f"the feature map has {side} cells along a side; grid must be 1 to {side}, got {grid}")
        self.batch_sizes = sizes_with_equal_bits(self._embed_batch, pictures, smaller=self._tower.smaller_batch_sizes)
        self.dim = int(self._embed_batch(pictures[: self.batch_sizes[0]]).shape[-1])
        parts = [weights, repr(transform), self._tower.version, self.device.type, self._tower.batch_size, grid]
        self.version = sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def image_size(self) -> int:
        """Height and width of a prepared picture [px]."""
        return self.transform.size

    def prepare(self, frames: UInt8[Tensor, "batch 3 height width"]) -> UInt8[Tensor, "batch 3 size size"]:
        """Resize and crop as the network was trained, on the device, still 8-bit RGB."""
        return self.transform.prepare(frames.to(self.device, non_blocking=True))

    def embed(self, pixels: UInt8[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Embed prepared pictures; on the CPU.

        Raises:
            ValueError: Pictures of another size than `image_size`.
        """
        if tuple(pixels.shape[-2:]) != (self.image_size, self.image_size):
            raise ValueError(f"pictures must be prepared to {self.image_size} px, got {tuple(pixels.shape)}")
        if len(pixels) == 0:
            return torch.empty(0, self.dim)
        return torch.cat(in_batches(self._embed_batch, pixels.to(self.device), sizes=self.batch_sizes)).cpu()

    def _map(self, pixels: Tensor) -> Tensor:
        return self._tower(self.transform.normalise(pixels))

    @torch.no_grad()
    def _embed_batch(self, pixels: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(self._map(pixels), self._grid).flatten(1)
