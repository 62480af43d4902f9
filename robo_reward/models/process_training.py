"""How a process head learns: balanced hops, lost cameras, other layouts, failures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from robo_reward.models.process_head import NUM_BINS, ProcessHead
from robo_reward.models.relative_hop import follow_hop, relative_hop

BATCH = 128
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.05
LABEL_WIDTH = 0.03
"""One standard deviation of a label, in progress: neighbouring bins are not wrong answers."""
NOISE = 0.3
"""Of each component, in its standard deviations: sensor noise and jitter."""
SHIFT = 0.5
"""Of a whole picture's components together, drawn anew for each: another layout, another light."""
LOST = 0.5
"""Chance that a camera gives nothing."""
DONE = 0.9
"""No frame of a failure counts as further along than this."""
HOP_WEIGHT = 2.0
FAILURE_WEIGHT = 0.3


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Lessons:
    """What a head learns from: frames of recordings, compressed."""

    pictures: Float32[Tensor, "frame view component"]
    """NaN where a camera gave nothing."""
    target: Float32[Tensor, " frame"]
    """Progress in [0, 1]; NaN where unknown."""
    failed: Float32[Tensor, " frame"]
    """1 for frames of failures without labels, else 0."""
    references: Float32[Tensor, "role view component"]
    """Start and goal; 0 where a camera gave nothing."""
    text: Float32[Tensor, " dim"] | None

    def only(self, kept: Tensor) -> "Lessons":
        """Keep some frames."""
        return Lessons(
            pictures=self.pictures[kept],
            target=self.target[kept],
            failed=self.failed[kept],
            references=self.references,
            text=self.text,
        )


def train_head(
    lessons: Lessons,
    *,
    members: int,
    width: int,
    steps: int,
    seed: int,
    disturbance: float,
    on_step: Callable[[int, ProcessHead, float], bool],
) -> ProcessHead:
    """Train an ensemble; the same lessons and seed give the same head on one machine.

        L = CE(P(Φ | frame), label) + (E[H(p, q)] − H(Φ_p, Φ_q))² − c log P(Φ < 0.9 | failure)

    Pairs (p, q) are drawn with Φ_p uniform and the hop uniform in [−1, 1], so that rewound motion is as frequent as
    progress and large hops as small ones.

    Args:
        lessons: Frames with labels.
        members: Size of the ensemble.
        width: Length of a token.
        steps: Optimiser steps; the learning rate rises and falls once over them (1cycle).
        seed: Of weights and samples.
        disturbance: How much pictures are moved, as a multiple of `NOISE` and `SHIFT`, ≥ 0.
        on_step: Told of each step with the head and the loss; True stops.

    Raises:
        ValueError: No labelled frame.
    """
    generator = torch.Generator().manual_seed(seed)
    head = ProcessHead(
        num_cameras=lessons.pictures.shape[1],
        num_components=lessons.pictures.shape[2],
        text_dim=0 if lessons.text is None else len(lessons.text),
        members=members,
        width=width,
        generator=generator,
    )
    sampler = _Sampler(lessons, members=members, disturbance=disturbance, generator=generator)
    optimiser = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE / 2, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=max(steps, 2))
    for step in range(1, steps + 1):
        loss = _loss(head, lessons, sampler)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if on_step(step, head, float(loss.detach())):
            break
    return head.eval().requires_grad_(False)


def soft_labels(target: Float32[Tensor, "*batch"]) -> Float32[Tensor, "*batch bin"]:
    """Spread each progress over neighbouring bins."""
    distance = (bin_centres().float() - target[..., None]) / LABEL_WIDTH
    return torch.softmax(-0.5 * distance.square(), dim=-1)


def bin_centres() -> Tensor:
    """Give the progress of each bin's middle."""
    return (torch.arange(NUM_BINS, dtype=torch.float64) + 0.5) / NUM_BINS


def hop_table() -> Tensor:
    """Give the hop between any two bins: (before, after)."""
    centres = bin_centres()
    return relative_hop(centres[:, None].expand(-1, NUM_BINS), centres[None].expand(NUM_BINS, -1))


def _loss(head: ProcessHead, lessons: Lessons, sampler: "_Sampler") -> Tensor:
    frame, label, hop = sampler.draw()
    pictures, seen = sampler.disturbed(frame)
    logits = head(pictures, seen, lessons.references, lessons.text)
    log_probability = functional.log_softmax(logits, dim=-1)
    half = BATCH // 2
    before, after = log_probability[:, :half].exp(), log_probability[:, half : 2 * half].exp()
    expected = torch.einsum("mbi,ij,mbj->mb", before, hop_table().float(), after)
    loss = -(label * log_probability[:, : 2 * half]).sum(dim=-1).mean() + HOP_WEIGHT * (expected - hop).square().mean()
    if log_probability.shape[1] > 2 * half:
        below = bin_centres() < DONE
        loss = loss - FAILURE_WEIGHT * torch.logsumexp(log_probability[:, 2 * half :, below], dim=-1).mean()
    return loss


class _Sampler:
    """Draws balanced pairs of frames and disturbs them."""

    def __init__(self, lessons: Lessons, *, members: int, disturbance: float, generator: torch.Generator) -> None:
        self._lessons, self._members, self._generator = lessons, members, generator
        self._noise, self._shift = NOISE * disturbance, SHIFT * disturbance
        labelled = (~lessons.target.isnan()).nonzero().flatten()
        if len(labelled) == 0:
            raise ValueError("no frame has a progress label: give at least one successful episode")
        order = lessons.target[labelled].argsort()
        self._frame = labelled[order]
        self._progress = lessons.target[self._frame]
        self._failed = (lessons.failed > 0).nonzero().flatten()
        pictures = lessons.pictures
        self._seen = ~pictures.isnan().any(dim=-1)
        self._filled = torch.where(self._seen[..., None], pictures, 0.0)
        count = self._seen.sum(dim=0).clamp(min=1)[:, None]
        mean = self._filled.sum(dim=0) / count
        square = ((self._filled - mean).square() * self._seen[..., None]).sum(dim=0) / count
        self._deviation = square.sqrt()

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give frames (member, before then after then failures), soft labels of the pairs, and their hops."""
        half, members = BATCH // 2, self._members
        start = torch.rand(members, half, generator=self._generator)
        end = follow_hop(start, 2 * torch.rand(members, half, generator=self._generator) - 1)
        pair = self._nearest(torch.cat([start, end], dim=1))
        progress = self._progress[pair]
        frame = self._frame[pair]
        if len(self._failed):
            chosen = torch.randint(len(self._failed), (members, half), generator=self._generator)
            frame = torch.cat([frame, self._failed[chosen]], dim=1)
        return frame, soft_labels(progress), relative_hop(progress[:, :half], progress[:, half:])

    def disturbed(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Give the frames' pictures with noise, shifts and lost cameras."""
        pictures, seen = self._filled[frame], self._seen[frame].float()
        shape = pictures.shape
        amount = self._shift * torch.randn(*shape[:3], 1, generator=self._generator)
        noise = torch.randn(shape, generator=self._generator) * self._noise
        pictures = pictures + self._deviation * (noise + amount * torch.randn(shape, generator=self._generator))
        kept = seen * (torch.rand(seen.shape, generator=self._generator) > LOST)
        seen = torch.where(kept.sum(dim=-1, keepdim=True) > 0, kept, seen)
        return pictures, seen

    def _nearest(self, progress: Tensor) -> Tensor:
        """Give a labelled frame near each progress, any of those within a label's width."""
        jitter = LABEL_WIDTH / 2 * torch.randn(progress.shape, generator=self._generator)
        place = torch.searchsorted(self._progress, (progress + jitter).clamp(0, 1).contiguous())
        return place.clamp(max=len(self._progress) - 1)
