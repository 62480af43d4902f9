"""A small head that learns where words point to, on the maps of a frozen image-text model."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from robo_reward.errors import EncoderError
from robo_reward.perception.open_clip_checkpoint import ModifiedResNet, load_checkpoint


@final
class ResNetStages(nn.Module):
    """The maps of a frozen residual network of open_clip: layers 1 to 3, fine to coarse, and its pooled vector.

    Args:
        model: As in `OpenClipEncoder`.
        pretrained: As in `OpenClipEncoder`.

    Raises:
        EncoderError: Weights that cannot be had, or no residual network of open_clip.
    """

    def __init__(self, model: str, *, pretrained: str | None) -> None:
        super().__init__()
        visual = load_checkpoint(model, pretrained=pretrained, seed=None).visual.visual
        if not isinstance(visual, ModifiedResNet):
            raise EncoderError(f"'{model}' is a {type(visual).__name__}: choose a ResNet of open_clip")
        self.visual = visual.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(
        self, pictures: Float[Tensor, "batch 3 size size"]
    ) -> tuple[list[Float[Tensor, "batch _channel _height _width"]], Float[Tensor, "batch dim"]]:
        """Give the maps and the pooled vectors of normalised pictures of the trained size."""
        found, maps = self.visual.stem(pictures), []
        for layer in (self.visual.layer1, self.visual.layer2, self.visual.layer3):
            found = layer(found)
            maps.append(found)
        return maps, self.visual.attnpool(self.visual.layer4(found))


@final
class AffordanceDecoder(nn.Module):
    """Gives for each pixel of the finest map how likely words point to it, as a logit.

        m_k = lateral_k(map_k) + upsample(m_{k+1}),   the coarsest one plus project(pooled)
        logit_ij(text) = s · ⟨n(out(m_1)_ij), n(text)⟩ + b,   n(x) = x / ‖x‖

    Channels are standardised first, by what was seen while training: call `eval()` before use. The image-text model
    stays frozen; only this head learns, by `affordance_loss` on masks with words (referring segmentation), and then
    answers words that it did not see.

    Args:
        channels: Of each map, fine to coarse.
        pooled_dim: Of the pooled vector.
        text_dim: Of the text vectors.
        middle: Channels of the pyramid; the published one has 256.

    Raises:
        ValueError: No map, or a size below 1.

    Source:
        AffordanceCLIP, after a third party's implementation: pyramid over layers 1–3 and the global vector,
        pixel-text cosine, sigmoid, cross entropy; Adam with 1e-4.
    """

    def __init__(self, channels: Sequence[int], *, pooled_dim: int, text_dim: int, middle: int = 256) -> None:
        super().__init__()
        if not channels or min(*channels, pooled_dim, text_dim, middle) < 1:
            raise ValueError(f"sizes must be >= 1 and at least one map, got {list(channels)}, {pooled_dim}, {text_dim}")
        # maps of different layers, channels and models differ in size by orders of magnitude
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(each, eps=1e-12, momentum=None), nn.Conv2d(each, middle, 1))
            for each in channels
        )
        self.pooled = nn.Linear(pooled_dim, middle)
        self.out = nn.Sequential(nn.Conv2d(middle, middle, 3, padding=1), nn.ReLU(), nn.Conv2d(middle, text_dim, 1))
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.bias = nn.Parameter(torch.tensor(0.0))

    def forward(
        self,
        maps: Sequence[Float[Tensor, "batch _channel _height _width"]],
        pooled: Float[Tensor, "batch pooled_dim"],
        text: Float[Tensor, "text text_dim"],
    ) -> Float[Tensor, "batch text height width"]:
        """Give the logits of each text at each pixel of the finest map."""
        *finer, coarsest = [lateral(each) for lateral, each in zip(self.lateral, maps, strict=True)]
        found = coarsest + self.pooled(pooled)[:, :, None, None]
        for each in reversed(finer):
            found = each + functional.interpolate(found, size=each.shape[-2:], mode="bilinear", align_corners=False)
        pixels = functional.normalize(self.out(found), dim=1)
        words = functional.normalize(text, dim=-1)
        return self.scale * torch.einsum("bdhw,td->bthw", pixels, words) + self.bias


def affordance_loss(
    logits: Float[Tensor, "batch text height width"], masks: Bool[Tensor, "batch text rows columns"]
) -> Float[Tensor, ""]:
    """Give the mean binary cross entropy of the logits, enlarged to the masks' size.

    Args:
        logits: Of each text.
        masks: True where the text points to.
    """
    enlarged = functional.interpolate(logits, size=masks.shape[-2:], mode="bilinear", align_corners=False)
    return functional.binary_cross_entropy_with_logits(enlarged, masks.to(enlarged.dtype))
