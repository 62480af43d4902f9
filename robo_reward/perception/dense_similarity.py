"""Where in a picture something is that words name: dense image-text similarity, and a touch point from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor

from robo_reward.perception.dense_features import DenseFeatures
from robo_reward.perception.embedded_encoder import embedded_checkpoint

AGAINST = ("a robot arm", "a table", "the floor", "a wall", "nothing")
"""What the rest of a picture on a robot's table usually is."""


@runtime_checkable
class PatchFeatures(Protocol):
    """Gives unit vectors of patches and texts in one space; `DenseFeatures` does."""

    @property
    def version(self) -> str:
        """Identifies weights and size."""
        ...

    @property
    def logit_scale(self) -> float:
        """Inverse temperature that the checkpoint was trained with."""
        ...

    def features(self, picture: UInt8[Tensor, "3 height width"]) -> Float32[Tensor, "row column dim"]:
        """Give the patches' unit vectors, row 0 at the top."""
        ...

    def text(self, text: list[str]) -> Float32[Tensor, "text dim"]:
        """Embed texts; unit norm."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TouchPoint:
    """Where to touch, as far as the picture tells."""

    pixel: tuple[float, float]
    """(right, down) [px]; (0, 0) is the centre of the top left pixel."""
    covariance: Float64[np.ndarray, "2 2"]
    """[px²]: the spread of what looks like it round the pixel; large where several places do."""
    probability: float
    """Of the words against the others at this place, in [0, 1]."""


@final
class DenseSimilarity:
    """Tells for every patch how much more it looks like some words than like what else is on the table.

        P_ij(words) = softmax_w(logit_scale · ⟨f_ij, t_w⟩)[words]   over the words and `against`

    Zero-shot, and as good as the features: the encoder that comes with the package was trained on whole pictures of
    simulated tables and tells places badly (docs/models/keypoint_affordance.md has the figures). Propose, let a person
    or a second method confirm.

    Args:
        patches: Features of patches and texts.
        against: What else there is; the words asked about are left out of it.
        sharpness: Power of the probability that weighs places for a touch point; ≥ 1.

    Raises:
        ValueError: Nothing to tell from, or a sharpness below 1.

    Source:
        After MaskCLIP (2112.01071) and AffordanceCLIP ("What does CLIP know about peeling a banana?", 2404.12015).
    """

    def __init__(self, patches: PatchFeatures, *, against: Sequence[str] = AGAINST, sharpness: float = 4.0) -> None:
        if not against or any(not each.strip() for each in against):
            raise ValueError(f"against must be a list of one or more texts, got {list(against)!r}")
        if not sharpness >= 1:
            raise ValueError(f"sharpness must be >= 1, got {sharpness}")
        self._patches, self._against, self._sharpness = patches, tuple(against), float(sharpness)

    @property
    def version(self) -> str:
        """Identifies features and words."""
        return f"{self._patches.version} against {list(self._against)}"

    def probabilities(self, picture: UInt8[Tensor, "3 height width"], words: str) -> Float32[Tensor, "row column"]:
        """Give the probability of the words in each cell; cells share the picture evenly, row 0 at the top.

        Raises:
            ValueError: Words that are empty, or too long for the checkpoint.
        """
        others = [each for each in self._against if each != words]
        texts = self._patches.text([words, *others])
        similarity = self._patches.features(picture) @ texts.T
        return torch.softmax(self._patches.logit_scale * similarity, dim=-1)[..., 0]

    def touch_point(self, picture: UInt8[Tensor, "3 height width"], words: str) -> TouchPoint:
        """Propose where to touch what the words name: the most probable cell, with the doubt that the others leave.

            Σ = Σ_ij w_ij (x_ij − x*)(x_ij − x*)ᵀ + cell²/12,   w ∝ P^sharpness

        Raises:
            ValueError: Words that are empty, or too long for the checkpoint.
        """
        probability = self.probabilities(picture, words).double().numpy()
        rows, columns = probability.shape
        size = np.array([picture.shape[2] / columns, picture.shape[1] / rows])
        across, down = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        places = np.stack([across, down], axis=-1) * size - 0.5
        best = np.unravel_index(int(probability.argmax()), probability.shape)
        weight = (probability / probability.max()) ** self._sharpness
        off = places - places[best]
        around = (weight[..., None, None] * off[..., :, None] * off[..., None, :]).sum(axis=(0, 1)) / weight.sum()
        right, below = places[best].tolist()
        return TouchPoint(
            pixel=(right, below),
            covariance=around + np.diag(size**2) / 12,
            probability=float(probability[best]),
        )


def embedded_similarity(*, device: str, side: int | None = None, against: Sequence[str] = AGAINST) -> DenseSimilarity:
    """Look through the encoder that comes with the package; needs no internet.

    Args:
        device: "cpu", "cuda", "cuda:1" …, or "auto".
        side: Shorter edge of what it sees [px]; None = 128, what it was trained at.
        against: What else there is.

    Raises:
        EncoderError: Its files are missing or damaged, or the device is not to be had.
    """
    features = DenseFeatures(embedded_checkpoint(), pretrained=None, side=side, device=device)
    return DenseSimilarity(features, against=against)
