"""Several cameras' opinions on one frame to one estimate, with their disagreement."""

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.reward_model import Estimate


def fuse_views(
    progress: Float[Tensor, "batch time view"],
    variance: Float[Tensor, "batch time view"],
) -> Estimate:
    """Fuse each frame's views by inverse variance; what they disagree on becomes spread.

        w_v = 1 / variance_v,  p = Σ w_v p_v / Σ w_v,  spread² = Σ w_v (variance_v + (p_v − p)²) / Σ w_v

    The errors of two cameras on one scene are not independent, so a second camera that agrees does not shrink the
    spread below that of one: this is the variance of the mixture of the views, not of their mean.

    Args:
        progress: Each camera's progress, in [0, 1]; NaN where it gave no frame.
        variance: Each camera's error variance, > 0; ignored where progress is NaN.

    Returns:
        The fused estimate; an abstention where no camera gave a frame.

    Raises:
        ValueError: A variance of a present view that is not positive and finite.

    Example:
        >>> import torch
        >>> fused = fuse_views(torch.tensor([[[0.25, 0.75]]]), torch.tensor([[[0.01, 0.01]]]))
        >>> fused.progress, fused.spread.round(decimals=4)
        (tensor([[0.5000]]), tensor([[0.2693]]))
    """
    seen = ~progress.isnan()
    if not bool((torch.isfinite(variance) & (variance > 0))[seen].all()):
        raise ValueError("variance must be > 0 and finite for every camera that gave a frame")
    weight = torch.where(seen, 1 / variance, torch.zeros_like(variance))
    total = weight.sum(dim=-1)
    opinion = torch.where(seen, progress, torch.zeros_like(progress))
    # 0/0 where no camera saw anything: NaN, which is what an abstention is
    fused = (weight * opinion).sum(dim=-1) / total
    error = torch.where(seen, variance + (opinion - fused[..., None]) ** 2, torch.zeros_like(variance))
    spread = ((weight * error).sum(dim=-1) / total).sqrt()
    return Estimate(progress=fused.clamp(0, 1).float(), spread=spread.float())
