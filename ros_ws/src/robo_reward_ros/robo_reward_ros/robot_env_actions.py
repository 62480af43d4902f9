"""From a policy's actions to joint positions that an arm is commanded to. No ROS."""

from collections.abc import Sequence
from typing import Protocol, final

import numpy as np
from jaxtyping import Float, Float64


class ActionMap(Protocol):
    """Makes joint positions out of actions in [-1, 1]."""

    @property
    def size(self) -> int:
        """How many numbers an action has."""
        ...

    def targets(
        self, action: Float[np.ndarray, " size"], joint_position: Float64[np.ndarray, " joint"]
    ) -> Float64[np.ndarray, " joint"]:
        """Give the joint positions that one step leads to [rad] or [m].

        Args:
            action: In [-1, 1].
            joint_position: What the joints were commanded to before, or where they are [rad] or [m].
        """
        ...


class Kinematics(Protocol):
    """The inverse kinematics of an arm, such as `robo_reward_sim.table_top.kinematics.ArmKinematics`."""

    def joint_targets(
        self, joint_position: Float64[np.ndarray, " joint"], tool_delta: Float64[np.ndarray, "3"]
    ) -> Float64[np.ndarray, " joint"]:
        """Give the joint positions that move the tool by `tool_delta` [m] in the base frame."""
        ...


@final
class JointDeltas:
    """An action is a displacement of each joint: q + scale · action, within the joints' limits.

    Args:
        scale: Displacement of each joint at action 1, in one step [rad] or [m], > 0.
        lower: Lower limit of each joint [rad] or [m].
        upper: Upper limit of each joint [rad] or [m].

    Raises:
        ValueError: Lists of different lengths, a scale that is not positive, limits that leave nothing.
    """

    def __init__(self, scale: Sequence[float], *, lower: Sequence[float], upper: Sequence[float]) -> None:
        self._scale, self._lower, self._upper = (np.array(each, np.float64) for each in (scale, lower, upper))
        if not len(scale) == len(lower) == len(upper) >= 1:
            raise ValueError(
                f"scale, lower and upper must have a number for each joint, got {len(scale)}, {len(lower)} and "
                f"{len(upper)} numbers"
            )
        if not bool((self._scale > 0).all()):
            raise ValueError(f"scale must be > 0, got {list(scale)}")
        if not bool((self._lower < self._upper).all()):
            raise ValueError(f"lower limits must be below upper ones, got {list(lower)} and {list(upper)}")

    @property
    def size(self) -> int:
        """One number for each joint."""
        return len(self._scale)

    def targets(
        self, action: Float[np.ndarray, " size"], joint_position: Float64[np.ndarray, " joint"]
    ) -> Float64[np.ndarray, " joint"]:
        """Give the joint positions that one step leads to [rad] or [m]."""
        moved = joint_position + self._scale * np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        return np.clip(moved, self._lower, self._upper)


@final
class ToolDeltas:
    """An action is a displacement of the tool in the base frame (3), and the gripper's opening (1) where there is one.

    Joints are those of the kinematics, in its order, and then the gripper's.

    Args:
        kinematics: The arm's.
        scale: Displacement of the tool along an axis at action 1, in one step [m], > 0.
        gripper: Position of the gripper's joint when open (action -1) and shut (action 1) [m] or [rad]; None = the
            gripper is no part of the action and there is no joint for it.

    Raises:
        ValueError: A scale that is not positive, or a gripper that is not two numbers.
    """

    def __init__(self, kinematics: Kinematics, *, scale: float, gripper: Sequence[float] | None = None) -> None:
        if not scale > 0:
            raise ValueError(f"scale must be > 0 m, got {scale}")
        if gripper is not None and len(gripper) != 2:
            raise ValueError(f"gripper must be its joint's position when open and when shut, got {list(gripper)}")
        self._kinematics, self._scale, self._gripper = kinematics, scale, gripper

    @property
    def size(self) -> int:
        """Three numbers, and one for the gripper."""
        return 3 if self._gripper is None else 4

    def targets(
        self, action: Float[np.ndarray, " size"], joint_position: Float64[np.ndarray, " joint"]
    ) -> Float64[np.ndarray, " joint"]:
        """Give the joint positions that one step leads to [rad] or [m]."""
        bounded = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        arm = joint_position if self._gripper is None else joint_position[:-1]
        moved = np.asarray(self._kinematics.joint_targets(arm, self._scale * bounded[:3]), np.float64)
        if self._gripper is None:
            return moved
        opened, shut = self._gripper
        return np.append(moved, opened + (shut - opened) * (bounded[3] + 1.0) / 2.0)
