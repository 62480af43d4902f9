"""The published rule that lets a sparse reward override a dense one; documented, with its danger."""

import torch
from jaxtyping import Float
from torch import Tensor


def override_reward(sparse: Float[Tensor, "*batch"], dense: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Give the sparse reward where there is one, else the dense reward.

        r = r_sparse  if r_sparse ≠ 0,  else r_dense

    Dangerous where success ends the episode: with γ = .99 and r_dense = .9 near the goal, waiting there for ever is
    worth .9 / (1 − γ) = 90 and finishing 1, so the best policy never finishes. Safe only if success does not end the
    episode, or r_dense <= 0, or r_success >= max r_dense / (1 − γ). Shaping by the difference of potentials has no such
    danger: waiting is worth −Φ = −.9. That is what every other part of this project does; see `shaping`.

    Args:
        sparse: Task reward of each transition; 0 = none.
        dense: Progress of the frame that it arrived in, or a shifted version of it. NaN stays NaN: unknown.

    Source:
        Lee et al. 2025 (KAGI, 2407.10341), project page.

    Example:
        >>> override_reward(torch.tensor([0.0, 1.0]), torch.tensor([0.9, 0.9]))
        tensor([0.9000, 1.0000])
    """
    return torch.where(sparse != 0, sparse, dense)
