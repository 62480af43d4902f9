"""How far an object is from where it shall be: key-point distance, up to the object's own symmetry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robo_reward.camera.pose import Pose

_MOST_TURNS = 500


@runtime_checkable
class Target(Protocol):
    """Says how far objects in given poses are from where they shall be."""

    @property
    def num_objects(self) -> int:
        """How many objects' poses it takes."""
        ...

    @property
    def description(self) -> object:
        """Plain data that tells two targets apart."""
        ...

    def distance(self, poses: Sequence[Pose]) -> float:
        """Give the distance from the target [m], 0 where it is met; `T_base_object` of each object."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class GoalPose:
    """One object in one pose.

        d_kp = min_{S ∈ symmetry} (1/N) Σ_i ‖T x_i − G S x_i‖

    Key points couple shift and turn without a weight to choose: a turn counts as much as it moves the points.

    Raises:
        ValueError: No key point, a symmetry that moves its origin, or none at all (the identity is needed).
    """

    T_base_goal: Pose
    """Pose of the object when the task is done."""
    key_points: Float64[np.ndarray, "point 3"]
    """In the object's frame [m], such as the corners of its box."""
    symmetry: tuple[Pose, ...] = (Pose.identity(),)
    """Turns of the object after which it looks and serves the same; the identity among them."""

    def __post_init__(self) -> None:
        if len(self.key_points) == 0 or not np.isfinite(self.key_points).all():
            raise ValueError("key_points must be at least one point of finite coordinates [m]")
        if not any(np.allclose(each.rotation, np.eye(3), atol=1e-9) for each in self.symmetry):
            raise ValueError("symmetry must contain the identity: an object looks like itself")
        if any(np.abs(each.translation).max() > 0 for each in self.symmetry):
            raise ValueError("symmetry must consist of turns about the object's origin, got one that shifts it")

    @property
    def num_objects(self) -> int:
        """One."""
        return 1

    @property
    def description(self) -> object:
        """Goal, key points and symmetry as plain data."""
        turns = [each.rotation_vector.tolist() for each in self.symmetry]
        return ["GoalPose", self.T_base_goal.matrix.tolist(), self.key_points.tolist(), turns]

    def distance(self, poses: Sequence[Pose]) -> float:
        """Give the mean distance of the key points from where they shall be, of the symmetry that is nearest [m]."""
        (pose,) = poses
        placed = pose.apply(self.key_points)
        turns = np.stack([each.rotation for each in self.symmetry])
        wanted = self.T_base_goal.apply((self.key_points[None, :, None, :] * turns[:, None]).sum(axis=-1))
        return float(np.sqrt(((placed - wanted) ** 2).sum(axis=-1)).mean(axis=-1).min())


def goal_pose(
    *,
    translation: Sequence[float],
    quaternion_wxyz: Sequence[float],
    key_points: Sequence[Sequence[float]] | None = None,
    box: Sequence[float] | None = None,
    symmetry: Sequence[Mapping[str, Any]] = (),
) -> GoalPose:
    """Give a goal from plain values, as a configuration states it.

    Args:
        translation: Of the object's frame in the base frame when the task is done [m].
        quaternion_wxyz: Its rotation, real part first.
        key_points: In the object's frame [m].
        box: Or the object's extent along its x, y and z axis [m], its origin in the middle: its corners count.
        symmetry: Axes of symmetry, each {axis: [x, y, z], order: n}: n-fold, so 4 for a square about its normal. For a
            round one take an order so high that the points move little from one to the next, such as 72.

    Raises:
        ValueError: Neither or both of key points and box, an extent that is not positive, or no axis or order.
    """
    if (key_points is None) == (box is None):
        raise ValueError("give either key_points or box, so that it is known what shall be brought to the goal")
    return GoalPose(
        T_base_goal=Pose.from_quaternion_wxyz(np.array(translation, np.float64), np.array(quaternion_wxyz, np.float64)),
        key_points=box_corners(box) if box is not None else np.array(key_points, np.float64),
        symmetry=symmetry_group([(each["axis"], int(each["order"])) for each in symmetry]),
    )


def box_corners(extent: Sequence[float]) -> Float64[np.ndarray, "8 3"]:
    """Give the corners [m] of a box about the origin with this extent along x, y and z [m]."""
    if len(extent) != 3 or not all(each > 0 for each in extent):
        raise ValueError(f"box must be 3 extents > 0 m, got {list(extent)}")
    return np.array(list(product(*([-each / 2, each / 2] for each in extent))), np.float64)


def symmetry_group(axes: Sequence[tuple[Sequence[float], int]]) -> tuple[Pose, ...]:
    """Give every turn that a body has with these axes of symmetry, each of an order: turns by 2π / order about it.

    Raises:
        ValueError: An axis of length 0, an order below 1, or axes whose turns do not close (more than 500 of them).
    """
    steps = []
    for axis, order in axes:
        vector = np.array(axis, np.float64)
        if order < 1 or not np.linalg.norm(vector) > 0:
            raise ValueError(f"an axis of symmetry needs a direction and an order >= 1, got {list(axis)} and {order}")
        steps.append(Rotation.from_rotvec(vector / np.linalg.norm(vector) * (2 * np.pi / order)).as_matrix())
    found, new = np.eye(3)[None], [np.eye(3)]
    while new:
        turned = [step @ each for step in steps for each in new]
        new = []
        for each in turned:
            if np.abs(found - each).max(axis=(1, 2)).min() > 1e-6:
                new.append(each)
                found = np.concatenate([found, each[None]])
        if len(found) > _MOST_TURNS:
            raise ValueError(
                f"the axes of symmetry {list(axes)} have no group of at most {_MOST_TURNS} turns in common"
            )
    return tuple(Pose.from_matrix(_homogeneous(each)) for each in found)


def _homogeneous(turn: Float64[np.ndarray, "3 3"]) -> Float64[np.ndarray, "4 4"]:
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    return matrix


_: type[Target] = GoalPose  # the type checker holds the protocol
