"""The two losses: matching pictures with captions, and reading quantities off a goal direction."""

import torch
import torch.nn.functional as F  # noqa: N812
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
    *,
    scene: int,
) -> Float[Tensor, ""]:
    """Return how far progress along the prompts is from the states' fractions, above all within a scene.

    With h the Huber function (corner at 0.1) and ⟨·⟩ the mean over a scene's pictures:
    Σ w [h((p − ⟨p⟩) − (v − ⟨v⟩)) + 0.3 h(p − v)] / Σ w, where the picture shows the thing (w = 1);
    elsewhere only h(p − ⟨p⟩): what a picture does not show does not change from one state of the scene to the next.

    Args:
        progress: Along the prompts.
        value: The states' fractions, in [0, 1].
        weight: 1 where the picture shows the thing, less where it does not, 0 where it leaves the fraction open.
        scene: Pictures of each scene; they lie one after another.
    """

    def centred(each: Tensor) -> Tensor:
        grouped = each.view(-1, scene, each.shape[1])
        return (grouped - grouped.mean(dim=1, keepdim=True)).view_as(each)

    def huber(each: Tensor) -> Tensor:
        return F.smooth_l1_loss(each, torch.zeros_like(each), beta=0.1, reduction="none")

    shown = weight == 1.0
    change = torch.where(shown, value, torch.zeros_like(value))
    loss = huber(centred(progress) - centred(change)) + 0.3 * huber(progress - value) * shown
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)


def landmark_loss(
    score: Float[Tensor, "batch point cell cell"], place: Float[Tensor, "batch point 2"]
) -> Float[Tensor, ""]:
    """Return the cross-entropy of finding each landmark's cell; the four nearest cells share it by distance.

    Args:
        score: Logits of the cells.
        place: Where the landmarks are: (right, down) in [-1, 1]; those outside or unknown (NaN) do not count.
    """
    cells = score.shape[-1]
    known = (place.abs() < 1.0).all(dim=-1)  # NaN compares false
    centre = (torch.arange(cells) + 0.5) * 2 / cells - 1
    near = (1 - (place[..., None] - centre).abs() * cells / 2).clamp(min=0.0)  # (batch, point, 2, cell)
    target = torch.where(known[..., None, None], near[:, :, 1, :, None] * near[:, :, 0, None, :], 0.0).flatten(2)
    loss = -(F.log_softmax(score.flatten(2), dim=-1) * target).sum(dim=-1)
    return loss.sum() / known.sum().clamp(min=1)


def state_loss(read: Float[Tensor, "batch state"], value: Float[Tensor, "batch state"]) -> Float[Tensor, ""]:
    """Return half the mean squared error of the fractions that are known (not NaN)."""
    known = ~value.isnan()
    return (0.5 * (read - torch.where(known, value, read.detach())).square()).sum() / known.sum().clamp(min=1)
