"""Feature maps of open_clip's image towers, the small one that comes with the package among them."""

import math

import torch
from torch import Tensor, nn

from robo_reward.errors import EncoderError
from robo_reward.perception.embedded_encoder import embedded_checkpoint
from robo_reward.perception.feature_map import FeatureMapEncoder
from robo_reward.perception.open_clip_checkpoint import ModifiedResNet, VisionTransformer, load_checkpoint


def embedded_features(*, grid: int, device: str, batch_size: int | None) -> FeatureMapEncoder:
    """Look through the last feature map of the encoder that comes with the package; needs no internet.

    Args:
        grid: Cells along each side that the map is averaged over.
        device: "cpu", "cuda", "cuda:1" …, or "auto".
        batch_size: Largest number of pictures in one forward pass; None = what suits the device.

    Raises:
        EncoderError: Its files are missing or damaged, or the device is not to be had.
    """
    return open_clip_features(embedded_checkpoint(), pretrained=None, grid=grid, device=device, batch_size=batch_size)


def open_clip_features(
    model: str, *, pretrained: str | None, grid: int, device: str, batch_size: int | None
) -> FeatureMapEncoder:
    """Look through a vision transformer's last patches, or a residual network's last map before it is pooled.

    Args:
        model: As in `OpenClipEncoder`.
        pretrained: As in `OpenClipEncoder`.
        grid: Cells along each side that the map is averaged over.
        device: "cpu", "cuda", "cuda:1" …, or "auto".
        batch_size: Largest number of pictures in one forward pass; None = what suits the device.

    Raises:
        EncoderError: Weights or device that cannot be had, or a model that is neither a ViT nor a ResNet of open_clip.
    """
    checkpoint = load_checkpoint(model, pretrained=pretrained, seed=None)
    visual = checkpoint.visual.visual
    if isinstance(visual, VisionTransformer):
        network: nn.Module = _Patches(visual)
    elif isinstance(visual, ModifiedResNet):
        visual.attnpool = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        network = visual
    else:
        raise EncoderError(f"'{model}' is a {type(visual).__name__}: choose a ViT or a ResNet of open_clip")
    return FeatureMapEncoder(
        network,
        weights=f"map {checkpoint.weights}",
        transform=checkpoint.transform,
        grid=grid,
        device=device,
        batch_size=batch_size,
    )


class _Patches(nn.Module):
    """A vision transformer's last tokens, laid out as the picture's patches are."""

    def __init__(self, visual: VisionTransformer) -> None:
        super().__init__()
        visual.output_tokens = True
        self.visual = visual

    def forward(self, pictures: Tensor) -> Tensor:
        tokens: Tensor = self.visual(pictures)[1]
        side = math.isqrt(tokens.shape[1])
        return torch.unflatten(tokens.transpose(1, 2), 2, (side, side))
