"""The key-point plan of a task: where to touch, along which way points, with the gripper open or closed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64

Gripper = Literal["open", "closed", "any"]
"""What the gripper is to be when it leaves a way point; `any` = as it comes."""

SHORTEST = 1e-4
"""Way points nearer to each other than this [m] are one point given twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Where a way point was shown in the picture of one camera.

    Raises:
        ValueError: Neither a pixel nor a mark, or a pixel that is not finite.
    """

    camera: str
    """Name of the camera in the rig."""
    pixel: tuple[float, float] | None = None
    """(right, down) in the picture as recorded [px]; (0, 0) is the centre of the top left pixel."""
    mark: str | None = None
    """What was chosen there: a key point such as `P[2]`, a tile such as `c4`, a height line such as `line 3`."""

    def __post_init__(self) -> None:
        if not self.camera:
            raise ValueError("a sighting needs the name of its camera")
        if self.pixel is None and self.mark is None:
            raise ValueError(f"camera '{self.camera}': a sighting needs a pixel, a mark, or both")
        if self.pixel is not None and not all(math.isfinite(each) for each in self.pixel):
            raise ValueError(f"camera '{self.camera}': a pixel must be two finite numbers, got {list(self.pixel)}")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class WayPoint:
    """A point that the tool is to come to.

    Raises:
        ValueError: A position that is not three finite numbers, a tolerance that is not positive, or an unknown
            gripper state.
    """

    name: str
    """Such as `start`, `grasp`, `handle pulled`; for people."""
    position: Float64[np.ndarray, "3"]
    """In the base frame of the plan, or from the point that `relative_to` names [m]."""
    gripper: Gripper = "any"
    """What the gripper is to be when it leaves this point."""
    tolerance: float = 0.03
    """Radius [m] within which the point counts as reached; the plan is not meant more exactly."""
    relative_to: str | None = None
    """Name of a seen point, such as that of the object, from which `position` is counted, along the base frame's axes:
    the way point goes along with it. None = it stands still."""
    sightings: tuple[Sighting, ...] = ()
    """Where it came from: pictures in which somebody showed it; empty for numbers given by hand."""

    def __post_init__(self) -> None:
        position = np.asarray(self.position, dtype=np.float64)
        if position.shape != (3,) or not np.isfinite(position).all():
            raise ValueError(f"way point '{self.name}': position must be 3 finite numbers [m], got {position.tolist()}")
        if not 0 < self.tolerance < math.inf:
            raise ValueError(f"way point '{self.name}': tolerance must be > 0 m, got {self.tolerance}")
        if self.gripper not in get_args(Gripper):
            raise ValueError(f"way point '{self.name}': gripper must be one of {_choices()}, got {self.gripper!r}")
        if self.relative_to is not None and not self.relative_to.strip():
            raise ValueError(f"way point '{self.name}': relative_to must name a point, got an empty text")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Plan:
    """How a task is done, as points: the polyline w_0 … w_K with what the gripper does at them.

    Raises:
        ValueError: No task or frame, fewer than two way points, two in a row at one place, or a grasp
            that is none of them.
    """

    task: str
    """The instruction in words."""
    base_frame: str
    """Frame of all positions: the rig's base frame."""
    way_points: tuple[WayPoint, ...]
    """w_0, where the way begins, to w_K, where the task is done."""
    grasp: int | None = None
    """Index of the way point where the object is touched or grasped; None = nobody said."""
    made_by: str = "hand"
    """Who made it: `hand`, `click`, `vlm …` with the model's version, `simulator`, …; for people."""

    def __post_init__(self) -> None:
        if not self.task.strip() or not self.base_frame.strip():
            raise ValueError(f"a plan needs a task and a base frame, got {self.task!r} and {self.base_frame!r}")
        if len(self.way_points) < 2:
            raise ValueError(f"a plan needs at least 2 way points, got {len(self.way_points)}")
        if self.grasp is not None and not 0 <= self.grasp < len(self.way_points):
            raise ValueError(
                f"grasp must be an index of a way point, 0 to {len(self.way_points) - 1}; got {self.grasp}"
            )
        for before, after in zip(self.way_points, self.way_points[1:], strict=False):
            together = before.relative_to == after.relative_to
            if together and float(np.linalg.norm(after.position - before.position)) < SHORTEST:
                raise ValueError(
                    f"way points '{before.name}' and '{after.name}' are the same point {after.position.tolist()}; "
                    "leave one out"
                )

    @property
    def positions(self) -> Float64[np.ndarray, "vertex 3"]:
        """Positions of all way points [m], each from where it is counted."""
        return np.stack([point.position for point in self.way_points])

    @property
    def anchors(self) -> tuple[str, ...]:
        """Names of the points that way points are relative to, each once; empty = the whole plan stands still."""
        return tuple(dict.fromkeys(point.relative_to for point in self.way_points if point.relative_to is not None))

    def check_still(self) -> None:
        """Raise ValueError where the plan lies nowhere by itself, since way points go along with what is seen."""
        if self.anchors:
            raise ValueError(
                f"the plan's way points are relative to {list(self.anchors)}: say where that is, by `Plan.placed`"
            )

    def placed(self, anchors: Mapping[str, Float64[np.ndarray, "3"]]) -> "Plan":
        """Give the plan as it is while the points that it is relative to are here [m], such as to draw it.

        Raises:
            ValueError: A name that is missing, or a position that is not three finite numbers.
        """
        if missing := sorted(set(self.anchors) - set(anchors)):
            raise ValueError(f"the plan's way points are relative to {missing}: say where that is")
        points = tuple(
            point
            if point.relative_to is None
            else replace(point, position=point.position + anchors[point.relative_to], relative_to=None)
            for point in self.way_points
        )
        return replace(self, way_points=points)

    @property
    def gripper_steps(self) -> tuple[int, ...]:
        """Indices of the way points at which the gripper opens or closes: its wanted state is new there.

        A state wanted at w_0 counts as a step that needs no place: the gripper must be so before the way begins.
        """
        steps, last = [], "any"
        for index, point in enumerate(self.way_points):
            if point.gripper not in ("any", last):
                steps.append(index)
                last = point.gripper
        return tuple(steps)


def _choices() -> str:
    return ", ".join(get_args(Gripper))
