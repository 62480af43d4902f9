"""Plans and states that tests of key-point rewards share."""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.models.way_points import Plan, WayPoint


def plan(*points: tuple[float, float, float], gripper: dict[int, str] | None = None, tolerance: float = 0.03) -> Plan:
    """A plan through these points, with gripper states at some of them."""
    wanted = gripper or {}
    return Plan(
        task="bring the puck to the goal",
        base_frame="world",
        way_points=tuple(
            WayPoint(
                name=f"point {index}",
                position=np.array(point, dtype=np.float64),
                gripper=wanted.get(index, "any"),  # pyright: ignore[reportArgumentType]
                tolerance=tolerance,
            )
            for index, point in enumerate(points)
        ),
    )


CORNER = plan((0, 0, 0), (1, 0, 0), (1, 1, 0))


def felt(position: Tensor, width: Tensor | None = None) -> Clip:
    """A clip of one black camera with these tool positions (batch, time, 3) [m] and widths (batch, time) [m]."""
    batch, time = position.shape[:2]
    state: dict[str, Float64[Tensor, "batch time _size"]] = {"tool_position": position.double()}
    if width is not None:
        state["gripper_width"] = width.double()[..., None]
    return Clip(
        views={"front": torch.zeros(batch, time, 3, 2, 2, dtype=torch.uint8)},
        present=torch.ones(batch, time, 1, dtype=torch.bool),
        stamp=torch.arange(time, dtype=torch.float64).expand(batch, -1).contiguous() / 10,
        state=state,
    )


def piece(clip: Clip, start: int, stop: int) -> Clip:
    """Frames start … stop − 1."""
    return clip.take(torch.arange(start, stop), stamp=clip.stamp[0, start:stop])
