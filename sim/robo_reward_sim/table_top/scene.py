"""A table-top scene: physics, arm and cameras of one task, without a notion of reward."""

# mujoco 3.3, which Meta-World needs, comes without types
# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, final

# before MuJoCo is imported: it chooses OpenGL without a screen
import robo_reward_sim.rendering  # noqa: F401  # isort: skip

import mujoco
import numpy as np
from jaxtyping import Float, Float64, UInt8

from robo_reward_sim.table_top.kinematics import ARM_JOINTS, MAX_WIDTH, ArmKinematics
from robo_reward_sim.table_top.task import TOOL_NAMES, TableTopTask

CAMERAS = ("front", "side", "wrist", "left")
"""Cameras of every scene: from across the table, from the arm's right, on its hand, and from its left."""

PHYSICS_STEP = 0.005
"""Time that one step of the physics takes [s]; every duration is a multiple of it."""

START = np.array([0.42, 0.0, 0.22])
"""Where the tool begins [m], give or take 3 cm along each axis."""

_SCATTER = 0.03
_LEASH = 0.04  # how far the commanded tool may be ahead of the real one [m]: what is blocked does not wind up
_ARM = len(ARM_JOINTS)


@final
class TableTopScene:
    """One task's physics and cameras.

    An episode is a function of the generator given to `reset` and of the commands: nothing of an earlier episode
    remains, and every state that can be looked at has been forwarded. Pictures have no shadows, multisampling or
    reflections, which makes software rendering some 20 times faster. Owns an OpenGL context once a picture was taken:
    `close` it, or use it as a context manager.

    Raises:
        ValueError: An image size that is not positive.
    """

    def __init__(self, task: TableTopTask, *, height: int, width: int) -> None:
        """Load the task's model.

        Args:
            task: What is to be done.
            height: Of a picture [px].
            width: Of a picture [px].
        """
        if min(height, width) <= 0:
            raise ValueError(f"height and width must be > 0 px, got {height} and {width}")
        self.task, self.height, self.width = task, height, width
        self.model = mujoco.MjModel.from_xml_path(str(Path(__file__).parent / task.model))
        self.model.opt.timestep = PHYSICS_STEP
        self.data = mujoco.MjData(self.model)
        self.kinematics = ArmKinematics()
        # exactly as large as needed: clearing a larger buffer takes a fifth of a picture's time
        self.model.vis.global_.offheight, self.model.vis.global_.offwidth = height, width
        self._tool, self._width = self.model.site("tool").id, self.model.tendon("width").id
        self._renderer: mujoco.Renderer | None = None

    @property
    def tool_position(self) -> Float64[np.ndarray, "3"]:
        """Where the point between the fingertips is, in the base frame [m]."""
        return self.data.site_xpos[self._tool].copy()

    @property
    def tool_rotation(self) -> Float64[np.ndarray, "3 3"]:
        """Orientation of the tool in the base frame: its axes are the columns, z points out of the hand."""
        return self.data.site_xmat[self._tool].reshape(3, 3).copy()

    @property
    def gripper_width(self) -> float:
        """Distance of the fingers [m]."""
        return float(self.data.ten_length[self._width])

    @property
    def joint_position(self) -> Float64[np.ndarray, "5"]:
        """Angles of `ARM_JOINTS` [rad]."""
        return self.data.qpos[:_ARM].copy()

    @property
    def joint_velocity(self) -> Float64[np.ndarray, "5"]:
        """Velocities of `ARM_JOINTS` [rad/s]."""
        return self.data.qvel[:_ARM].copy()

    @property
    def joint_target(self) -> Float64[np.ndarray, "5"]:
        """Angles that `ARM_JOINTS` are commanded to have [rad]."""
        return self.data.act[:_ARM].copy()

    @property
    def width_target(self) -> float:
        """Distance that the fingers are commanded to have [m]."""
        return float(self.data.ctrl[_ARM])

    @property
    def observation(self) -> Float64[np.ndarray, " number"]:
        """`TOOL_NAMES` and the task's `point_names`."""
        return np.concatenate([self.tool_position, [self.gripper_width], self.task.observe(self.data)])

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Name and unit of each number of `observation`."""
        return (*TOOL_NAMES, *self.task.point_names)

    def reset(self, rng: np.random.Generator) -> None:
        """Draw where things are and where the tool begins, with open fingers and everything at rest."""
        mujoco.mj_resetData(self.model, self.data)
        joints = self.kinematics.joints_at(START + rng.uniform(-_SCATTER, _SCATTER, 3))
        self.data.qpos[:_ARM] = self.data.act[:_ARM] = joints
        self.data.qpos[_ARM : _ARM + 2] = MAX_WIDTH / 2
        self.data.ctrl[_ARM] = MAX_WIDTH
        mujoco.mj_kinematics(self.model, self.data)
        self.task.lay_out(self.model, self.data, rng)
        mujoco.mj_forward(self.model, self.data)

    def move_tool(self, delta: Float[np.ndarray, "3"], *, gripper_width: float, duration: float) -> None:
        """Command the tool to move, and simulate that time.

        Args:
            delta: From where it was last commanded to, but no more than 4 cm from where it is [m].
            gripper_width: Commanded distance of the fingers [m].
            duration: How long the motion takes [s].
        """
        self.move_joints(self.joints_after(delta), gripper_width=gripper_width, duration=duration)

    def joints_after(self, delta: Float[np.ndarray, "3"]) -> Float64[np.ndarray, "5"]:
        """Give the joint targets [rad] of a motion of the tool by `delta` [m], as `move_tool` takes it."""
        here = self.tool_position
        commanded = self.kinematics.tool_position(self.joint_target)
        target = np.clip(commanded + delta, here - _LEASH, here + _LEASH)
        return self.kinematics.joints_at(target, near=self.joint_target)

    def hold(self) -> None:
        """Command the arm to stand where it is."""
        self.data.act[:_ARM] = self.data.qpos[:_ARM]

    def move_joints(self, target: Float[np.ndarray, "5"], *, gripper_width: float, duration: float) -> None:
        """Command the joints along a straight line in joint space, and simulate that time.

        Args:
            target: Angles at the end [rad]; clamped to the joints' limits.
            gripper_width: Commanded distance of the fingers [m]; clamped to [0, `MAX_WIDTH`].
            duration: A multiple of `PHYSICS_STEP` [s].

        Raises:
            ValueError: A duration that is no positive multiple of the physics step, or targets that are not finite.
        """
        target = np.clip(target, *self.kinematics.limits)
        if not (np.isfinite(target).all() and np.isfinite(gripper_width)):
            raise ValueError(f"targets must be finite, got {target.tolist()} rad and a width of {gripper_width} m")
        steps = num_physics_steps(duration)
        self.data.ctrl[:_ARM] = (target - self.data.act[:_ARM]) / duration
        self.data.ctrl[_ARM] = min(MAX_WIDTH, max(0.0, gripper_width))
        mujoco.mj_step(self.model, self.data, nstep=steps)
        self.data.act[:_ARM] = target  # the integral of the velocity, without its rounding
        mujoco.mj_forward(self.model, self.data)

    def frames(self, cameras: Sequence[str] = CAMERAS) -> dict[str, UInt8[np.ndarray, "height width 3"]]:
        """Render the present state: a new RGB picture per camera.

        Raises:
            ValueError: An unknown camera.
        """
        check_cameras(cameras)
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self.model, self.height, self.width)
            self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        pictures = {}
        for camera in cameras:
            self._renderer.update_scene(self.data, camera)
            pictures[camera] = self._renderer.render()
        return pictures

    def close(self) -> None:
        """Free the OpenGL context; the scene takes no more pictures until it is asked for one."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def __enter__(self) -> Self:
        """Return the scene."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the scene."""
        self.close()


def num_physics_steps(duration: float) -> int:
    """Give how many physics steps a duration [s] has, or raise ValueError where it is no positive multiple."""
    steps = round(duration / PHYSICS_STEP) if np.isfinite(duration) else 0
    if steps < 1 or abs(steps * PHYSICS_STEP - duration) > 1e-9:
        raise ValueError(f"a duration must be a positive multiple of {PHYSICS_STEP:g} s, got {duration:g} s")
    return steps


def check_cameras(cameras: Sequence[str]) -> None:
    """Raise ValueError where a camera is unknown."""
    unknown = [name for name in cameras if name not in CAMERAS]
    if unknown:
        raise ValueError(f"unknown table-top camera '{unknown[0]}'; available: {', '.join(CAMERAS)}")
