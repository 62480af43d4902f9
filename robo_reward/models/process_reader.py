"""What a trained process head says of single frames, and of hops between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from robo_reward.models.frame_compression import FrameCompression
from robo_reward.models.process_head import NUM_BINS, ProcessHead
from robo_reward.models.process_training import bin_centres, hop_table
from robo_reward.models.relative_hop import GOAL, START, Hops
from robo_reward.perception.encoder import EmbeddedClip
from robo_reward.perception.tensor_digest import tensor_digest

ROWS = 16
"""Frames that go through the head at a time, always: products of one shape give a row the same bits everywhere."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FrameReadings:
    """What single frames say."""

    pictures: Float32[Tensor, "batch time view component"]
    """Compressed; NaN where a camera gave nothing."""
    probability: Float64[Tensor, "batch time bin"]
    """Over bins of progress; NaN where no camera gave a picture."""


@final
class ProcessReader:
    """Reads frames with a trained head; a source of hops between any two frames, and from the reference start and goal.

    The hop's distribution follows from those of the two frames, taken as independent:

        P(h) = Σ_{ij} P_before(i) P_after(j) [H(i, j) = h],   H the relative hop;  START is progress 0, GOAL is 1

    Args:
        compression: Of embeddings.
        head: The ensemble.
        references: Compressed pictures of start and goal; 0 where a camera gave nothing.
        unrest: Of each camera: distance between compressed pictures that shows motion.
        text: Embedding of the instruction; None = the head reads none.
        cameras: Names in the order of the view axis.
        caution: Weight in [0, 1] of the least advanced camera; 0 = all cameras are read together.
    """

    def __init__(
        self,
        *,
        compression: FrameCompression,
        head: ProcessHead,
        references: Float32[Tensor, "role view component"],
        unrest: Float32[Tensor, " view"],
        text: Float32[Tensor, " dim"] | None,
        cameras: tuple[str, ...],
        caution: Float32[Tensor, ""],
    ) -> None:
        self.compression, self.head, self.caution = compression, head, caution
        self.references, self.unrest, self.text, self.cameras = references, unrest, text, cameras

    @property
    def weights(self) -> dict[str, Tensor]:
        """The tensors that rebuild it."""
        own = {"references": self.references, "unrest": self.unrest, "caution": self.caution}
        own |= {} if self.text is None else {"text": self.text}
        own |= {f"compression.{name}": tensor for name, tensor in self.compression.weights.items()}
        return own | {f"head.{name}": tensor.detach() for name, tensor in self.head.state_dict().items()}

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor], *, cameras: tuple[str, ...]) -> "ProcessReader":
        """Rebuild it exactly.

        Raises:
            KeyError: A tensor is missing.
        """
        head = ProcessHead.from_weights(_below(weights, "head."))
        return cls(
            compression=FrameCompression.from_weights(_below(weights, "compression.")),
            head=head.eval().requires_grad_(False),
            references=weights["references"],
            unrest=weights["unrest"],
            text=weights.get("text"),
            cameras=cameras,
            caution=weights["caution"],
        )

    def with_caution(self, caution: float) -> "ProcessReader":
        """Give the same reader with another weight of the least advanced camera."""
        return ProcessReader(
            compression=self.compression,
            head=self.head,
            references=self.references,
            unrest=self.unrest,
            text=self.text,
            cameras=self.cameras,
            caution=torch.tensor(caution),
        )

    @property
    def version(self) -> str:
        """Identifies what the fit learnt."""
        return tensor_digest(self.weights)

    def read(self, clip: EmbeddedClip) -> FrameReadings:
        """Read every frame of the clip.

        Raises:
            ValueError: A camera that the head was not trained with.
        """
        pictures = self.compression(self._in_order(clip))
        flat = pictures.flatten(0, 1)
        parts = [self._ask(rows) for rows in flat.split(ROWS)]
        probability = torch.cat(parts).unflatten(0, pictures.shape[:2])
        return FrameReadings(pictures=pictures, probability=probability)

    def hops(self, seen: EmbeddedClip, before: Int64[Tensor, " pair"], after: Int64[Tensor, " pair"]) -> Hops:
        """Give H(before, after) for pairs of time steps; see `HopSource`. Either may be `START` or `GOAL`.

        Raises:
            ValueError: An index that is neither a frame of the clip nor a reference.
        """
        probability = self.read(seen).probability
        return hops_between(_places(probability, before), _places(probability, after))

    def _ask(self, rows: Tensor) -> Tensor:
        """Read frames from all cameras together and, with caution, from the least advanced of them.

            P(Φ) = (1 − c) P_together(Φ) + c P(min_v Φ_v = Φ),   Φ_v ~ P_v what camera v says alone, independently

        A head that sees two cameras contradict each other believes one of them; the minimum does not let it.
        """
        together = self._ask_together(rows)
        caution = float(self.caution)
        if caution == 0:
            return together
        beyond = torch.ones(len(rows), NUM_BINS, dtype=torch.float64)  # P(Φ_v > bin for all v)
        for view in range(rows.shape[1]):
            alone = torch.full_like(rows, torch.nan)
            alone[:, view] = rows[:, view]
            seen = ~rows[:, view].isnan().any(dim=-1, keepdim=True)
            beyond = beyond * torch.where(seen, 1 - self._ask_together(alone).cumsum(dim=-1), 1.0).clamp(min=0)
        within = 1 - beyond
        least = (within - torch.nn.functional.pad(within[:, :-1], (1, 0))).clamp(min=0)
        return (1 - caution) * together + caution * least / least.sum(dim=-1, keepdim=True)

    def _ask_together(self, rows: Tensor) -> Tensor:
        filled = torch.cat([rows, rows.new_full((ROWS - len(rows), *rows.shape[1:]), torch.nan)])
        seen = ~filled.isnan().any(dim=-1)
        some = seen.any(dim=-1, keepdim=True)
        # a row without any camera is asked as if black: its answer is thrown away
        counted = torch.where(some, seen, True).float()
        pictures = torch.where(seen[..., None], filled, 0.0)
        members = self.head.bias.shape[0]
        with torch.no_grad():
            logits = self.head(
                pictures.expand(members, *pictures.shape),
                counted.expand(members, *counted.shape),
                self.references,
                self.text,
            )
        probability = logits.double().softmax(dim=-1).mean(dim=0)
        return torch.where(some, probability, torch.nan)[: len(rows)]

    def _in_order(self, clip: EmbeddedClip) -> Tensor:
        unknown = [camera for camera in clip.cameras if camera not in self.cameras]
        if unknown:
            raise ValueError(f"the head was not trained with camera {unknown}; it knows {list(self.cameras)}")
        absent = torch.full_like(clip.embedding[:, :, 0], torch.nan)
        views = [
            clip.embedding[:, :, clip.cameras.index(camera)] if camera in clip.cameras else absent
            for camera in self.cameras
        ]
        return torch.stack(views, dim=2)


def _places(probability: Float64[Tensor, "batch time bin"], index: Int64[Tensor, " pair"]) -> Tensor:
    """Give each index's distribution over progress; the references lie at its ends."""
    time = probability.shape[1]
    if wrong := [each for each in index.tolist() if each not in (START, GOAL) and not 0 <= each < time]:
        raise ValueError(f"index {wrong[0]} is no frame of the clip (0 to {time - 1}), nor START or GOAL")
    ends = torch.zeros(2, NUM_BINS, dtype=torch.float64)
    ends[0, 0], ends[1, -1] = 1, 1
    known = torch.cat([probability, ends.expand(len(probability), 2, NUM_BINS)], dim=1)
    return known[:, torch.where(index == START, time, torch.where(index == GOAL, time + 1, index))]


def hops_between(before: Float64[Tensor, "batch pair bin"], after: Float64[Tensor, "batch pair bin"]) -> Hops:
    """Give mean and deviation of the hop between frames whose progress is so distributed."""
    table = hop_table()
    joint = before[..., :, None] * after[..., None, :]
    value = (joint * table).sum(dim=(-2, -1))
    square = (joint * table.square()).sum(dim=(-2, -1))
    return Hops(value=value.clamp(-1, 1), spread=(square - value.square()).clamp(min=0).sqrt())


def mean_progress(probability: Float64[Tensor, "*batch bin"]) -> Float64[Tensor, "*batch"]:
    """Give the mean of a distribution over bins of progress."""
    return (probability * bin_centres()).sum(dim=-1)


def _below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
