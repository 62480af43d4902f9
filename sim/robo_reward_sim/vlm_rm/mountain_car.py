"""The continuous mountain car on a mountain that looks like one, with a goal that is not left any more."""

from collections.abc import Sequence
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from jaxtyping import UInt8

from robo_reward_sim.vlm_rm.drawing import mountain_car_picture
from robo_reward_sim.vlm_rm.prompts import PROMPTS
from robo_reward_sim.vlm_rm.time_limit import CAMERA, check_camera, check_settings


@final
class TexturedMountainCar(Continuous_MountainCarEnv):
    """Gymnasium's continuous mountain car with VLM-RM's changes.

    Nothing terminates: the goal is absorbing (the car stands there at position 0.45 whatever it does), and the episode
    is truncated after `episode_length` steps. The reward is 1 at the goal, else 0; `info` has it as `task_reward`
    beside `success` and `progress`, the position from the left end to the goal.

    Raises:
        ValueError: An episode without a step, an unknown render mode.

    Source:
        VLM-RM (2310.12921) and its code, which lets the car roll back from the goal; the paper makes it absorbing.
    """

    def __init__(
        self, *, episode_length: int = 200, textured: bool = True, render_mode: str | None = "rgb_array"
    ) -> None:
        """Make the environment.

        Args:
            episode_length: Steps of an episode.
            textured: False: Gymnasium's own line drawing, by pygame, with which the paper's method fails.
            render_mode: `rgb_array`, or None: `render` is not used.
        """
        check_settings(episode_length=episode_length, render_mode=render_mode)
        super().__init__(render_mode="rgb_array")
        self.render_mode = render_mode
        self.step_duration, self.instruction = 1 / self.metadata["render_fps"], PROMPTS["mountaincar"].goal
        self._episode_length, self._textured, self._num_steps = episode_length, textured, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode at rest near the bottom of the valley."""
        self._num_steps = 0
        observation, _ = super().reset(seed=seed, options=options)
        return observation, self._info()

    def step(  # pyright: ignore[reportIncompatibleMethodOverride]  # Gymnasium promises that nothing is truncated
        self, action: np.ndarray
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Accelerate by an action in [-1, 1]; what lies outside is clamped."""
        if not self._arrived:
            super().step(action)
        if self._arrived:
            self.state = np.array([self.goal_position, 0.0], np.float32)
        self._num_steps += 1
        info = self._info()
        truncated = self._num_steps >= self._episode_length
        return np.array(self.state, np.float32), info["task_reward"], False, truncated, info

    def frames(self, cameras: Sequence[str] = (CAMERA,)) -> dict[str, UInt8[np.ndarray, "400 600 3"]]:
        """Draw the present state: a new RGB picture per camera.

        Raises:
            ValueError: An unknown camera.
        """
        check_camera(cameras)
        position = float(self._known_state[0])
        return {CAMERA: mountain_car_picture(position) if self._textured else self._line_drawing()}

    def render(self) -> UInt8[np.ndarray, "400 600 3"] | None:
        """Give the picture where the render mode asks for one."""
        return None if self.render_mode is None else self.frames()[CAMERA]

    def _line_drawing(self) -> UInt8[np.ndarray, "400 600 3"]:
        mode, self.render_mode = self.render_mode, "rgb_array"
        picture = super().render()
        self.render_mode = mode
        return np.asarray(picture)

    @property
    def _known_state(self) -> np.ndarray:
        state = getattr(self, "state", None)
        if state is None:
            raise gymnasium.error.ResetNeeded("call reset before step, frames or render")
        return state

    @property
    def _arrived(self) -> bool:
        # of what the learner is told, in single precision: 0.45 is below it
        return bool(np.float32(self._known_state[0]) >= np.float32(self.goal_position))

    def _info(self) -> dict[str, Any]:
        travelled = (float(self._known_state[0]) - self.min_position) / (self.goal_position - self.min_position)
        progress = 1.0 if self._arrived else min(travelled, np.nextafter(1.0, 0.0))
        return {"success": self._arrived, "task_reward": float(self._arrived), "progress": max(0.0, float(progress))}
