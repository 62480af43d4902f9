"""The two losses: matching pictures with captions, and reading quantities off a goal direction."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

_FLOOR = 0.03  # of the squared distance between goal and baseline; keeps the first steps finite


def matching_loss(
    image: Float[Tensor, "batch dim"],
    text: Float[Tensor, "text dim"],
    true: Bool[Tensor, "batch text"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Return the contrastive loss with every true pair as a positive.

    Cross-entropy between softmax(scale · ⟨image, text⟩) and the uniform distribution over the true partners, over
    captions for each picture and over pictures for each caption, averaged.

    Args:
        image: Unit-norm picture embeddings.
        text: Unit-norm caption embeddings.
        true: Which captions are true of which pictures.
        scale: Inverse temperature.

    Source: Radford et al. 2021, with the identity matrix replaced by the truth table.
    """
    logits = scale * image @ text.T
    truth = true.float()
    losses = []
    for each, target in ((logits, truth), (logits.T, truth.T)):
        count = target.sum(dim=1)
        row = -(F.log_softmax(each, dim=1) * target).sum(dim=1) / count.clamp(min=1.0)
        losses.append(row[count > 0].mean())
    return (losses[0] + losses[1]) / 2


def progress_along(
    image: Float[Tensor, "batch dim"], goal: Float[Tensor, "quantity dim"], baseline: Float[Tensor, "quantity dim"]
) -> Float[Tensor, "batch quantity"]:
    """Return where each picture's projection falls on the line from baseline to goal: 0 at the baseline, 1 at the goal.

    p = ⟨s − b, g − b⟩ / ‖g − b‖²

    Args:
        image: Unit-norm picture embeddings s.
        goal: Prompt embeddings g.
        baseline: Prompt embeddings b.
    """
    direction = goal - baseline
    squared = direction.square().sum(dim=1).clamp(min=_FLOOR)
    return (image @ direction.T - (baseline * direction).sum(dim=1)) / squared


def quantity_loss(
    progress: Float[Tensor, "batch quantity"],
    value: Float[Tensor, "batch quantity"],
    weight: Float[Tensor, "batch quantity"],
) -> Float[Tensor, ""]:
    """Return the weighted Huber loss (corner at 0.1) between progress along the prompts and the state's fraction."""
    loss = F.smooth_l1_loss(progress, value, beta=0.1, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)
