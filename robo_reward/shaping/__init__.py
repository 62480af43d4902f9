"""From progress to potential to reward: pure functions under one law."""

from robo_reward.shaping.potential import (
    ExponentialPotential,
    LinearPotential,
    Potential,
    SigmoidPotential,
    hold_last_known,
)
from robo_reward.shaping.potential_difference import discount_over_steps, discount_over_time, potential_difference
from robo_reward.shaping.potential_trace import PotentialTrace

__all__ = [
    "ExponentialPotential",
    "LinearPotential",
    "Potential",
    "PotentialTrace",
    "SigmoidPotential",
    "discount_over_steps",
    "discount_over_time",
    "hold_last_known",
    "potential_difference",
]
