"""Camera pictures in an environment's `info`, before any auto-reset can replace the last one of an episode."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from jaxtyping import UInt8

from robo_reward.rl.environment_info import FRAMES, STAMP


class CameraInfo(gymnasium.Wrapper):
    """Puts a picture per camera, and its stamp, into `info` at every reset and step.

    Pictures come from the environment's own `frames(cameras)`, which gives one by name; of an environment without, the
    one picture of `render()` in render mode `rgb_array` is camera `render`.

    Args:
        env: One environment.
        cameras: Names that `frames` knows; ("render",) for `render()`.
        prefix: Put before each name: what recordings, and reward models fitted to them, call the cameras.
        step_duration: Simulated or real time of a step [s]; None = what the environment says, by `step_duration` or
            by the frame rate of its metadata.

    Raises:
        ValueError: No camera, an environment without pictures, one that does not say how long a step takes, or a
            duration that is not positive.
    """

    def __init__(
        self, env: gymnasium.Env, *, cameras: Sequence[str], prefix: str = "", step_duration: float | None = None
    ) -> None:
        super().__init__(env)
        self._prefix = prefix
        self._cameras = tuple(cameras)
        self._own = getattr(env.unwrapped, "frames", None)
        if not self._cameras or len(set(self._cameras)) != len(self._cameras):
            raise ValueError(f"cameras must be named, and none twice; got {list(cameras)}")
        if self._own is None and (env.render_mode != "rgb_array" or self._cameras != ("render",)):
            raise ValueError(
                f"{env.unwrapped} has no frames(cameras): make it with render_mode='rgb_array' and name one camera, "
                f"'render'; got render_mode {env.render_mode!r} and cameras {list(cameras)}"
            )
        self._step_duration = _duration(env) if step_duration is None else step_duration
        if not self._step_duration > 0:
            raise ValueError(f"step_duration must be > 0 s, got {self._step_duration}")
        self._stamp = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, its clock at 0 s unless the environment has its own."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._stamp = 0.0
        return observation, self._seen(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act, and look at what it led to."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._stamp += self._step_duration
        return observation, reward, terminated, truncated, self._seen(info)

    def _seen(self, info: dict[str, Any]) -> dict[str, Any]:
        return {STAMP: self._stamp, **info, FRAMES: self._pictures()}

    def _pictures(self) -> dict[str, UInt8[np.ndarray, "3 _height _width"]]:
        pictures = {"render": self.env.render()} if self._own is None else self._own(self._cameras)
        return {self._prefix + name: _channels_first(np.asarray(picture)) for name, picture in pictures.items()}


def _channels_first(picture: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "3 _height _width"]:
    if picture.ndim == 3 and picture.shape[0] != 3 and picture.shape[2] == 3:
        return np.ascontiguousarray(picture.transpose(2, 0, 1))
    return picture


def _duration(env: gymnasium.Env) -> float:
    told = getattr(env.unwrapped, "step_duration", None)
    rate = env.metadata.get("render_fps")
    if told is None and not rate:
        raise ValueError(f"{env.unwrapped} does not say how long a step takes: give step_duration [s]")
    return float(told) if told is not None else 1.0 / float(rate)  # pyright: ignore[reportArgumentType]
