"""How far a whole trajectory lies from a demonstration: entropic optimal transport between their frames."""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

METRICS = ("cosine", "euclidean")
CONVERGED = 1e-9
"""Largest error of a marginal at which iterations end early."""


def frame_distance(
    one: Float[Tensor, "time dim"], other: Float[Tensor, "expert dim"], *, metric: str
) -> Float64[Tensor, "time expert"]:
    """Give the distance of every frame of one trajectory from every frame of the other.

    Args:
        one: Embeddings.
        other: Embeddings of the same kind.
        metric: "cosine": 1 − cos, in [0, 2]; "euclidean": ‖a − b‖.

    Raises:
        ValueError: An unknown metric, or no frame.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {list(METRICS)}, got {metric!r}")
    if len(one) == 0 or len(other) == 0:
        raise ValueError(f"trajectories need at least one frame each, got {len(one)} and {len(other)}")
    one, other = one.to(torch.float64), other.to(torch.float64)
    if metric == "euclidean":
        return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")
    unit = torch.nn.functional.normalize
    return 1 - unit(one, dim=1) @ unit(other, dim=1).T


def transport_plan(
    cost: Float[Tensor, "time expert"], *, epsilon: float, num_iterations: int
) -> Float64[Tensor, "time expert"]:
    """Give the entropic optimal transport plan between uniform masses, by Sinkhorn's iterations on logarithms.

        T = argmin ⟨T, C⟩ − ε H(T),  Σ_j T_ij = 1 / n,  Σ_i T_ij = 1 / m

    On logarithms nothing underflows, however small ε is; n and m need not be equal.

    Args:
        cost: Of moving a unit of mass.
        epsilon: Strength of the entropy, > 0, in units of the cost.
        num_iterations: Iterations at most, from 1; the last one serves the first axis' masses.

    Raises:
        ValueError: An epsilon that is not positive, no iteration, a cost that is not finite.

    Source:
        Cuturi 2013; Peyré & Cuturi 2019, section 4.4.
    """
    if epsilon <= 0 or num_iterations < 1:
        raise ValueError(f"epsilon must be > 0 and num_iterations at least 1, got {epsilon} and {num_iterations}")
    if not bool(torch.isfinite(cost).all()):
        raise ValueError("cost must be finite; leave frames without an embedding out")
    kernel = -cost.to(torch.float64) / epsilon
    row, column = -math.log(cost.shape[0]), -math.log(cost.shape[1])
    along = torch.zeros(cost.shape[1], dtype=torch.float64)
    down = row - torch.logsumexp(kernel, dim=1)
    for _ in range(num_iterations):
        along = column - torch.logsumexp(kernel + down[:, None], dim=0)
        down = row - torch.logsumexp(kernel + along, dim=1)
        mass = torch.logsumexp(kernel + down[:, None] + along, dim=0).exp()
        if float((mass - 1 / cost.shape[1]).abs().max()) < CONVERGED:
            break
    return (kernel + down[:, None] + along).exp()


def trajectory_rewards(
    episode: Float[Tensor, "time dim"],
    demonstration: Float[Tensor, "expert dim"],
    *,
    metric: str = "cosine",
    epsilon: float = 0.01,
    num_iterations: int = 500,
    scale: float = 1.0,
) -> Float64[Tensor, " time"]:
    """Give the optimal-transport reward of each frame of a finished trajectory; 0 at best.

        r_t = −scale · Σ_j T_tj C_tj

    It depends on the whole episode, later frames too, so that it is no potential and cannot be streamed, and it knows
    no order: a trajectory played backwards gets the same rewards. `longest_increasing` and `TrajectoryMatch` do.

    Args:
        episode: Embeddings of its frames, oldest first.
        demonstration: Embeddings of a demonstration of any length.
        metric: As in `frame_distance`.
        epsilon: As in `transport_plan`.
        num_iterations: As in `transport_plan`.
        scale: Factor, > 0; the published code takes 200, then rescales so that |Σ r| of the first episode is 10.

    Raises:
        ValueError: As `frame_distance` and `transport_plan` say, or a scale that is not positive.

    Source:
        Adaptive discount scheduling (2310.07433); RAPL for the cost.

    Example:
        >>> import torch
        >>> path = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> trajectory_rewards(path, path).round(decimals=3).abs()
        tensor([0., 0.], dtype=torch.float64)
    """
    if scale <= 0:
        raise ValueError(f"scale must be > 0, got {scale}")
    cost = frame_distance(episode, demonstration, metric=metric)
    plan = transport_plan(cost, epsilon=epsilon, num_iterations=num_iterations)
    return -scale * (plan * cost).sum(dim=1)
