"""The arm's joints and where its tool is: forward by MuJoCo, inverse by damped least squares."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

from pathlib import Path
from typing import final

# before MuJoCo is imported: it chooses OpenGL without a screen
import robo_reward_sim.rendering  # noqa: F401  # isort: skip

import mujoco
import numpy as np
from jaxtyping import Float, Float64

ARM_JOINTS = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_lift", "wrist_roll")
"""Joints of the arm, from the base to the hand; angles in [rad]."""

GRIPPER_JOINT = "left_finger"
"""Joint that stands for the gripper: half of its width [m]; the other finger mirrors it."""

MAX_WIDTH = 0.08
"""Distance of the open fingers [m]."""

WORKSPACE = np.array([[0.28, -0.25, 0.016], [0.62, 0.25, 0.36]])
"""Where the tool may be sent: lower and upper corner [m], in the base frame, whose z = 0 is the top of the table."""

DOWN = np.array([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])
"""Orientation of the tool in the base frame that is kept: fingers down, opening along y."""

_FOLDER = Path(__file__).parent
_REST = np.array([0.0, 0.1, 1.7, np.pi - 1.8, 0.0])
_DAMPING = 1e-3  # λ; small enough for steps of Newton's kind, large enough near the stretched arm
_TOLERANCE = 1e-5  # [m] and [rad]
_MAX_ITERATIONS = 20


@final
class ArmKinematics:
    """Kinematics of the table-top arm, without physics; needs neither an environment nor ROS."""

    def __init__(self) -> None:
        self._model = mujoco.MjModel.from_xml_path(str(_FOLDER / "arm.xml"))
        self._data = mujoco.MjData(self._model)
        self._site = self._model.site("tool").id
        self._jacobian = np.zeros((6, self._model.nv))
        self._limits = self._model.jnt_range[: len(ARM_JOINTS)].T

    @property
    def limits(self) -> Float64[np.ndarray, "2 5"]:
        """Lower and upper limits of the joints [rad]."""
        return self._limits.copy()

    def tool_position(self, joint_position: Float[np.ndarray, "5"]) -> Float64[np.ndarray, "3"]:
        """Give where the tool, the point between the fingertips, is in the base frame [m]."""
        self._data.qpos[: len(ARM_JOINTS)] = joint_position
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.site_xpos[self._site].copy()

    def tool_rotation(self, joint_position: Float[np.ndarray, "5"]) -> Float64[np.ndarray, "3 3"]:
        """Give the orientation of the tool in the base frame: its axes are the columns, z points out of the hand."""
        self.tool_position(joint_position)
        return self._data.site_xmat[self._site].reshape(3, 3).copy()

    def joints_at(
        self, position: Float[np.ndarray, "3"], *, near: Float[np.ndarray, "5"] | None = None
    ) -> Float64[np.ndarray, "5"]:
        """Give joint angles [rad] that bring the tool to a position, fingers down.

        Δq = Jᵀ (J Jᵀ + λ² I)⁻¹ e, repeated until e, position and orientation, is small, or for a bounded number of
        times: what cannot be reached is approached as well as the joints' limits allow.

        Args:
            position: In the base frame [m]; clamped to `WORKSPACE`.
            near: Joint angles to begin with [rad]; None = the arm's rest posture.

        Source:
            Nakamura & Hanafusa 1986, eq. 13, with a constant damping λ.
        """
        target = np.clip(position, *WORKSPACE)
        joints = np.array(_REST if near is None else near, np.float64)
        for _ in range(_MAX_ITERATIONS):
            error = self._error(joints, target)
            if np.abs(error).max() < _TOLERANCE:
                break
            j = self._jacobian[:, : len(ARM_JOINTS)]
            # the same as Jᵀ (J Jᵀ + λ² I)⁻¹, with five unknowns instead of six
            change = np.linalg.solve(j.T @ j + _DAMPING**2 * np.eye(len(ARM_JOINTS)), j.T @ error)
            joints = np.clip(joints + np.clip(change, -0.5, 0.5), *self._limits)
        return joints

    def joint_targets(
        self, joint_position: Float[np.ndarray, "5"], tool_delta: Float[np.ndarray, "3"]
    ) -> Float64[np.ndarray, "5"]:
        """Give joint angles [rad] that move the tool by `tool_delta` [m] in the base frame, within the workspace."""
        return self.joints_at(self.tool_position(joint_position) + tool_delta, near=joint_position)

    def _error(self, joints: Float64[np.ndarray, "5"], target: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "6"]:
        """Give what the tool lacks in position [m] and orientation [rad]; the Jacobian is that of the same joints."""
        error = np.empty(6)
        error[:3] = target - self.tool_position(joints)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._jacobian[:3], self._jacobian[3:], self._site)
        turn = DOWN @ self._data.site_xmat[self._site].reshape(3, 3).T
        quaternion, rotation = np.empty(4), np.empty(3)
        mujoco.mju_mat2Quat(quaternion, turn.ravel())
        mujoco.mju_quat2Vel(rotation, quaternion, 1.0)
        error[3:] = rotation
        return error
