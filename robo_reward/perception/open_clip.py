"""Any image-text model that open_clip knows, as an encoder."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import final

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional

from robo_reward.perception.batch_sizes import in_batches, sizes_with_equal_bits
from robo_reward.perception.device import resolve_device
from robo_reward.perception.open_clip_checkpoint import load_checkpoint
from robo_reward.perception.runtimes.choices import TowerSource, image_tower


@final
class OpenClipEncoder:
    """Looks through an open_clip model; tokeniser and preprocessing are the checkpoint's own.

    A picture gets the same bits whatever it is batched with, in any number: batches have the full size or a smaller
    one that gave equal bits when tried with random pictures at construction, and are filled up with black. So a few
    frames cost little more than themselves where the runtime allows it, else a whole batch. Another
    processor may give other last bits, another release too, and in torch float32 another number of threads; `version`
    covers the last two.

    Args:
        model: "NAME/TAG" with an open_clip architecture and its pretrained tag, "hf-hub:ORG/NAME",
            "local-dir:FOLDER" (open_clip_config.json beside the weights), or "NAME" alone with `pretrained`.
        pretrained: With "NAME": a tag, the path of a checkpoint (.pt, .safetensors …), or "random". None: in `model`.
        seed: Of "random" weights; None with all others.
        device: "cpu", "cuda", "cuda:1" …, or "auto": CUDA where there is a CUDA device.
        runtime: What runs the image tower: torch, torch_compile (CUDA), onnx or openvino (CPU).
        precision: float32, bfloat16 or int8, as far as the runtime has it.
        batch_size: Largest number of pictures in one forward pass; None: 8 on the CPU (16 where all
            sizes give equal bits: bfloat16, onnx, openvino), 64 on CUDA, 1 for int8.

    Raises:
        EncoderError: Weights, tokeniser, device, runtime or precision that cannot be had, or an unknown name.
        ValueError: A batch size below 1, or a seed without random weights or random weights without one.
    """

    def __init__(
        self,
        model: str,
        *,
        pretrained: str | None = None,
        seed: int | None = None,
        device: str,
        runtime: str,
        precision: str,
        batch_size: int | None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.device = resolve_device(device)
        checkpoint = load_checkpoint(model, pretrained=pretrained, seed=seed)
        self.transform = checkpoint.transform
        self._text = checkpoint.text.to(self.device)
        source = TowerSource(visual=checkpoint.visual, image_size=self.image_size, weights=checkpoint.weights)
        self._tower = image_tower(source, self.device, runtime=runtime, precision=precision, batch_size=batch_size)
        random = torch.Generator().manual_seed(0)
        shape = (self._tower.batch_size, 3, self.image_size, self.image_size)
        pictures = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random).to(self.device)
        self.batch_sizes = sizes_with_equal_bits(self._embed_batch, pictures, smaller=self._tower.smaller_batch_sizes)
        self.dim = int(self._embed_batch(pictures[: self.batch_sizes[0]]).shape[-1])
        self.logit_scale = checkpoint.logit_scale
        self.version = _hash(
            checkpoint.weights, repr(self.transform), self._tower.version, self.device.type, str(self._tower.batch_size)
        )

    @property
    def image_size(self) -> int:
        """Height and width of a prepared picture [px]."""
        return self.transform.size

    def prepare(self, frames: UInt8[Tensor, "batch 3 height width"]) -> UInt8[Tensor, "batch 3 size size"]:
        """Resize and crop as the checkpoint was trained, on the device, still 8-bit RGB.

        A pixel differs by at most 2/255 from open_clip's own transform (`PictureTransform` says with which Pillow).
        """
        return self.transform.prepare(frames.to(self.device, non_blocking=True))

    def embed(self, pixels: UInt8[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Embed prepared pictures; unit norm, on the CPU.

        Raises:
            ValueError: Pictures of another size than `image_size`.
        """
        if tuple(pixels.shape[-2:]) != (self.image_size, self.image_size):
            raise ValueError(f"pictures must be prepared to {self.image_size} px, got {tuple(pixels.shape)}")
        if len(pixels) == 0:
            return torch.empty(0, self.dim)
        return torch.cat(in_batches(self._embed_batch, pixels.to(self.device), sizes=self.batch_sizes)).cpu()

    @torch.no_grad()
    def encode_text(self, text: Sequence[str]) -> Float32[Tensor, "text dim"]:
        """Embed texts with the checkpoint's own tokeniser, one by one, in float32; unit norm, on the CPU.

        Raises:
            ValueError: No text, an empty one, or one with more tokens than the checkpoint reads.
            TypeError: One string instead of a sequence of strings.
        """
        if isinstance(text, str):
            raise TypeError(f"text must be a sequence of strings, got the string {text!r}")
        tokens = self._text.tokenise(text)
        features = [self._text(row[None].to(self.device)) for row in tokens]  # alone: no neighbour changes the bits
        return functional.normalize(torch.cat(features).to(torch.float32), dim=-1).cpu()

    @torch.no_grad()
    def _embed_batch(self, pixels: Tensor) -> Tensor:
        return functional.normalize(self._tower(self.transform.normalise(pixels)), dim=-1)


def _hash(*parts: str) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()
