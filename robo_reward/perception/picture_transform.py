"""How a checkpoint wants its pictures: resized and cropped as 8-bit RGB, then normalised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional

from robo_reward.errors import EncoderError


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTransform:
    """The geometry and the statistics that a checkpoint was trained with.

    Repeats open_clip's own evaluation transform (PIL and torchvision) on whole batches, on any device. On the CPU a
    pixel differs from it by at most 2/255, down- and upscaled. Rows are resized before columns, as Pillow did when the
    checkpoints were trained; Pillow 13 turns that round for frames higher than wide, and differs from Pillow 12 (and
    from this) by up to 22/255 at hard edges there. On CUDA torch resizes only floats: the result is rounded back to
    8 bit, which was not run against PIL.

    Raises:
        ValueError: A size below 1, an unknown way of resizing or interpolating, a standard deviation that is not > 0.
    """

    size: int
    """Height and width of a prepared picture [px]."""
    resize_mode: Literal["shortest", "longest", "squash"]
    """`shortest`: the shorter side fits, the rest is cropped; `longest`: the longer side fits, the rest is `fill`;
    `squash`: both sides fit, the aspect ratio is lost."""
    interpolation: Literal["bicubic", "bilinear"]
    """Always with antialiasing, as in PIL."""
    fill: int
    """Grey value of what `longest` leaves empty, in [0, 255]."""
    mean: tuple[float, float, float]
    """Subtracted from RGB in [0, 1]."""
    std: tuple[float, float, float]
    """Then divided by."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1 px, got {self.size}")
        if self.resize_mode not in ("shortest", "longest", "squash"):
            raise ValueError(f"resize_mode must be shortest, longest or squash, got '{self.resize_mode}'")
        if self.interpolation not in ("bicubic", "bilinear"):
            raise ValueError(f"interpolation must be bicubic or bilinear, got '{self.interpolation}'")
        if min(self.std) <= 0:
            raise ValueError(f"std must be > 0, got {self.std}")

    @classmethod
    def from_checkpoint(cls, settings: Mapping[str, Any]) -> "PictureTransform":
        """Read the `preprocess_cfg` that open_clip keeps with every model.

        Raises:
            EncoderError: A picture that is not square, or settings that this transform does not know.
        """
        size = settings["size"]
        height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
        if height != width:
            raise EncoderError(f"the checkpoint wants pictures of {height}x{width} px; only square ones are supported")
        # open_clip reads "random" (an augmentation) as bicubic when it evaluates
        interpolation = "bilinear" if settings["interpolation"] == "bilinear" else "bicubic"
        try:
            return cls(
                size=height,
                resize_mode=settings["resize_mode"],
                interpolation=interpolation,
                fill=int(settings["fill_color"]),
                mean=_three(settings["mean"]),
                std=_three(settings["std"]),
            )
        except (ValueError, TypeError) as error:
            raise EncoderError(f"the checkpoint's preprocessing {dict(settings)} is not supported: {error}") from error

    def prepare(self, frames: UInt8[Tensor, "batch 3 height width"]) -> UInt8[Tensor, "batch 3 size size"]:
        """Resize, crop and pad on the device where the frames are."""
        height, width = frames.shape[-2:]
        resized = _resize(frames, self._resized(height, width), self.interpolation)
        return self._crop_or_pad(resized).contiguous()

    def normalise(self, pixels: UInt8[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch 3 size size"]:
        """Give the numbers that the checkpoint expects: (x / 255 − mean) / std."""
        mean = torch.tensor(self.mean, device=pixels.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(3, 1, 1)
        # three divisions instead of one product: the same rounding as ToTensor and Normalize
        return pixels.to(torch.float32).div_(255).sub_(mean).div_(std)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing, rounded as torchvision (shortest) and open_clip (longest) do."""
        if self.resize_mode == "squash":
            return self.size, self.size
        if self.resize_mode == "longest":
            ratio = max(height / self.size, width / self.size)
            return max(round(height / ratio), 1), max(round(width / ratio), 1)
        if height <= width:
            return self.size, int(self.size * width / height)
        return int(self.size * height / width), self.size

    def _crop_or_pad(self, pictures: Tensor) -> Tensor:
        missing_y, missing_x = (max(self.size - side, 0) for side in pictures.shape[-2:])
        if missing_y or missing_x:
            padding = (missing_x // 2, (missing_x + 1) // 2, missing_y // 2, (missing_y + 1) // 2)
            pictures = functional.pad(pictures, padding, value=self.fill)
        top, left = (round((side - self.size) / 2.0) for side in pictures.shape[-2:])
        return pictures[..., top : top + self.size, left : left + self.size]


def _resize(frames: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    if tuple(frames.shape[-2:]) == size or len(frames) == 0:
        return frames if len(frames) else frames.new_empty(0, 3, *size)
    if frames.device.type == "cpu":
        return functional.interpolate(frames, size, mode=interpolation, antialias=True)
    resized = functional.interpolate(frames.to(torch.float32), size, mode=interpolation, antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


def _three(value: float | Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (value,) * 3 if isinstance(value, int | float) else value
    return float(red), float(green), float(blue)
