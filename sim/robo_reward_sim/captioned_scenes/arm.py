"""Puts Meta-World's arm somewhere without simulating how it got there."""

# pyright: reportAttributeAccessIssue=false
# mujoco 3.3, which Meta-World needs, comes without types

import mujoco
import numpy as np
from jaxtyping import Float

_ARM = 7  # joints of the arm; they come first in qpos and qvel


class Arm:
    """Inverse kinematics of the Sawyer arm: damped least squares, with a random preference of posture."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Let the arm settle at Meta-World's first hand position, once, and remember its posture."""
        self._model, self._data = model, data
        self._hand = model.body("hand").id
        model.eq_data[:, :11] = (0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5)  # as Meta-World sets its welds
        data.mocap_pos[0], data.mocap_quat[0] = (0.0, 0.6, 0.2), (1, 0, 1, 0)
        mujoco.mj_step(model, data, nstep=400)
        mujoco.mj_forward(model, data)
        self._posture = data.qpos[:_ARM].copy()
        self._quaternion = data.xquat[self._hand].copy()
        self._tip = self.tip() - data.xpos[self._hand]

    def tip(self) -> Float[np.ndarray, "3"]:
        """Return the point between the two fingers [m]."""
        return (self._data.site("rightEndEffector").xpos + self._data.site("leftEndEffector").xpos) / 2

    def reach(self, target: Float[np.ndarray, "3"], rng: np.random.Generator) -> None:
        """Bring the tip to `target` [m] as well as the arm can, and open or close the fingers at random."""
        data, model = self._data, self._model
        rest = self._posture + rng.normal(0.0, 0.12, _ARM)
        data.qpos[:_ARM] = rest
        opening = rng.uniform(0.0, 1.0)
        data.qpos[_ARM : _ARM + 2] = (0.04 * (1 - opening), -0.03 * (1 - opening))
        jacobian, error = np.zeros((6, model.nv)), np.zeros(6)
        for _ in range(12):
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_jacBody(model, data, jacobian[:3], jacobian[3:], self._hand)
            error[:3] = target - self._tip - data.xpos[self._hand]
            turn = np.zeros(3)
            mujoco.mju_subQuat(turn, self._quaternion, data.xquat[self._hand])
            rotation = data.xmat[self._hand].reshape(3, 3)
            error[3:] = 0.5 * (rotation @ turn)
            j = jacobian[:, :_ARM]
            inverse = j.T @ np.linalg.inv(j @ j.T + 1e-3 * np.eye(6))
            step = inverse @ error + (np.eye(_ARM) - inverse @ j) @ (0.1 * (rest - data.qpos[:_ARM]))
            data.qpos[:_ARM] += np.clip(step, -0.4, 0.4)
