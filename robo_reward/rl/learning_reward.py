"""What a learner maximises, made of the task's reward and potentials of both ends of a transition."""

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64

from robo_reward.shaping import potential_difference

RewardMode = Literal["sparse", "dense", "environment", "shaped", "difference", "score"]
"""sparse: success alone. dense: the simulator's own. environment: as the environment gives it. shaped: sparse and
γΦ(s') − Φ(s), which leaves the optimal policy what it is. difference: sparse and Φ(s') − Φ(s). score: sparse and Φ(s').
The last two change what is optimal and are there to be compared with."""

PERCEIVED: tuple[RewardMode, ...] = ("shaped", "difference", "score")
"""Modes that ask a reward model."""


def check_mode(mode: str) -> None:
    """Raise ValueError unless it is a mode."""
    if mode not in get_args(RewardMode):
        raise ValueError(f"unknown reward '{mode}'; there are {', '.join(get_args(RewardMode))}")


def perceived_reward(
    mode: RewardMode,
    *,
    potential: Float64[np.ndarray, " transition"],
    next_potential: Float64[np.ndarray, " transition"],
    terminated: Bool[np.ndarray, " transition"],
    discount: Float64[np.ndarray, " transition"],
) -> Float64[np.ndarray, " transition"]:
    """Give what perception adds to the task's reward of each transition.

        shaped       γ (1 − terminated) Φ(s') − Φ(s)
        difference   Φ(s') − Φ(s)
        score        Φ(s')

    Args:
        mode: One of the modes; nothing is added in those that ask no model.
        potential: Φ(s), cached when its frame arrived; NaN where unknown.
        next_potential: Φ(s') of the true final state, not zeroed.
        terminated: True where s' is terminal. A truncated state keeps its potential.
        discount: γ^k of a transition over k steps.

    Source:
        Ng, Harada & Russell 1999; VLM-RM (2310.12921) uses the score, its sum over a visit pays for loitering.
    """
    if mode == "shaped":
        both = torch.from_numpy(np.stack([potential, next_potential], axis=1))
        ends, gamma = torch.from_numpy(terminated[:, None]), torch.from_numpy(discount[:, None])
        return potential_difference(both, ends, discount=gamma)[:, 0].numpy()
    if mode == "difference":
        return next_potential - potential
    if mode == "score":
        return next_potential.copy()
    return np.zeros_like(potential)


def transitions_known(
    mode: RewardMode,
    *,
    potential: Float[np.ndarray, "*transition"],
    next_potential: Float[np.ndarray, "*transition"],
    terminated: Bool[np.ndarray, "*transition"],
) -> Bool[np.ndarray, "*transition"]:
    """Say of which transitions the learning reward is known: a terminal state needs no potential when it is shaped."""
    if mode not in PERCEIVED:
        return np.ones(potential.shape, np.bool_)
    if mode == "score":
        return ~np.isnan(next_potential)
    arrival_known = ~np.isnan(next_potential)
    if mode == "shaped":
        arrival_known = arrival_known | terminated
    return ~np.isnan(potential) & arrival_known
