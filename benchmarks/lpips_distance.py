"""LPIPS distance to pictures of the goal (Zhang et al. 2018, 1801.03924), SqueezeNet 1.1, version 0.1."""

from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from robo_reward.perception.torchvision_ops import declare_torchvision_ops

declare_torchvision_ops()  # torchvision needs the declarations first
from torchvision.models import squeezenet1_1  # noqa: E402

SLICES = (2, 5, 8, 10, 11, 12, 13)
"""Where the trunk is tapped: after so many of its modules."""
SIZE = 128
"""Height and width at which pictures are compared [px]."""


class LpipsEncoder:
    """Embeds a picture as its distance to each goal picture; an `ImageEncoder`.

    d = Σ_layers mean_{h,w} Σ_c w_c (f_c / ‖f‖ − g_c / ‖g‖)²

    Args:
        weights: Folder with `lpips_backbone_squeeze` and `lpips_heads`.
        goals: Pictures (goal, 3, height, width), 8-bit RGB.
    """

    image_size = SIZE

    def __init__(self, weights: Path, goals: Tensor) -> None:
        self._trunk = squeezenet1_1(weights=None).features.eval().requires_grad_(False)
        self._trunk.load_state_dict(_read(weights / "lpips_backbone_squeeze/squeeze.backbone.pth"))
        heads = _read(weights / "lpips_heads/lpips/weights/v0.1/squeeze.pth")
        self._heads = [heads[f"lin{layer}.model.1.weight"] for layer in range(len(SLICES))]
        prepared = self.prepare(goals)
        self._goals, self.dim = self.features(prepared / 127.5 - 1), len(goals)
        self.version = sha256(b"lpips squeeze 0.1" + prepared.numpy().tobytes()).hexdigest()

    def prepare(self, frames: Tensor) -> Tensor:
        """Resize, both sides to fit."""
        resized = functional.interpolate(frames.float(), size=(SIZE, SIZE), mode="bilinear", antialias=True)
        return resized.round().clamp(0, 255).to(torch.uint8)

    def embed(self, pixels: Tensor) -> Tensor:
        """Give the distance to each goal: (picture, goal)."""
        return torch.cat([self._distances(self.features(part / 127.5 - 1)) for part in pixels.split(16)])

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Give weighted unit features of each layer for pictures in [−1, 1]."""
        shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
        x, found = (pictures - shift) / torch.tensor([0.458, 0.448, 0.450])[:, None, None], []
        with torch.no_grad():
            for begin, end, head in zip((0, *SLICES), SLICES, self._heads, strict=False):
                x = self._trunk[begin:end](x)
                unit = x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
                found.append((unit * head.clamp(min=0).sqrt()).flatten(1) / (x.shape[-1] * x.shape[-2]) ** 0.5)
        return found

    def _distances(self, features: list[Tensor]) -> Tensor:
        pairs = zip(features, self._goals, strict=True)
        return torch.stack([torch.cdist(own, goal).square() for own, goal in pairs]).sum(dim=0)


def _read(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)
