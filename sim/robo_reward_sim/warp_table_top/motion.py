"""Kernels that command the arm and begin episodes: what `TableTopScene` does, in every world at once."""

# kernels take their arguments in order, and give nothing
# ruff: noqa: PLR0917, ANN201
# warp is not in the environment that types are checked in, and its kernels are no Python
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportInvalidTypeForm=false

import warp as wp

from robo_reward_sim.table_top.kinematics import ARM_JOINTS, MAX_WIDTH
from robo_reward_sim.table_top.scene import _LEASH as LEASH
from robo_reward_sim.table_top.scene import _SCATTER as SCATTER
from robo_reward_sim.table_top.scene import START
from robo_reward_sim.table_top.task import TOOL_SPEED
from robo_reward_sim.warp_table_top.arm import Arm, Joints, joints_at, tool_at

_N = len(ARM_JOINTS)
_PARTS = 2  # streams of random numbers of an episode: where the tool begins, where things are


@wp.func
def random_stream(seed: int, world: int, episode: int, part: int) -> wp.uint32:
    """Give the stream of one part of one episode of one world: other worlds and their number do not change it."""
    return wp.rand_init(int(wp.rand_init(seed, world)), wp.static(_PARTS) * episode + part)


@wp.func
def uniform(stream: wp.uint32, lower: wp.vec3, upper: wp.vec3):
    """Draw a point of a box; gives the stream behind it, too."""
    x = wp.randf(stream, lower[0], upper[0])
    y = wp.randf(stream, lower[1], upper[1])
    z = wp.randf(stream, lower[2], upper[2])
    return wp.vec3(x, y, z), stream


@wp.kernel(enable_backward=False)
def aim(
    action: wp.array2d(dtype=float),
    arm: Arm,
    tool_site: int,
    duration: float,
    site_xpos: wp.array2d(dtype=wp.vec3),
    act: wp.array2d(dtype=float),
    ctrl: wp.array2d(dtype=float),
    joint_target: wp.array2d(dtype=float),
):
    """Turn each world's action into speeds of the joints and a width of the fingers."""
    world = wp.tid()
    commanded = Joints()
    for i in range(wp.static(_N)):
        commanded[i] = wp.float64(act[world, i])
    tool, _turn, _jacobian = tool_at(arm, commanded)
    target = wp.vec3d()
    for k in range(3):
        delta = wp.clamp(action[world, k], -1.0, 1.0) * wp.static(TOOL_SPEED) * duration
        here = wp.float64(site_xpos[world, tool_site][k])
        leash = wp.float64(wp.static(LEASH))
        target[k] = wp.clamp(tool[k] + wp.float64(delta), here - leash, here + leash)
    joints = joints_at(arm, target, commanded)
    for i in range(wp.static(_N)):
        joint_target[world, i] = float(wp.clamp(joints[i], arm.lower[i], arm.upper[i]))
        ctrl[world, i] = (joint_target[world, i] - act[world, i]) / duration
    shut = wp.clamp(action[world, 3], -1.0, 1.0)
    ctrl[world, wp.static(_N)] = wp.static(MAX_WIDTH) * (1.0 - shut) * 0.5


@wp.kernel(enable_backward=False)
def arrive(joint_target: wp.array2d(dtype=float), act: wp.array2d(dtype=float)):
    """Put the joints' targets where they were sent: the integral of the speeds, without its rounding."""
    world, i = wp.tid()
    act[world, i] = joint_target[world, i]


@wp.kernel(enable_backward=False)
def begin(
    starts: wp.array(dtype=wp.bool),
    seed: int,
    episode: wp.array(dtype=int),
    arm: Arm,
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    act: wp.array2d(dtype=float),
    ctrl: wp.array2d(dtype=float),
    warm_start: wp.array2d(dtype=float),
    first_tool: wp.array(dtype=wp.vec3),
):
    """Draw where the tool begins in the worlds that start an episode, with open fingers and everything at rest."""
    world = wp.tid()
    if not starts[world]:
        return
    episode[world] = episode[world] + 1
    stream = random_stream(seed, world, episode[world], 0)
    scatter = wp.static(SCATTER)
    aside, stream = uniform(stream, wp.vec3(-scatter, -scatter, -scatter), wp.vec3(scatter, scatter, scatter))
    place = wp.static(wp.vec3d(*START)) + wp.vec3d(wp.float64(aside[0]), wp.float64(aside[1]), wp.float64(aside[2]))
    joints = joints_at(arm, place, arm.rest)
    for i in range(wp.static(_N)):
        qpos[world, i] = float(joints[i])
        act[world, i] = float(joints[i])
        ctrl[world, i] = 0.0
    for i in range(2):
        qpos[world, wp.static(_N) + i] = wp.static(MAX_WIDTH / 2)
    ctrl[world, wp.static(_N)] = wp.static(MAX_WIDTH)
    for i in range(qvel.shape[1]):
        qvel[world, i] = 0.0
        warm_start[world, i] = 0.0
    tool, _turn, _jacobian = tool_at(arm, joints)
    first_tool[world] = wp.vec3(float(tool[0]), float(tool[1]), float(tool[2]))
