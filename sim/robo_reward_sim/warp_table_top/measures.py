"""How far a task is done, of many worlds at once: the formulas of `table_top.task` on tensors."""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from robo_reward_sim.table_top.task import _CLEARANCE as CLEARANCE
from robo_reward_sim.table_top.task import _SLOPE as SLOPE

Observations = Float64[Tensor, "world number"]
Points = Float64[Tensor, "world 3"]
PerWorld = Float64[Tensor, " world"]
Flags = Bool[Tensor, " world"]


def aside(one: Points, other: Points) -> PerWorld:
    """Give the horizontal distance [m]."""
    return torch.hypot(*(one - other)[:, :2].unbind(dim=1))


def apart(one: Points, other: Points) -> PerWorld:
    """Give the distance [m]."""
    return torch.linalg.vector_norm(one - other, dim=1)


def funnel_distance(tool: Points, target: Points) -> PerWorld:
    """Give the length of the way [m] to a point that is approached from above; see `table_top.task`."""
    flat = aside(tool, target)
    return flat + (tool[:, 2] - target[:, 2] - (SLOPE * flat).clamp(max=CLEARANCE)).abs()


def remaining(distance: PerWorld, *, touching: float, start: PerWorld | float) -> PerWorld:
    """Give which part of a distance is still left, in [0, 1]; see `table_top.task`."""
    begun = torch.as_tensor(start, dtype=distance.dtype, device=distance.device)
    left = ((distance - touching) / (begun - touching)).clamp(0.0, 1.0)
    return torch.where(begun <= touching, 0.0, left)


def staged(approach: PerWorld, motion: PerWorld, *, weight: float) -> PerWorld:
    """Join the progress of the approach and of the motion that follows it; see `table_top.task`."""
    return motion + weight * (1.0 - motion) * approach
