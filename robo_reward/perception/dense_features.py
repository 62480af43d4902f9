"""Image-text features of every patch of a picture, from open_clip models that were trained to give one per picture."""

from typing import Any, final

import torch
from jaxtyping import Float32, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from robo_reward.errors import EncoderError
from robo_reward.perception.device import resolve_device
from robo_reward.perception.open_clip_checkpoint import ModifiedResNet, VisionTransformer, load_checkpoint

_RESNET_STRIDE = 32


@final
class DenseFeatures:
    """Gives a unit vector per patch in the space of the checkpoint's texts, without training.

    The last pooling by attention is left out; each place keeps its own value (MaskCLIP):

        residual network    f_ij = W_c W_v x_ij            of the attention pool
        vision transformer  y_ij = x_ij + W_o W_v LN(x_ij),  f_ij = W_proj LN(y_ij + MLP(y_ij))   of the last block

    A residual network looks at the picture enlarged to `side` px along its shorter edge, aspect kept; a transformer,
    whose positions were learnt for one size, at the picture squashed to its own square. Nothing is cropped.

    Args:
        model: As in `OpenClipEncoder`.
        pretrained: As in `OpenClipEncoder`.
        side: Shorter edge of what a residual network sees [px]; None = what it was trained at; more
            gives finer cells and stranger pictures.
        device: "cpu", "cuda", "cuda:1" …, or "auto".

    Raises:
        EncoderError: Weights or device that cannot be had; a model that is neither a ViT with class token nor a ResNet
            of open_clip.
        ValueError: A side below 32 px, or one for a transformer.

    Source:
        Zhou, Loy & Dai 2022 (MaskCLIP, 2112.01071).
    """

    def __init__(self, model: str, *, pretrained: str | None, side: int | None, device: str) -> None:
        self.device = resolve_device(device)
        checkpoint = load_checkpoint(model, pretrained=pretrained, seed=None)
        visual = checkpoint.visual.visual
        size = checkpoint.transform.size
        if isinstance(visual, ModifiedResNet):
            self._tower: nn.Module = _ResNetPatches(visual)
            self._side: int | None = size if side is None else side
            if self._side < _RESNET_STRIDE:
                raise ValueError(f"side must be at least {_RESNET_STRIDE} px, got {side}")
        elif isinstance(visual, VisionTransformer):
            if side is not None:
                raise ValueError(f"'{model}' is a transformer for {size} px pictures; side must be null, got {side}")
            self._tower, self._side = _VitPatches(visual, model), None
        else:
            raise EncoderError(f"'{model}' is a {type(visual).__name__}: choose a ViT or a ResNet of open_clip")
        self._tower = self._tower.eval().to(self.device)
        self._text, self._size = checkpoint.text.to(self.device), size
        self._mean = torch.tensor(checkpoint.transform.mean, device=self.device)[:, None, None]
        self._std = torch.tensor(checkpoint.transform.std, device=self.device)[:, None, None]
        self.logit_scale = checkpoint.logit_scale
        self.version = f"dense {checkpoint.weights} {self._side} {self.device.type}"

    @torch.no_grad()
    def features(self, picture: UInt8[Tensor, "3 height width"]) -> Float32[Tensor, "row column dim"]:
        """Give the patches' unit vectors, row 0 at the top; on the CPU. Cells share the whole picture evenly."""
        height, width = picture.shape[1:]
        pixels = functional.interpolate(
            picture[None].to(self.device).float(), size=self._shape(height, width), mode="bicubic", antialias=True
        )
        found = self._tower((pixels.clamp(0, 255) / 255 - self._mean) / self._std)
        return functional.normalize(found[0], dim=-1).cpu()

    @torch.no_grad()
    def text(self, text: list[str]) -> Float32[Tensor, "text dim"]:
        """Embed texts; unit norm, on the CPU.

        Raises:
            ValueError: No text, an empty one, or one with more tokens than the checkpoint reads.
        """
        tokens: Int[Tensor, "text token"] = self._text.tokenise(text)
        embedded = torch.cat([self._text(row[None].to(self.device)) for row in tokens])
        return functional.normalize(embedded.float(), dim=-1).cpu()

    def _shape(self, height: int, width: int) -> tuple[int, int]:
        if self._side is None:
            return self._size, self._size
        scale = self._side / min(height, width)
        rounded = (max(1, round(edge * scale / _RESNET_STRIDE)) * _RESNET_STRIDE for edge in (height, width))
        down, across = rounded
        return down, across


class _ResNetPatches(nn.Module):
    """A residual network whose attention pool keeps every place's value."""

    def __init__(self, visual: ModifiedResNet) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pictures: Tensor) -> Tensor:
        visual, found = self.visual, pictures
        for part in (visual.stem, visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            found = part(found)
        pool: Any = visual.attnpool
        return pool.c_proj(pool.v_proj(found.permute(0, 2, 3, 1)))


class _VitPatches(nn.Module):
    """A vision transformer whose last block lets every token attend to itself alone."""

    def __init__(self, visual: VisionTransformer, name: str) -> None:
        super().__init__()
        self.visual = visual
        last: Any = visual.transformer.resblocks[-1]
        attention = getattr(last, "attn", None)
        if not isinstance(attention, nn.MultiheadAttention) or attention.in_proj_weight is None:
            raise EncoderError(f"'{name}' has blocks without open_clip's usual attention; choose another ViT")
        if visual.attn_pool is not None:
            raise EncoderError(f"'{name}' pools by attention over learnt queries; choose a ViT with a class token")

    def forward(self, pictures: Tensor) -> Tensor:
        visual: Any = self.visual
        blocks = visual.transformer.resblocks
        tokens = visual._embeds(pictures)
        batch_first = getattr(visual.transformer, "batch_first", True)
        tokens = tokens if batch_first else tokens.transpose(0, 1)
        for block in blocks[:-1]:
            tokens = block(tokens)
        tokens = tokens if batch_first else tokens.transpose(0, 1)
        found = visual.ln_post(_attends_to_itself(blocks[-1], tokens))[:, -visual.grid_size[0] * visual.grid_size[1] :]
        if visual.proj is not None:
            found = found @ visual.proj
        return found.unflatten(1, tuple(visual.grid_size))


def _attends_to_itself(block: Any, tokens: Tensor) -> Tensor:
    attention, width = block.attn, tokens.shape[-1]
    bias = attention.in_proj_bias
    values = functional.linear(
        block.ln_1(tokens), attention.in_proj_weight[2 * width :], None if bias is None else bias[2 * width :]
    )
    tokens = tokens + block.ls_1(attention.out_proj(values))
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
