"""The arm on the device, one thread a world: where its tool is, which joint angles bring it somewhere."""

# warp is not in the environment that types are checked in, and its kernels are no Python
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportInvalidTypeForm=false

from itertools import pairwise
from typing import Any

import mujoco
import numpy as np
import warp as wp

from robo_reward_sim.table_top.kinematics import _DAMPING as DAMPING
from robo_reward_sim.table_top.kinematics import _MAX_ITERATIONS as MAX_ITERATIONS
from robo_reward_sim.table_top.kinematics import _REST as REST
from robo_reward_sim.table_top.kinematics import _TOLERANCE as TOLERANCE
from robo_reward_sim.table_top.kinematics import ARM_JOINTS, WORKSPACE

_N = len(ARM_JOINTS)
_LARGEST_CHANGE = 0.5  # of an angle in an iteration [rad], as in `ArmKinematics`

Joints = wp.types.vector(length=_N, dtype=wp.float64)
Places = wp.types.matrix(shape=(_N, 3), dtype=wp.float64)
Jacobian = wp.types.matrix(shape=(6, _N), dtype=wp.float64)
Square = wp.types.matrix(shape=(_N, _N), dtype=wp.float64)
Error = wp.types.vector(length=6, dtype=wp.float64)


@wp.struct
class Arm:
    """Geometry of the arm, as kernels take it."""

    offset: wp.array(dtype=wp.vec3d)  # from each joint to the next, in the frame of the former; the last to the tool
    axis: wp.array(dtype=wp.vec3d)
    lower: Joints
    upper: Joints
    rest: Joints
    workspace_lower: wp.vec3d
    workspace_upper: wp.vec3d


def arm_of(model: mujoco.MjModel) -> Any:
    """Read the arm's geometry from a scene that contains it.

    Raises:
        ValueError: An arm that is no chain of hinges with parallel frames at rest: the kernels know no other.
    """
    joints = [model.joint(name) for name in ARM_JOINTS]
    bodies = [int(model.jnt_bodyid[each.id]) for each in joints]
    tool = model.site("tool")
    chain = all(model.body_parentid[after] == before for before, after in pairwise(bodies))
    turned = [*(model.body_quat[body] for body in bodies), model.site_quat[tool.id]]
    plain = all(np.array_equal(each, [1, 0, 0, 0]) for each in turned) and not any(each.pos.any() for each in joints)
    base = int(model.body_parentid[bodies[0]])
    if not (chain and plain and model.body_parentid[base] == 0 and model.site_bodyid[tool.id] == bodies[-1]):
        raise ValueError("the arm must be a chain of hinges at the origins of bodies that are not turned")
    offsets = [model.body_pos[base] + model.body_pos[bodies[0]], *(model.body_pos[body] for body in bodies[1:])]
    arm = Arm()
    arm.offset = wp.array(np.array([*offsets, model.site_pos[tool.id]]), dtype=wp.vec3d)
    arm.axis = wp.array(np.array([each.axis for each in joints]), dtype=wp.vec3d)
    limits = np.array([each.range for each in joints])
    arm.lower, arm.upper, arm.rest = Joints(*limits[:, 0]), Joints(*limits[:, 1]), Joints(*REST)
    arm.workspace_lower, arm.workspace_upper = wp.vec3d(*WORKSPACE[0]), wp.vec3d(*WORKSPACE[1])
    return arm


@wp.func
def tool_at(arm: Arm, joints: Joints):  # noqa: ANN201  (a kernel's types are inferred)
    """Give where the tool is, its orientation, and the Jacobian: position before rotation."""
    place = wp.vec3d()
    turn = wp.identity(n=3, dtype=wp.float64)
    anchors, axes = Places(), Places()
    for i in range(wp.static(_N)):
        place = place + turn @ arm.offset[i]
        axis = turn @ arm.axis[i]
        for k in range(3):
            anchors[i, k] = place[k]
            axes[i, k] = axis[k]
        turn = turn @ wp.quat_to_matrix(wp.quat_from_axis_angle(arm.axis[i], joints[i]))
    tool = place + turn @ arm.offset[wp.static(_N)]
    jacobian = Jacobian()
    for i in range(wp.static(_N)):
        axis = wp.vec3d(axes[i, 0], axes[i, 1], axes[i, 2])
        speed = wp.cross(axis, tool - wp.vec3d(anchors[i, 0], anchors[i, 1], anchors[i, 2]))
        for k in range(3):
            jacobian[k, i] = speed[k]
            jacobian[3 + k, i] = axis[k]
    return tool, turn, jacobian


@wp.func
def _fingers_down_from(turn: wp.mat33d) -> wp.vec3d:
    """Give the rotation [rad] that turns the hand until its fingers point down and open along y."""
    down = wp.matrix_from_rows(
        wp.vec3d(wp.float64(-1.0), wp.float64(0.0), wp.float64(0.0)),
        wp.vec3d(wp.float64(0.0), wp.float64(1.0), wp.float64(0.0)),
        wp.vec3d(wp.float64(0.0), wp.float64(0.0), wp.float64(-1.0)),
    )
    left = wp.quat_from_matrix(down @ wp.transpose(turn))
    sine = wp.vec3d(left[0], left[1], left[2])
    angle = wp.float64(2.0) * wp.atan2(wp.length(sine), left[3])
    if angle > wp.float64(wp.static(np.pi)):
        angle = angle - wp.float64(wp.static(2.0 * np.pi))
    return wp.normalize(sine) * angle


@wp.func
def _solved(matrix: Square, right: Joints) -> Joints:
    """Solve a symmetric positive definite system by Cholesky's decomposition."""
    low = Square()
    for i in range(wp.static(_N)):
        for k in range(i + 1):
            rest = matrix[i, k]
            for m in range(k):
                rest = rest - low[i, m] * low[k, m]
            if i == k:
                low[i, i] = wp.sqrt(rest)
            else:
                low[i, k] = rest / low[k, k]
    found = Joints()
    for i in range(wp.static(_N)):
        rest = right[i]
        for m in range(i):
            rest = rest - low[i, m] * found[m]
        found[i] = rest / low[i, i]
    for j in range(wp.static(_N)):
        i = wp.static(_N - 1) - j
        rest = found[i]
        for m in range(i + 1, wp.static(_N)):
            rest = rest - low[m, i] * found[m]
        found[i] = rest / low[i, i]
    return found


@wp.func
def joints_at(arm: Arm, position: wp.vec3d, near: Joints) -> Joints:
    """Give joint angles that bring the tool to a position, fingers down: `ArmKinematics.joints_at`, step for step."""
    target = wp.min(wp.max(position, arm.workspace_lower), arm.workspace_upper)
    joints = near
    for _ in range(wp.static(MAX_ITERATIONS)):
        tool, turn, jacobian = tool_at(arm, joints)
        aside, tilt = target - tool, _fingers_down_from(turn)
        error = Error(aside[0], aside[1], aside[2], tilt[0], tilt[1], tilt[2])
        if wp.max(wp.abs(error)) < wp.float64(wp.static(TOLERANCE)):
            break
        normal = wp.transpose(jacobian) @ jacobian
        for i in range(wp.static(_N)):
            normal[i, i] = normal[i, i] + wp.float64(wp.static(DAMPING**2))
        change = _solved(normal, wp.transpose(jacobian) @ error)
        for i in range(wp.static(_N)):
            turned = wp.clamp(
                change[i], wp.float64(wp.static(-_LARGEST_CHANGE)), wp.float64(wp.static(_LARGEST_CHANGE))
            )
            joints[i] = wp.clamp(joints[i] + turned, arm.lower[i], arm.upper[i])
    return joints
