"""How far a reward is from goal labels, whatever its offset and scale: the EPIC distance."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def goal_epic_distance(reward: Float[Tensor, " state"], goal: Bool[Tensor, " state"]) -> float:
    """Give the EPIC distance of a state reward to 0/1 goal labels on a set of states.

    D = √((1 − ρ) / 2),  ρ = √(p(1 − p)) / σ(R) · (E[R | goal] − E[R | not goal]),  p = fraction of goal states.

    ρ is Pearson's correlation of reward and label: for functions of the state canonicalisation removes a constant only.

    Args:
        reward: Reward, or progress, of each state; states with NaN are left out.
        goal: True for states that are goals.

    Returns:
        In [0, 1]: 0 = equal up to offset and positive scale, √½ ≈ .707 = unrelated, 1 = opposite. NaN where it is not
        defined: a constant reward, or no goal state, or goal states only.

    Raises:
        ValueError: `reward` and `goal` are not one-dimensional and of equal length.

    Source:
        Rocamonde et al. 2023 (2310.12921), Lemma 1.

    Example:
        >>> goal_epic_distance(torch.tensor([2.0, 2.0, 5.0]), torch.tensor([False, False, True]))
        0.0
    """
    if reward.ndim != 1 or reward.shape != goal.shape:
        raise ValueError(f"reward and goal must both be (state,), got {tuple(reward.shape)} and {tuple(goal.shape)}")
    known = ~reward.isnan()
    value, label = reward[known].to(torch.float64), goal[known]
    if not bool(label.any()) or bool(label.all()):
        return float("nan")
    sigma = float(value.std(correction=0))
    if bool((value == value[0]).all()) or sigma == 0.0:
        return float("nan")
    p = float(label.to(torch.float64).mean())
    gap = float(value[label].mean() - value[~label].mean())
    rho = math.sqrt(p * (1 - p)) / sigma * gap
    return math.sqrt((1 - max(-1.0, min(1.0, rho))) / 2)
