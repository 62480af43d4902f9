"""Steps and progress labels of recorded episodes that nobody labelled: all cameras looked at together."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from robo_reward.models.step_split import check_split, split_jointly
from robo_reward.perception.fitting import LabelledClip

SPLIT_FEATURES = 4096
"""Numbers per camera that a split looks at: every k-th of longer embeddings."""
SHARE_OF_MEAN = 0.25
"""Default of the shortest step, as a share of the mean length of a step."""


def step_boundaries(
    clips: Sequence[LabelledClip], num_steps: int, *, min_size: float | None = None, objective: str = "weighted"
) -> list[tuple[int, ...]]:
    """Split demonstrations of a task into the same steps, with all cameras' features side by side.

    Features are standardised over all clips; a camera that gave no frame counts as seeing what it saw last (before its
    first frame: what it saw first).

    Args:
        clips: Episodes of one task with the same cameras.
        num_steps: Steps wanted, from 1.
        min_size: Shortest step as a fraction of an episode; None = a quarter of the mean length of a step.
        objective: As in `split_steps`.

    Returns:
        Per clip, the first frame of its second step, of its third, and so on.

    Raises:
        ValueError: No clip, clips that disagree on cameras, a camera that never gave a frame, too few frames.
    """
    if not clips:
        raise ValueError("clips are empty; give at least one episode to split into steps")
    if len({each.clip.cameras for each in clips}) > 1:
        raise ValueError(f"clips disagree on cameras: {sorted({each.clip.cameras for each in clips})}")
    shortest = SHARE_OF_MEAN / max(num_steps, 1) if min_size is None else min_size
    for each in clips:
        check_split(each.num_frames, num_steps, min_size=shortest, objective=objective)
    views = [_side_by_side(clips, view) for view in range(len(clips[0].clip.cameras))]
    whole = [torch.cat(parts, dim=1) for parts in zip(*views, strict=True)]
    return split_jointly(whole, num_steps, min_size=shortest, objective=objective)


def step_progress(clips: Sequence[LabelledClip], num_steps: int) -> list[Float32[Tensor, " _time"]]:
    """Label the frames of unlabelled demonstrations with progress: an equal share per step, linear within a step.

        progress(t) = (i + (t − s_i) / (s_{i+1} − s_i)) / num_steps,   s_i ≤ t < s_{i+1}

    and 1 at the last frame. A step that took one person long and another short counts the same in both.

    Args:
        clips: Successful episodes of one task with the same cameras.
        num_steps: Steps wanted, from 1; 1 gives the fraction of time passed.

    Raises:
        ValueError: As `step_boundaries` says, or a clip that is not a success: how far it got is unknown.
    """
    if not all(each.success for each in clips):
        raise ValueError("progress is read off successful episodes only; leave out those that failed or are unknown")
    labels = []
    for each, split in zip(clips, step_boundaries(clips, num_steps), strict=True):
        last = each.num_frames - 1
        knots = torch.tensor([0, *split, max(last, 1)], dtype=torch.float64)
        share = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
        frame = torch.arange(each.num_frames, dtype=torch.float64)
        step = (torch.searchsorted(knots, frame, right=True) - 1).clamp(0, num_steps - 1)
        within = (frame - knots[step]) / (knots[step + 1] - knots[step]).clamp(min=1)
        labels.append((share[step] + within.clamp(0, 1) / num_steps).clamp(0, 1).float())
    return labels


def _side_by_side(clips: Sequence[LabelledClip], view: int) -> list[Float32[Tensor, "_time dim"]]:
    """One camera's features in each clip, gaps filled, standardised over all clips."""
    dim = clips[0].clip.embedding.shape[-1]
    stride = -(-dim // SPLIT_FEATURES)
    parts = []
    for each in clips:
        seen = each.clip.present[0, :, view]
        if not bool(seen.any()):
            raise ValueError(f"camera '{each.clip.cameras[view]}' gave no frame in an episode of {len(seen)} frames")
        parts.append(each.clip.embedding[0, last_seen(seen), view, ::stride].contiguous())
    whole = torch.cat(parts)
    mean, scale = whole.mean(dim=0), whole.std(dim=0, correction=0)
    flat = scale <= 1e-6 * scale.max()
    return [(part - mean) / torch.where(flat, torch.inf, scale) for part in parts]


def last_seen(seen: Bool[Tensor, " time"]) -> Int64[Tensor, " time"]:
    """Number for each frame the latest one up to it that is there; before the first, the first."""
    frame = torch.where(seen, torch.arange(len(seen)), -1).cummax(dim=0).values
    return torch.where(frame < 0, int(seen.int().argmax()), frame)
