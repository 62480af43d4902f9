"""Kernels that draw where goal, object or furniture are: each task's `lay_out`, in the worlds that start an episode."""

# kernels take their arguments in order, and give nothing
# ruff: noqa: PLR0917, ANN201
# warp is not in the environment that types are checked in, and its kernels are no Python
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportInvalidTypeForm=false

import warp as wp

from robo_reward_sim.table_top import open as opening
from robo_reward_sim.table_top import pick, push, reach
from robo_reward_sim.warp_table_top.motion import random_stream, uniform


@wp.kernel(enable_backward=False)
def lay_out_reach(
    starts: wp.array(dtype=wp.bool),
    seed: int,
    episode: wp.array(dtype=int),
    first_tool: wp.array(dtype=wp.vec3),
    mocap_pos: wp.array2d(dtype=wp.vec3),
):
    """Draw where the ball is: at least 10 cm from the tool."""
    world = wp.tid()
    if not starts[world]:
        return
    stream = random_stream(seed, world, episode[world], 1)
    ball = first_tool[world]
    while wp.length(ball - first_tool[world]) <= wp.static(reach._LEAST):
        ball, stream = uniform(stream, wp.static(wp.vec3(*reach._LOW)), wp.static(wp.vec3(*reach._HIGH)))
    mocap_pos[world, 0] = ball


@wp.kernel(enable_backward=False)
def lay_out_push(
    starts: wp.array(dtype=wp.bool),
    seed: int,
    episode: wp.array(dtype=int),
    puck_at: int,
    qpos: wp.array2d(dtype=float),
    mocap_pos: wp.array2d(dtype=wp.vec3),
):
    """Draw where the puck lies and where the mark is: 12 to 22 cm apart."""
    world = wp.tid()
    if not starts[world]:
        return
    stream = random_stream(seed, world, episode[world], 1)
    lower, upper = wp.static(wp.vec3(*push._LOW, 0.0)), wp.static(wp.vec3(*push._HIGH, 0.0))
    puck, mark = wp.vec3(), wp.vec3()
    apart = float(0.0)  # noqa: UP018  (a variable of the kernel, no constant)
    while apart <= wp.static(push._LEAST) or apart >= wp.static(push._MOST):
        puck, stream = uniform(stream, lower, upper)
        mark, stream = uniform(stream, lower, upper)
        apart = wp.length(puck - mark)
    mocap_pos[world, 0] = mark
    qpos[world, puck_at + 0] = puck[0]
    qpos[world, puck_at + 1] = puck[1]
    qpos[world, puck_at + 2] = wp.static(push._RESTING)
    qpos[world, puck_at + 3] = 1.0
    for i in range(4, 7):
        qpos[world, puck_at + i] = 0.0


@wp.kernel(enable_backward=False)
def lay_out_pick(
    starts: wp.array(dtype=wp.bool),
    seed: int,
    episode: wp.array(dtype=int),
    cube_at: int,
    qpos: wp.array2d(dtype=float),
):
    """Draw where the cube lies, and its angle up to 14 degrees."""
    world = wp.tid()
    if not starts[world]:
        return
    stream = random_stream(seed, world, episode[world], 1)
    lower = wp.static(wp.vec3(*pick._LOW, -pick._TURN / 2))
    drawn, stream = uniform(stream, lower, wp.static(wp.vec3(*pick._HIGH, pick._TURN / 2)))
    qpos[world, cube_at + 0] = drawn[0]
    qpos[world, cube_at + 1] = drawn[1]
    qpos[world, cube_at + 2] = wp.static(pick.CUBE / 2)
    qpos[world, cube_at + 3] = wp.cos(drawn[2])
    qpos[world, cube_at + 4] = 0.0
    qpos[world, cube_at + 5] = 0.0
    qpos[world, cube_at + 6] = wp.sin(drawn[2])


@wp.kernel(enable_backward=False)
def lay_out_open(
    starts: wp.array(dtype=wp.bool),
    seed: int,
    episode: wp.array(dtype=int),
    drawer_at: int,
    cabinet: int,
    cabinet_geoms: wp.vec2i,
    geom_pos: wp.array2d(dtype=wp.vec3),
    qpos: wp.array2d(dtype=float),
    body_pos: wp.array2d(dtype=wp.vec3),
    geom_xpos: wp.array2d(dtype=wp.vec3),
):
    """Draw where the cabinet stands, with the drawer shut.

    MuJoCo Warp takes what is fixed to the world for fixed: places of the cabinet's geoms are computed once, when data
    are made, and must be moved along here.
    """
    world = wp.tid()
    if not starts[world]:
        return
    stream = random_stream(seed, world, episode[world], 1)
    lower, upper = wp.static(wp.vec3(*opening._LOW, 0.0)), wp.static(wp.vec3(*opening._HIGH, 0.0))
    drawn, stream = uniform(stream, lower, upper)
    place = wp.vec3(drawn[0], drawn[1], body_pos[world, cabinet][2])
    body_pos[world, cabinet] = place
    for i in range(cabinet_geoms[1]):
        geom = cabinet_geoms[0] + i
        geom_xpos[world, geom] = place + geom_pos[world % geom_pos.shape[0], geom]
    qpos[world, drawer_at] = 0.0
