"""A simulated arm as a robot's driver sees it: trajectories in, what sensors tell out. No ROS."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8

from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import RigCamera
from robo_reward_sim.rig import rig_of_model
from robo_reward_sim.table_top.environment import STEP_DURATION
from robo_reward_sim.table_top.experts import Policy
from robo_reward_sim.table_top.kinematics import ARM_JOINTS, GRIPPER_JOINT, MAX_WIDTH
from robo_reward_sim.table_top.scene import PHYSICS_STEP, TableTopScene, check_cameras, num_physics_steps
from robo_reward_sim.table_top.task import TOOL_SPEED
from robo_reward_sim.table_top.tasks import table_top_task

JOINTS = (*ARM_JOINTS, GRIPPER_JOINT)
"""Names of the joints, as they are published and commanded: angles [rad], and the left finger's displacement [m]."""

FIRST_STAMP = 1.0
"""Simulated time at the start [s]: ROS takes 0 for "not known"."""

_SETTLE = 1.0  # how long success is shown before the next start [s]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSettings:
    """How an arm is simulated.

    Raises:
        ValueError: An unknown task or camera, a camera twice, a picture without pixels, a step that is no multiple of
            the physics step, or lockstep together with a policy of its own.
    """

    task: str
    seed: int
    """Of the first start; the k-th one after it is that of seed + k, the same as of `TableTopEnvironment`."""
    cameras: tuple[str, ...]
    height: int
    width: int
    period: float
    """Time between two sets [s]."""
    step_duration: float
    """Time that an action of a policy takes [s]."""
    lockstep: bool = False
    driven: bool = False
    """A policy drives, not trajectories."""
    auto_reset: bool = False

    def __post_init__(self) -> None:
        table_top_task(self.task)
        check_cameras(self.cameras)
        if len(set(self.cameras)) != len(self.cameras):
            raise ValueError(f"cameras must not repeat, got {list(self.cameras)}")
        for duration in (self.period, self.step_duration):
            num_physics_steps(duration)
        if self.driven and self.lockstep:
            raise ValueError("lockstep waits for trajectories: it goes without a policy in the same node")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Waypoint:
    """A point of a trajectory."""

    joints: Float64[np.ndarray, "5"]
    """Angles of the arm [rad]."""
    width: float
    """Distance of the fingers [m]."""
    duration: float
    """Time from the point before it [s], a multiple of the physics step."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ArmSnapshot:
    """Everything that is published of one moment."""

    time: float
    """Simulated time since the node began, plus `FIRST_STAMP` [s]; it increases over resets, too."""
    position: Float64[np.ndarray, "6"]
    """Of `JOINTS`."""
    velocity: Float64[np.ndarray, "6"]
    T_base_tool: Pose
    goal: Float64[np.ndarray, "3"]
    """The point that the task is about [m]."""
    width: float
    """Distance of the fingers [m]."""
    observation: Float64[np.ndarray, " number"]
    success: bool
    progress: float
    cameras: Mapping[str, RigCamera]
    pictures: Mapping[str, UInt8[np.ndarray, "height width 3"]]


@final
class SimulatedArm:
    """An arm on a table whose time goes on as it is told to; one thread at a time.

    Args:
        settings: Task, cameras and times.
        policy: Drives the arm where the settings say that one does.
    """

    def __init__(self, settings: ArmSettings, *, policy: Policy | None = None) -> None:
        if settings.driven != (policy is not None):
            raise ValueError(f"driven is {settings.driven}, and the policy is {policy}")
        self.settings, self._policy = settings, policy
        self.scene = TableTopScene(table_top_task(settings.task), height=settings.height, width=settings.width)
        self._seed, self._steps_before, self._stopped = settings.seed, 0, False
        self._begin()

    @property
    def time(self) -> float:
        """Simulated time [s], as in `ArmSnapshot`."""
        return FIRST_STAMP + (self._steps_before + self._steps) * PHYSICS_STEP

    @property
    def seed(self) -> int:
        """Of the present start."""
        return self._seed

    @property
    def stopped(self) -> bool:
        """The arm stands in a protective stop."""
        return self._stopped

    def reset(self, *, seed: int | None = None) -> None:
        """Go to the next seeded start, one set's period later; what was commanded is forgotten.

        Args:
            seed: Begin to count from here again.
        """
        self._seed = self._seed + 1 if seed is None else seed
        self._steps_before += self._steps + num_physics_steps(self.settings.period)
        self._begin()

    def stop(self, *, stopped: bool) -> None:
        """Stand still at once and take no command, or be ready again."""
        self._stopped, self._way = stopped, []
        self.scene.hold()

    def command(self, names: Sequence[str], points: Sequence[tuple[Sequence[float], float]]) -> float:
        """Take a trajectory; it replaces what is left of the one before.

        Args:
            names: Which of `JOINTS` it moves; the others keep the target that they have.
            points: Positions in the order of `names`, and time from the start of the trajectory [s].

        Returns:
            How long it takes [s].

        Raises:
            ValueError: The arm is stopped or driven by a policy, or the trajectory cannot be executed.
        """
        if self.settings.driven:
            raise ValueError("a policy drives this arm: start the node with an empty 'policy' to command it")
        if self._stopped:
            raise ValueError("the arm is in a protective stop")
        self._way = self._waypoints(tuple(names), points)
        return sum(each.duration for each in self._way)

    def advance(self, duration: float) -> None:
        """Let time pass: along the trajectory, or as the policy says, or standing still, or to the next start.

        Args:
            duration: A multiple of the physics step [s].
        """
        if self.settings.auto_reset and self._over():
            self.reset()
            return
        left = num_physics_steps(duration)
        while left > 0:
            if self._policy is not None and not self._way and not self._stopped:
                self._way = [self._decided(self._policy)]
            left -= self._follow(left)

    def finish(self) -> None:
        """Execute what is left of the trajectory, at once: a step in lockstep."""
        while self._way:
            self._follow(num_physics_steps(self._way[0].duration))

    def snapshot(self) -> ArmSnapshot:
        """Take pictures and read every sensor."""
        scene, settings = self.scene, self.settings
        observation, finger = scene.observation, scene.data.joint(GRIPPER_JOINT)
        rig = rig_of_model(
            scene.model, scene.data, cameras=settings.cameras, width=settings.width, height=settings.height
        )
        return ArmSnapshot(
            time=self.time,
            position=np.append(scene.joint_position, finger.qpos),
            velocity=np.append(scene.joint_velocity, finger.qvel),
            T_base_tool=Pose(rotation=scene.tool_rotation, translation=scene.tool_position),
            goal=scene.task.goal(observation),
            width=scene.gripper_width,
            observation=observation,
            success=scene.task.success(observation),
            progress=scene.task.progress(observation, self._start),
            cameras=rig.cameras,
            pictures=scene.frames(settings.cameras),
        )

    def close(self) -> None:
        """Free the OpenGL context."""
        self.scene.close()

    @property
    def _steps(self) -> int:
        """Physics steps since the start of the episode: sums of their times would drift."""
        return round(float(self.scene.data.time) / PHYSICS_STEP)

    def _begin(self) -> None:
        self.scene.reset(np.random.default_rng(self._seed))
        self._start: Float64[np.ndarray, " number"] = self.scene.observation
        self._way: list[Waypoint] = []
        self._ends_at = math.inf

    def _waypoints(self, names: tuple[str, ...], points: Sequence[tuple[Sequence[float], float]]) -> list[Waypoint]:
        _check_trajectory(names, points)
        targets = dict(zip(JOINTS, (*self.scene.joint_target, self.scene.width_target / 2), strict=True))
        way, steps_before = [], 0
        for positions, time_from_start in points:
            targets |= zip(names, map(float, positions), strict=True)
            steps = max(steps_before + 1, round(time_from_start / PHYSICS_STEP))
            way.append(
                Waypoint(
                    joints=np.array([targets[name] for name in ARM_JOINTS]),
                    width=min(MAX_WIDTH, max(0.0, 2 * targets[GRIPPER_JOINT])),
                    duration=(steps - steps_before) * PHYSICS_STEP,
                )
            )
            steps_before = steps
        return way

    def _follow(self, steps: int) -> int:
        """Go on for at most so many physics steps, to the end of the present waypoint; gives how many they were."""
        scene = self.scene
        if not self._way:
            scene.move_joints(scene.joint_target, gripper_width=scene.width_target, duration=steps * PHYSICS_STEP)
            return steps
        point = self._way.pop(0)
        whole = num_physics_steps(point.duration)
        done = min(whole, steps)
        part = scene.joint_target + (point.joints - scene.joint_target) * (done / whole)
        scene.move_joints(
            part if done < whole else point.joints, gripper_width=point.width, duration=done * PHYSICS_STEP
        )
        if done < whole:
            self._way.insert(0, replace(point, duration=(whole - done) * PHYSICS_STEP))
        return done

    def _decided(self, policy: Policy) -> Waypoint:
        action = np.clip(np.asarray(policy(self.scene.observation), np.float64), -1.0, 1.0)
        duration = self.settings.step_duration
        return Waypoint(
            joints=self.scene.joints_after(action[:3] * TOOL_SPEED * duration),
            width=float(MAX_WIDTH * (1.0 - action[3]) / 2),
            duration=duration,
        )

    def _over(self) -> bool:
        """Say whether a policy's episode has been over for long enough."""
        now = self._steps * PHYSICS_STEP
        if self.scene.task.success(self.scene.observation):
            self._ends_at = min(self._ends_at, now + _SETTLE)
        return now >= min(self._ends_at, self.scene.task.horizon * STEP_DURATION)


def _check_trajectory(names: tuple[str, ...], points: Sequence[tuple[Sequence[float], float]]) -> None:
    unknown = sorted(set(names) - set(JOINTS))
    if unknown or not names or len(set(names)) != len(names):
        raise ValueError(f"joint_names must be of {', '.join(JOINTS)}, none twice; got {list(names)}")
    if not points:
        raise ValueError("a trajectory needs at least one point")
    before = 0.0
    for positions, time_from_start in points:
        if len(positions) != len(names) or not np.isfinite(positions).all():
            raise ValueError(f"every point needs {len(names)} finite positions, got {list(positions)}")
        if not before < time_from_start < math.inf:
            raise ValueError(
                f"time_from_start must increase and be > 0 s, got {time_from_start:g} s after {before:g} s"
            )
        before = time_from_start
