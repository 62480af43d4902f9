"""Plans and states that tests of key-point rewards share."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.camera.intrinsics import intrinsics_from_field_of_view
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.clip import Clip
from robo_reward.models.tracked_point import ToolPoint
from robo_reward.plans.way_points import Plan, WayPoint


def plan(
    *points: tuple[float, float, float],
    gripper: dict[int, str] | None = None,
    around: dict[int, str] | None = None,
    tolerance: float = 0.03,
) -> Plan:
    """A plan through these points, with gripper states at some of them, some relative to what is seen."""
    wanted, anchors = gripper or {}, around or {}
    return Plan(
        task="bring the puck to the goal",
        base_frame="world",
        way_points=tuple(
            WayPoint(
                name=f"point {index}",
                position=np.array(point, dtype=np.float64),
                gripper=wanted.get(index, "any"),  # pyright: ignore[reportArgumentType]
                tolerance=tolerance,
                relative_to=anchors.get(index),
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


def table_rig(*, width: int = 640, height: int = 480) -> Rig:
    """Two cameras that look at a table from above and from the side, made up; base frame `world`, z up."""
    lens = intrinsics_from_field_of_view(np.deg2rad(45), width, height)
    return Rig(
        cameras={
            "top": RigCamera(intrinsics=lens, T_base_camera=looking_at((0.0, 0.62, 1.1), (0.0, 0.7, 0.0))),
            "side": RigCamera(intrinsics=lens, T_base_camera=looking_at((1.0, 0.35, 0.45), (0.0, 0.7, 0.1))),
        },
        base_frame="world",
    )


def looking_at(position: tuple[float, float, float], target: tuple[float, float, float]) -> Pose:
    """The pose of an upright camera's optical frame that looks at a point."""
    ahead = np.subtract(target, position)
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    return Pose(rotation=rotation, translation=np.array(position, dtype=np.float64))


def way_seen(*, width: int = 160, height: int = 120, time: int = 6) -> tuple[Clip, Rig, Plan, ToolPoint]:
    """A tool that goes along its plan before two cameras of noise; where it is at the fourth frame nobody knows."""
    rig = table_rig(width=width, height=height)
    way = plan((-0.1, 0.6, 0.2), (-0.1, 0.6, 0.02), (0.1, 0.75, 0.1))
    share = torch.linspace(0, 1, time, dtype=torch.float64)[None, :, None]
    ends = torch.from_numpy(way.positions[[0, -1]])
    position = ends[0] + share * (ends[1] - ends[0])
    position[0, 3] = torch.nan
    random = torch.Generator().manual_seed(0)
    shape = (1, time, 3, height, width)
    views = {name: torch.randint(90, 110, shape, generator=random).to(torch.uint8) for name in rig.cameras}
    clip = replace(felt(position), views=views, present=torch.ones(1, time, 2, dtype=torch.bool))
    return clip, rig, way, ToolPoint(std=0.02)
