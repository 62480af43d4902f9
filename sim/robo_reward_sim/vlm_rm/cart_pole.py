"""CartPole without an end: the pole may fall and be swung up again."""

from collections.abc import Sequence
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from jaxtyping import UInt8

from robo_reward_sim.vlm_rm.drawing import cart_pole_picture
from robo_reward_sim.vlm_rm.prompts import PROMPTS
from robo_reward_sim.vlm_rm.time_limit import CAMERA, check_camera, check_settings


@final
class UprightCartPole(CartPoleEnv):
    """Gymnasium's CartPole with VLM-RM's changes.

    Nothing terminates: the angle is wrapped to [-π, π), the cart stops at the edges of the picture, and the episode is
    truncated after `episode_length` steps. The reward is 1 in every state in which Gymnasium's episode would go on;
    `info` has it as `task_reward`, `progress` = (1 + cos angle) / 2, and `success` once it was 1 in half of the steps
    of a whole episode, which is what the paper counts as a success.

    Raises:
        ValueError: An episode without a step, an unknown render mode.

    Source:
        VLM-RM (2310.12921) and its code.
    """

    def __init__(self, *, episode_length: int = 200, render_mode: str | None = "rgb_array") -> None:
        check_settings(episode_length=episode_length, render_mode=render_mode)
        super().__init__(render_mode=render_mode)
        highest = np.finfo(np.float32).max
        high = np.array([2 * self.x_threshold, highest, np.pi, highest], np.float32)
        self.observation_space = gymnasium.spaces.Box(-high, high, dtype=np.float32)
        self.step_duration, self.instruction = self.tau, PROMPTS["cartpole"].goal
        self._episode_length, self._num_steps, self._num_upright = episode_length, 0, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode with the pole nearly upright."""
        self._num_steps = self._num_upright = 0
        observation, _ = super().reset(seed=seed, options=options)
        return observation, self._info(upright=True)

    def step(  # pyright: ignore[reportIncompatibleMethodOverride]  # Gymnasium promises that nothing is truncated
        self, action: Any
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Push the cart to the left (0) or to the right (1)."""
        self.steps_beyond_terminated = None  # Gymnasium warns of steps after an end that is none here
        _, _, fallen, _, _ = super().step(action)
        position, speed, angle, turning = self._known_state
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        position = np.clip(position, -self.x_threshold, self.x_threshold)
        self.state = np.array([position, speed, angle, turning])
        self._num_steps += 1
        self._num_upright += not fallen
        info = self._info(upright=not fallen)
        truncated = self._num_steps >= self._episode_length
        return self.state.astype(np.float32), info["task_reward"], False, truncated, info

    def frames(self, cameras: Sequence[str] = (CAMERA,)) -> dict[str, UInt8[np.ndarray, "400 600 3"]]:
        """Draw the present state: a new RGB picture per camera.

        Raises:
            ValueError: An unknown camera.
        """
        check_camera(cameras)
        position, _, angle, _ = self._known_state.tolist()
        return {CAMERA: cart_pole_picture(position, angle, threshold=self.x_threshold)}

    def render(self) -> UInt8[np.ndarray, "400 600 3"] | None:
        """Give the picture where the render mode asks for one."""
        return None if self.render_mode is None else self.frames()[CAMERA]

    @property
    def _known_state(self) -> np.ndarray:
        if self.state is None:
            raise gymnasium.error.ResetNeeded("call reset before step, frames or render")
        return np.asarray(self.state)

    def _info(self, *, upright: bool) -> dict[str, Any]:
        progress = (1 + float(np.cos(self._known_state[2]))) / 2
        success = 2 * self._num_upright >= self._episode_length
        return {"success": success, "task_reward": float(upright), "progress": progress}
