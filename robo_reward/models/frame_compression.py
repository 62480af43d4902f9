"""Long embeddings to short ones: each camera's principal directions, as demonstrations show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from robo_reward.perception.encoder import EmbeddedClip

SHRINKAGE = 0.1
"""Part of the mean deviation that is added to each number's before dividing by it: one that never moved says little."""
ROWS, COLUMNS = 16, 16
"""Frames that are compressed at a time, always, and what the number of components is filled up to a multiple of.

A product of one such shape gives a row the same bits at every place and in every company; with odd numbers of columns
libraries choose kernels that do not.
"""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FrameCompression:
    """Projects each camera's standardised embedding on its principal directions.

        z = basisᵀ ((x − mean) / deviation),   scaled so that the first component has unit deviation

    Raises:
        ValueError: Shapes that disagree.
    """

    mean: Float32[Tensor, "view dim"]
    deviation: Float32[Tensor, "view dim"]
    basis: Float32[Tensor, "view dim component"]

    def __post_init__(self) -> None:
        if self.mean.shape != self.deviation.shape or self.basis.shape[:2] != self.mean.shape:
            shapes = {field.name: tuple(getattr(self, field.name).shape) for field in fields(self)}
            raise ValueError(f"mean, deviation and basis disagree on (view, dim): {shapes}")

    @property
    def num_components(self) -> int:
        """Length of a compressed embedding."""
        return int(self.basis.shape[-1])

    @property
    def weights(self) -> dict[str, Tensor]:
        """The tensors that rebuild it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> "FrameCompression":
        """Rebuild it exactly."""
        return cls(**{field.name: weights[field.name] for field in fields(cls)})

    def __call__(
        self, embedding: Float32[Tensor, "batch time view dim"]
    ) -> Float32[Tensor, "batch time view component"]:
        """Compress; an absent camera's NaN stays."""
        batch, time = embedding.shape[:2]
        flat = embedding.flatten(0, 1)
        out = [self._camera(flat[:, view], view) for view in range(flat.shape[1])]
        return torch.stack(out, dim=1).unflatten(0, (batch, time))

    def _camera(self, rows: Tensor, view: int) -> Tensor:
        parts, basis = [], functional.pad(self.basis[view], (0, -self.num_components % COLUMNS))
        for part in rows.split(ROWS):
            filled = torch.cat([part, part.new_zeros(ROWS - len(part), part.shape[1])])
            standard = (filled - self.mean[view]) / self.deviation[view]
            # NaN in one row would not reach another, but kernels may treat blocks with it differently
            seen = ~standard.isnan().any(dim=1, keepdim=True)
            product = (torch.where(seen, standard, 0.0) @ basis)[:, : self.num_components]
            parts.append(torch.where(seen, product, torch.nan)[: len(part)])
        return torch.cat(parts)


def fit_compression(clips: Sequence[EmbeddedClip], *, num_components: int) -> FrameCompression:
    """Fit it to the frames of recordings of the same cameras.

    Raises:
        ValueError: A camera that no recording shows in at least two frames.
    """
    cameras = clips[0].cameras
    frames = [[clip.embedding[0, :, view][clip.present[0, :, view]] for clip in clips] for view in range(len(cameras))]
    rows = [torch.cat(each) for each in frames]
    few = [camera for camera, each in zip(cameras, rows, strict=True) if len(each) < 2]
    if few:
        raise ValueError(f"camera {few} is seen in fewer than two frames of the recordings; leave it out")
    kept = min(num_components, rows[0].shape[1], *(len(each) - 1 for each in rows))
    fitted = [_principal(each, kept) for each in rows]
    mean, deviation, basis = (torch.stack([each[part] for each in fitted]) for part in range(3))
    return FrameCompression(mean=mean, deviation=deviation, basis=basis)


def _principal(rows: Tensor, kept: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, deviation and directions by way of the frames' Gram matrix: memory grows with frames × dim, not dim²."""
    mean, deviation = rows.mean(dim=0), rows.std(dim=0)
    deviation = (deviation + SHRINKAGE * deviation.mean()).clamp(min=1e-6)
    standard = (rows - mean) / deviation
    values, vectors = torch.linalg.eigh((standard @ standard.T).double())
    values, vectors = values.flip(0)[:kept].clamp(min=1e-9), vectors.flip(1)[:, :kept]
    basis = (standard.T @ vectors.float()) / values.sqrt().float()
    return mean, deviation, (basis * (len(rows) ** 0.5 / values[0].sqrt())).float()
