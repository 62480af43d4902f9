"""Relations of two objects: which points shall meet, and how axes shall lie."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from robo_reward.camera.pose import Pose
from robo_reward.models.object_pose_goal import Target


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Relation:
    """How a point and an axis of object a shall lie to those of object b.

        error = | ‖p_a − p_b‖ − distance | + lever · | ∠(v_a, v_b) − angle |

    A spout 5 cm above a cup, upside down: the spout's tip and direction, the cup's rim and axis, 0.05 and π.

    Raises:
        ValueError: Neither distance nor angle, an axis that has not length 1, a negative distance or lever, an angle
            outside [0, π].

    Source:
        OmniManip: interaction points and directions in the objects' canonical frames, with distance and angle as
        constraints. The lever, which makes one length of both, is this project's own.
    """

    point_a: Float64[np.ndarray, "3"]
    """In a's frame [m]."""
    axis_a: Float64[np.ndarray, "3"]
    """Unit vector in a's frame."""
    point_b: Float64[np.ndarray, "3"]
    """In b's frame [m]."""
    axis_b: Float64[np.ndarray, "3"]
    """Unit vector in b's frame."""
    distance: float | None = None
    """Of the points [m]; None = any."""
    angle: float | None = None
    """Between the axes, in [0, π] [rad]; None = any."""
    lever: float = 0.1
    """Metres that a radian counts as [m/rad]: about the object's size."""

    def __post_init__(self) -> None:
        if self.distance is None and self.angle is None:
            raise ValueError("a relation must state a distance, an angle or both")
        for name, axis in (("axis_a", self.axis_a), ("axis_b", self.axis_b)):
            length = float(np.linalg.norm(axis))
            if abs(length - 1) > 1e-6:
                raise ValueError(f"{name} must have length 1, got {axis.tolist()} of length {length:.6g}")
        if self.distance is not None and not self.distance >= 0:
            raise ValueError(f"distance must be >= 0 m, got {self.distance}")
        if self.angle is not None and not 0 <= self.angle <= math.pi:
            raise ValueError(f"angle must be in [0, π] rad, got {self.angle}")
        if not self.lever > 0:
            raise ValueError(f"lever must be > 0 m/rad, got {self.lever}")

    def error(self, pose_a: Pose, pose_b: Pose) -> float:
        """Give how far the relation is from being met [m]; poses are `T_base_object`."""
        apart = float(np.linalg.norm(pose_a.apply(self.point_a) - pose_b.apply(self.point_b)))
        one, other = pose_a.rotation @ self.axis_a, pose_b.rotation @ self.axis_b
        # atan2 is exact for axes that lie along each other, where arccos is not
        between = math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other))
        off = 0.0 if self.distance is None else abs(apart - self.distance)
        return off + (0.0 if self.angle is None else self.lever * abs(between - self.angle))

    @property
    def description(self) -> list[object]:
        """All of it as plain data."""
        vectors = [each.tolist() for each in (self.point_a, self.axis_a, self.point_b, self.axis_b)]
        return [*vectors, self.distance, self.angle, self.lever]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RelationTarget:
    """Relations between a tracked object a and another one, b, tracked too or standing still.

        d = mean of the relations' errors

    Raises:
        ValueError: No relation.
    """

    relations: tuple[Relation, ...]
    """All between the same two objects."""
    T_base_b: Pose | None = None
    """Where b stands still; None = it is the second tracked object."""

    def __post_init__(self) -> None:
        if not self.relations:
            raise ValueError("at least one relation is needed; relations is empty")

    @property
    def num_objects(self) -> int:
        """Two, or one where b stands still."""
        return 2 if self.T_base_b is None else 1

    @property
    def description(self) -> object:
        """Relations and where b stands as plain data."""
        still = None if self.T_base_b is None else self.T_base_b.matrix.tolist()
        return ["RelationTarget", [each.description for each in self.relations], still]

    def distance(self, poses: Sequence[Pose]) -> float:
        """Give the mean of the relations' errors [m]."""
        pose_a, pose_b = (poses[0], poses[1]) if self.T_base_b is None else (poses[0], self.T_base_b)
        return sum(each.error(pose_a, pose_b) for each in self.relations) / len(self.relations)


def relation_target(
    *, relations: Sequence[Mapping[str, Any]], standing: Mapping[str, Sequence[float]] | None = None
) -> RelationTarget:
    """Give a target from plain values, as a configuration states it.

    Args:
        relations: Each with the fields of `Relation`; axes may have any length but 0.
        standing: Pose of b where it stands still, {translation, quaternion_wxyz}; None = b is tracked.

    Raises:
        ValueError: Values that are no relation.
        TypeError: A field that a relation does not have, or lacks.
    """
    still = None
    if standing is not None:
        still = Pose.from_quaternion_wxyz(
            np.array(standing["translation"], np.float64), np.array(standing["quaternion_wxyz"], np.float64)
        )
    return RelationTarget(relations=tuple(Relation(**_arrays(each)) for each in relations), T_base_b=still)


def _arrays(values: Mapping[str, Any]) -> dict[str, Any]:
    arrays = {name: np.array(each, np.float64) for name, each in values.items() if name.startswith(("point", "axis"))}
    for name, each in arrays.items():
        if name.startswith("axis") and np.linalg.norm(each) > 0:
            arrays[name] = each / np.linalg.norm(each)
    return dict(values) | arrays


_: type[Target] = RelationTarget  # the type checker holds the protocol
