"""How small a move a verification catches with the pictures that it was given."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy import optimize, stats

from robo_reward.calibration.rig_adjustment import Adjustment
from robo_reward.calibration.rig_hypotheses import RigHypotheses

_MOST = 1e3
"""Largest move that is looked for [m, rad]: where that would be missed, nothing is told."""
_DIRECTIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestMove:
    """From where on a move of one camera is caught, of that of which the pictures tell least; ∞ = never."""

    distance: float
    """Of a camera that is pushed and not turned [m]."""
    angle: float
    """Of one that is turned about its own centre [rad]."""


def smallest_move(check: RigHypotheses, still: Adjustment, *, threshold: float, caught: float) -> SmallestMove:
    """Give the smallest move that is caught with a given probability, over all directions, whichever camera it is.

    A camera that moves by δ adds δᵀ S δ to the statistic's mean, where S is what the corners tell of the move beyond
    what boards and the other cameras, as well as they are known, may explain away. The statistic then follows a
    noncentral chi-square law, whose tail beyond the threshold, averaged over directions, is the probability.

    Args:
        check: What is compared, with the scatter of corners as it is.
        still: The fit with all cameras where the rig says, for where the boards are.
        threshold: Above it is an alarm.
        caught: The probability, in [0.5, 1).

    Source:
        Kay 1998, Fundamentals of Statistical Signal Processing II, §6.5 (likelihood ratio, noncentral chi-square).
    """
    directions, freedom = _all_around(), check.comparisons(0)
    told = check.move_information(still.T_base_board).values()
    moves = [
        max(_least(np.einsum("ki,ij,kj->k", directions, each[at, at], directions), freedom, threshold, caught)
            for each in told)
        for at in (slice(3, 6), slice(0, 3))
    ]  # fmt: skip
    return SmallestMove(distance=moves[0], angle=moves[1])


def _least(told: Float64[np.ndarray, " direction"], freedom: int, threshold: float, caught: float) -> float:
    """The size of a move that is caught with that probability; `told` is the noncentrality of unit moves."""

    def surplus(logarithm: float) -> float:
        return float(stats.ncx2.sf(threshold, freedom, np.exp(2 * logarithm) * told).mean()) - caught

    told = np.maximum(told, 1e-12)  # rounding may leave less than nothing
    # far beyond the threshold the law is nearly normal, and its tail nearly one
    surest = np.log(np.sqrt(4 * (threshold + 10) / told.min()))
    if surest > np.log(_MOST):
        return float("inf")
    weakest = np.log(np.sqrt(1e-3 / told.max()))
    return float(np.exp(optimize.root_scalar(surplus, bracket=(weakest, surest), xtol=1e-4).root))


def _all_around() -> Float64[np.ndarray, "direction 3"]:
    """Directions that cover the sphere evenly, on Fibonacci's spiral."""
    place = np.arange(_DIRECTIONS) + 0.5
    up, round_about = 1 - 2 * place / _DIRECTIONS, np.pi * (1 + np.sqrt(5)) * place
    across = np.sqrt(1 - up**2)
    return np.stack([across * np.cos(round_about), across * np.sin(round_about), up], axis=1)
