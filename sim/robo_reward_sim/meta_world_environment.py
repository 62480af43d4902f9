"""Meta-World's tasks as `gymnasium.Env` with cameras, for learners."""

from collections.abc import Sequence
from typing import Any, final

import gymnasium
import numpy as np
from jaxtyping import Float, UInt8

from robo_reward_sim.meta_world import CONTROL_RATE, MAX_STEPS, MetaWorldScene
from robo_reward_sim.tasks import task_named

_FULL_REWARD = 10.0  # Meta-World's dense reward of a state of success


@final
class MetaWorldEnvironment(gymnasium.Env[np.ndarray, np.ndarray]):
    """A task of Meta-World, observed by its state, each action held for some simulator steps.

    Observation: Meta-World's own 39 numbers, float32. Action: hand velocity (3) and gripper effort (1), in [-1, 1]. The
    reward is 1 in a state of success, else 0; `info` has `success` and `dense_reward`, Meta-World's own over 10. An
    episode terminates in the first state of success, and is truncated after `horizon` steps. The layout is drawn anew
    at each reset; the same seed and actions give the same observations, bit for bit.

    Raises:
        ValueError: An unknown task or camera, a number outside its range.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as gymnasium has it)

    def __init__(
        self,
        task: str,
        *,
        action_repeat: int = 5,
        horizon: int | None = None,
        terminate_on_success: bool = True,
        cameras: Sequence[str] = ("left",),
        image_size: int = 128,
    ) -> None:
        """Load the task; pictures cost nothing until they are asked for.

        Args:
            task: Name of a Meta-World task, without the version.
            action_repeat: Simulator steps (of 1/80 s) that an action is held for, in [1, 20].
            horizon: Steps after which an episode is truncated; None = as many as Meta-World allows.
            terminate_on_success: An episode ends in the first state of success.
            cameras: Names out of `robo_reward_sim.cameras.CAMERAS` that `frames` may be asked for.
            image_size: Height and width of a picture [px].
        """
        if not 1 <= action_repeat <= 20:
            raise ValueError(f"action_repeat must be in [1, 20] simulator steps, got {action_repeat}")
        most = MAX_STEPS // action_repeat
        self.horizon = most if horizon is None else horizon
        if not 1 <= self.horizon <= most:
            raise ValueError(f"horizon must be in [1, {most}] steps with action_repeat {action_repeat}, got {horizon}")
        self.scene = MetaWorldScene(task_named(task), cameras=tuple(cameras), image_size=image_size)
        self.step_duration = action_repeat / CONTROL_RATE
        """Time that an action is held for [s]."""
        self.terminate_on_success = terminate_on_success
        self._action_repeat, self._num_steps = action_repeat, 0
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (39,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)

    @property
    def instruction(self) -> str:
        """What is asked, in words."""
        return self.scene.task.instruction

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode: the one that `seed` stands for, or the next one."""
        super().reset(seed=seed, options=options)
        self._num_steps = 0
        observation = self.scene.reset(int(self.np_random.integers(2**31)))
        return observation.astype(np.float32), {"success": False, "dense_reward": 0.0}

    def step(self, action: Float[np.ndarray, "4"]) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold an action, until success at most; what lies outside [-1, 1] is clamped."""
        held = np.clip(np.asarray(action, np.float32), -1.0, 1.0)
        step = self.scene.step(held)
        for _ in range(self._action_repeat - 1):
            if step.success and self.terminate_on_success:
                break
            step = self.scene.step(held)
        self._num_steps += 1
        terminated = step.success and self.terminate_on_success
        truncated = not terminated and self._num_steps >= self.horizon
        info = {"success": step.success, "dense_reward": step.reward / _FULL_REWARD}
        return step.observation.astype(np.float32), float(step.success), terminated, truncated, info

    def frames(self, cameras: Sequence[str]) -> dict[str, UInt8[np.ndarray, "3 height width"]]:
        """Render the present state: a new RGB picture per camera.

        Raises:
            ValueError: A camera that the environment was not made with.
        """
        unknown = sorted(set(cameras) - set(self.scene.cameras))
        if unknown:
            raise ValueError(f"cameras {unknown} were not named when it was made: {list(self.scene.cameras)}")
        pictures = self.scene.frames()
        return {name: pictures[name] for name in cameras}

    def close(self) -> None:
        """Free the OpenGL context."""
        self.scene.close()
