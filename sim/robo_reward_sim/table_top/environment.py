"""The table-top tasks as `gymnasium.Env`."""

from collections.abc import Sequence
from typing import Any, Literal, final

import gymnasium
import numpy as np
from jaxtyping import Float, UInt8

from robo_reward_sim.table_top.kinematics import MAX_WIDTH
from robo_reward_sim.table_top.relative_observation import relative_names, relative_observation
from robo_reward_sim.table_top.scene import CAMERAS, TableTopScene, check_cameras, num_physics_steps
from robo_reward_sim.table_top.task import TOOL_SPEED
from robo_reward_sim.table_top.tasks import table_top_task

STEP_DURATION = 0.1
"""Default time between two actions [s]."""


@final
class TableTopEnvironment(gymnasium.Env[np.ndarray, np.ndarray]):
    """A table-top task, observed by its state in metres, moved by the tool.

    Observation: `observation_names`, float32: tool position (3), gripper width (1), and the task's points, or the ways
    from one to the next in decimetres (`relative`, with or without `place`). Action:
    displacement of the tool (3), 1 being 0.15 m/s · `step_duration`, and the gripper (1), from -1 open to 1 shut. The
    reward is `task_reward` or `dense_reward`, which are in `info` both:

    * `success` (bool): the task is done in this state.
    * `progress`: ground truth in [0, 1], 0 at the start, 1 if and only if the task is done; equation at each task.
    * `task_reward`: 1 in every state of success, else 0.
    * `dense_reward`: (progress + task_reward) / 2, of every state: what a learner may loiter for.
    * `score`: largest progress of the episode so far.
    * `state`: what the arm feels, `tool_position` (3) and `gripper_width` (1) [m], for reward models that ask for it.

    An episode is truncated after `horizon` steps, and terminated only where `terminate_on_success` asks for it. The
    same seed and actions give the same observations, bit for bit.

    Raises:
        ValueError: An unknown task, reward, camera or render mode, a horizon < 1, a step that is no multiple of 5 ms,
            or a picture without pixels.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (as gymnasium has it)

    def __init__(
        self,
        task: str,
        *,
        step_duration: float = STEP_DURATION,
        horizon: int | None = None,
        terminate_on_success: bool = False,
        reward: Literal["sparse", "dense"] = "sparse",
        relative: bool = False,
        place: bool = False,
        render_mode: str | None = None,
        render_camera: str = "front",
        height: int = 112,
        width: int = 112,
    ) -> None:
        """Load the scene.

        Args:
            task: `reach`, `push`, `pick` or `open`.
            step_duration: Time between two actions [s].
            horizon: Steps after which an episode is truncated; None = the time that the task gives, 5, 8 or 10 s.
            terminate_on_success: An episode ends in the first state of success.
            reward: Which reward `step` returns.
            relative: Observe ways between tool and things [dm] instead of positions [m]; see `relative_observation`.
            place: With `relative`: where the tool is, is observed beside them.
            render_mode: `rgb_array`, or None: `render` is not used.
            render_camera: Camera of `render`; `frames` takes any.
            height: Of a picture [px].
            width: Of a picture [px].
        """
        if reward not in ("sparse", "dense"):
            raise ValueError(f"reward must be sparse or dense, got '{reward}'")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be rgb_array or None, got '{render_mode}'")
        check_cameras((render_camera,))
        self.scene = TableTopScene(table_top_task(task), height=height, width=width)
        num_physics_steps(step_duration)
        self.step_duration = step_duration
        self.horizon = round(self.scene.task.horizon * STEP_DURATION / step_duration) if horizon is None else horizon
        if self.horizon < 1:
            raise ValueError(f"horizon must be >= 1 step, got {self.horizon}")
        self.terminate_on_success, self.reward = terminate_on_success, reward
        self._relative, self._place = relative, place
        self.render_mode, self.render_camera = render_mode, render_camera
        self.metadata = {**self.metadata, "render_fps": 1.0 / step_duration}
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(self.observation_names),), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._num_steps, self._score = 0, 0.0

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Name and unit of each number of an observation."""
        names = self.scene.observation_names
        return relative_names(names, place=self._place) if self._relative else names

    @property
    def instruction(self) -> str:
        """What is asked, in words."""
        return self.scene.task.instruction

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode: the one that `seed` stands for, or the next one."""
        super().reset(seed=seed, options=options)
        self.scene.reset(self.np_random)
        self._start = self.scene.observation
        self._num_steps, self._score = 0, 0.0
        return self._observed(self._start), self._info(self._start)

    def step(self, action: Float[np.ndarray, "4"]) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for `step_duration`; what lies outside [-1, 1] is clamped."""
        action = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        self.scene.move_tool(
            action[:3] * TOOL_SPEED * self.step_duration,
            gripper_width=MAX_WIDTH * (1.0 - action[3]) / 2,
            duration=self.step_duration,
        )
        self._num_steps += 1
        observation = self.scene.observation
        info = self._info(observation)
        reward = info["task_reward" if self.reward == "sparse" else "dense_reward"]
        terminated = self.terminate_on_success and info["success"]
        truncated = not terminated and self._num_steps >= self.horizon
        return self._observed(observation), reward, terminated, truncated, info

    def render(self) -> UInt8[np.ndarray, "height width 3"] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Give the picture of `render_camera`, where the render mode asks for pictures."""
        if self.render_mode is None:
            return None
        return self.scene.frames((self.render_camera,))[self.render_camera]

    def frames(self, cameras: Sequence[str] = CAMERAS) -> dict[str, UInt8[np.ndarray, "height width 3"]]:
        """Render the present state: a new RGB picture per camera.

        Raises:
            ValueError: An unknown camera.
        """
        return self.scene.frames(cameras)

    def close(self) -> None:
        """Free the OpenGL context."""
        self.scene.close()

    def _observed(self, observation: np.ndarray) -> np.ndarray:
        seen = relative_observation(observation, place=self._place) if self._relative else observation
        return seen.astype(np.float32)

    def _info(self, observation: np.ndarray) -> dict[str, Any]:
        task = self.scene.task
        success, progress = task.success(observation), task.progress(observation, self._start)
        self._score = max(self._score, progress)
        task_reward = float(success)
        return {
            "success": success,
            "progress": progress,
            "task_reward": task_reward,
            "dense_reward": (progress + task_reward) / 2,
            "score": self._score,
            "state": {"tool_position": observation[:3].copy(), "gripper_width": observation[3:4].copy()},
        }
