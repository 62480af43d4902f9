"""What an encoder is, and how reward models look through one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float32, Float64, UInt8
from torch import Tensor

from robo_reward.clip import Clip, check_stamp
from robo_reward.reward_model import Estimate, RewardModel


@runtime_checkable
class ImageEncoder(Protocol):
    """Turns frames into vectors: pooled ones, or flattened feature maps that keep where things are.

    `embed` gives a picture the same bits whatever else is in the batch, and in whatever batch size it comes:
    the online reward and the recorded one are then the same number.
    """

    @property
    def version(self) -> str:
        """Hash of everything that changes an embedding: weights, preprocessing, runtime, precision."""
        ...

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        ...

    @property
    def image_size(self) -> int:
        """Height and width of a prepared picture [px]."""
        ...

    def prepare(self, frames: UInt8[Tensor, "batch 3 height width"]) -> UInt8[Tensor, "batch 3 size size"]:
        """Resize and crop as the checkpoint was trained, on the device, still 8-bit RGB."""
        ...

    def embed(self, pixels: UInt8[Tensor, "batch 3 size size"]) -> Float32[Tensor, "batch dim"]:
        """Embed prepared pictures; on the CPU."""
        ...


@runtime_checkable
class Encoder(ImageEncoder, Protocol):
    """Turns frames and texts into unit vectors of one space."""

    @property
    def logit_scale(self) -> float:
        """Inverse temperature that the checkpoint was trained with: P(goal) = σ(logit_scale · (s·g − s·b))."""
        ...

    def encode_text(self, text: Sequence[str]) -> Float32[Tensor, "text dim"]:
        """Embed texts with the checkpoint's own tokeniser; unit norm, on the CPU."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class EmbeddedClip:
    """A clip as an encoder saw it: what remains of the frames when the pixels are gone.

    Raises:
        ValueError: Shapes that disagree.
    """

    embedding: Float32[Tensor, "batch time view dim"]
    """Embedding of each camera's frame; NaN where the camera gave none."""
    cameras: tuple[str, ...]
    stamp: Float64[Tensor, "batch time"]
    """Capture time [s]."""

    def __post_init__(self) -> None:
        if self.embedding.ndim != 4 or self.embedding.shape[2] != len(self.cameras):
            raise ValueError(
                f"embedding must be (batch, time, view={len(self.cameras)}, dim), got {tuple(self.embedding.shape)}"
            )
        if self.stamp.shape != self.embedding.shape[:2]:
            raise ValueError(f"stamp must be {tuple(self.embedding.shape[:2])}, got {tuple(self.stamp.shape)}")
        check_stamp(self.stamp)

    @property
    def present(self) -> Bool[Tensor, "batch time view"]:
        """False where a camera gave no frame."""
        return ~torch.isnan(self.embedding[..., 0])

    def followed_by(self, later: "EmbeddedClip") -> "EmbeddedClip":
        """Append a later clip of the same cameras.

        Raises:
            ValueError: Other cameras, or stamps that do not increase.
        """
        if later.cameras != self.cameras:
            raise ValueError(f"the clip has cameras {list(self.cameras)}, the later one {list(later.cameras)}")
        return EmbeddedClip(
            embedding=torch.cat([self.embedding, later.embedding], dim=1),
            cameras=self.cameras,
            stamp=torch.cat([self.stamp, later.stamp], dim=1),
        )

    def latest(self, num_frames: int | None) -> "EmbeddedClip":
        """Keep the last `num_frames` frames; None keeps all."""
        if num_frames is None or num_frames >= self.stamp.shape[1]:
            return self
        return EmbeddedClip(
            embedding=self.embedding[:, -num_frames:], cameras=self.cameras, stamp=self.stamp[:, -num_frames:]
        )


@runtime_checkable
class EmbeddingRewardModel(RewardModel, Protocol):
    """A reward model that sees frames through one encoder only, so that no frame is encoded twice.

    `estimate(clip)` equals `estimate_embedded(embed_clip(encoder, clip))` bit for bit. Streams then keep embeddings
    instead of pixels, and data sets keep them on disk across prompts.
    """

    @property
    def encoder(self) -> ImageEncoder:
        """What the model looks through."""
        ...

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings."""
        ...


def embed_clip(encoder: ImageEncoder, clip: Clip) -> EmbeddedClip:
    """Embed every frame that is present, all cameras in one forward pass."""
    batch, time = clip.stamp.shape
    embedding = torch.full((batch, time, len(clip.cameras), encoder.dim), float("nan"))
    seen = [clip.present[..., view].reshape(-1) for view in range(len(clip.cameras))]
    pixels = [
        encoder.prepare(_rows(frames.reshape(-1, *frames.shape[2:]), mask))
        for frames, mask in zip(clip.views.values(), seen, strict=True)
        if bool(mask.any())
    ]
    if pixels:
        rows = torch.stack(seen, dim=-1)  # (batch·time, view)
        flat = embedding.reshape(-1, len(clip.cameras), encoder.dim)
        flat.transpose(0, 1)[rows.T] = encoder.embed(torch.cat(pixels))
    return EmbeddedClip(embedding=embedding, cameras=clip.cameras, stamp=clip.stamp)


def _rows(frames: UInt8[Tensor, "frame 3 _h _w"], mask: Bool[Tensor, " frame"]) -> UInt8[Tensor, "_seen 3 _h _w"]:
    """Take the masked frames; all of them without a copy."""
    return frames if bool(mask.all()) else frames[mask]
