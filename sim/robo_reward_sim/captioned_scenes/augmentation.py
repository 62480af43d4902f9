"""What cameras, compression and cropping do to a picture, done to a batch."""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, UInt8
from torch import Tensor

from robo_reward_sim.captioned_scenes.checkpoint import IMAGE_SIZE

_LUMA = (0.299, 0.587, 0.114)


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)


def _crop(pixels: Tensor, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    batch = len(pixels)
    scale, angle = _uniform((batch,), 0.9, 1.02, generator), _uniform((batch,), -0.035, 0.035, generator)
    shift = _uniform((batch, 2), -1.0, 1.0, generator) * (1.03 - scale)[:, None]
    stretch = _uniform((batch,), 0.98, 1.02, generator)
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    theta = torch.stack([cosine * stretch, -sine, shift[:, 0], sine, cosine / stretch, shift[:, 1]], dim=1).view(
        -1, 2, 3
    )
    grid = F.affine_grid(theta, [batch, 3, IMAGE_SIZE, IMAGE_SIZE], align_corners=False)
    moved = torch.linalg.solve(theta[:, None, :, :2], (points - theta[:, None, :, 2])[..., None])[..., 0]
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False), moved


def _colour(pixels: Tensor, generator: torch.Generator) -> Tensor:
    batch = len(pixels)
    luma = torch.tensor(_LUMA).view(1, 3, 1, 1)
    grey = (pixels * luma).sum(1, keepdim=True)
    pixels = grey + (pixels - grey) * _uniform((batch, 1, 1, 1), 0.75, 1.25, generator)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * _uniform((batch, 1, 1, 1), 0.75, 1.25, generator)
    pixels = pixels * _uniform((batch, 3, 1, 1), 0.94, 1.06, generator)
    return pixels + _uniform((batch, 1, 1, 1), -0.1, 0.1, generator)


def _compress(pixels: Tensor, generator: torch.Generator) -> Tensor:
    batch = len(pixels)
    soft = F.avg_pool2d(F.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    pixels = torch.lerp(pixels, soft, _uniform((batch, 1, 1, 1), -0.3, 0.9, generator).clamp(min=0.0))
    grey = pixels.mean(1, keepdim=True)
    chroma = F.interpolate(F.avg_pool2d(pixels - grey, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    mixed = torch.where(torch.rand((batch, 1, 1, 1), generator=generator) < 0.5, grey + chroma, pixels)
    noise = torch.randn((batch, 1, *pixels.shape[2:]), generator=generator)
    return mixed + noise * _uniform((batch, 1, 1, 1), -0.02, 0.03, generator).clamp(min=0.0)


def augment(
    pixels: UInt8[Tensor, "batch 3 height width"], points: Float[Tensor, "batch point 2"], generator: torch.Generator
) -> tuple[Float[Tensor, "batch 3 size size"], Float[Tensor, "batch point 2"]]:
    """Crop, turn, recolour, blur and disturb each picture differently; never mirrored, since left would be right.

    Args:
        pixels: RGB pictures, larger than the encoder's.
        points: Places in them: (right, down) in [-1, 1].
        generator: Draws everything.

    Returns:
        Pictures in the encoder's size, in [0, 1], and where the places are now.
    """
    cropped, moved = _crop(pixels.float() / 255.0, points, generator)
    return _compress(_colour(cropped, generator), generator).clamp(0.0, 1.0), moved


def shrink(pixels: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 size size"]:
    """Resize as open_clip's preprocessing does for square pictures; values in [0, 1]."""
    size = (IMAGE_SIZE, IMAGE_SIZE)
    resized = F.interpolate(pixels, size=size, mode="bicubic", antialias=True)
    return resized.float() / 255.0
