"""The way of a plan in each frame: way points that stand still, and those that go along with a seen point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.models.tracked_point import PointSource
from robo_reward.plans.way_points import Plan


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PlacedWay:
    """Where the way points are; NaN where a point that one goes along with is not known."""

    position: Float64[Tensor, "batch time vertex 3"]
    """[m]."""
    covariance: Float64[Tensor, "batch time vertex 3 3"]
    """[m²]; 0 of way points that stand still."""


@final
class AnchoredWay:
    """Puts the way points of a plan where the points are that they are relative to.

        w_k = a + position_k,   a = where the point named by `relative_to` is seen; axes are those of the base frame

    Args:
        plan: The plan.
        anchors: Name to what says where the point is, for exactly the names that the plan is relative to.

    Raises:
        ValueError: Other names than the plan's.
    """

    def __init__(self, plan: Plan, anchors: Mapping[str, PointSource]) -> None:
        if set(anchors) != set(plan.anchors):
            raise ValueError(
                f"the plan's way points are relative to {list(plan.anchors) or 'nothing'}, and anchors are given for "
                f"{sorted(anchors) or 'nothing'}: say for each of the plan's names, and for no other, where it is seen"
            )
        self._anchors = {name: anchors[name] for name in plan.anchors}
        self._offset = torch.tensor(plan.positions, dtype=torch.float64)
        self._vertices = {
            name: [index for index, point in enumerate(plan.way_points) if point.relative_to == name]
            for name in plan.anchors
        }

    @property
    def versions(self) -> dict[str, str]:
        """Anchor to the version of what sees it; empty where all stands still."""
        return {name: each.version for name, each in self._anchors.items()}

    def place(self, seen: Clip, memory: Mapping[str, Any] | None) -> tuple[PlacedWay, dict[str, Any]]:
        """Place the way points in the next frames of an episode.

        Args:
            seen: The frames.
            memory: What the call before this one gave; None at the start of an episode.
        """
        batch, time = seen.stamp.shape
        position = self._offset.expand(batch, time, -1, -1).clone()
        covariance = torch.zeros(*position.shape, 3, dtype=torch.float64)
        after = {}
        for name, source in self._anchors.items():
            located, after[name] = source.locate(seen, None if memory is None else memory[name])
            for vertex in self._vertices[name]:
                position[:, :, vertex] = located.position + self._offset[vertex]
                covariance[:, :, vertex] = located.covariance
        return PlacedWay(position=position, covariance=covariance), after
