"""Environments whose pictures say which environment, episode and step they are of, and models that read them."""

from functools import partial

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from robo_reward import Clip, Estimate

LENGTHS = (3, 5, 4)
"""Steps of an environment's episodes, in turn; every second episode is truncated, the others terminate."""


class StampedWorld(gymnasium.Env):
    """A picture is (environment, green, step): green is a progress drawn from environment, episode and step."""

    metadata = {"render_modes": []}  # noqa: RUF012
    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, number: int, *, lost: frozenset = frozenset()) -> None:
        self.number, self.episode, self._time, self._lost = number, -1, 0, lost

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self._time = (0 if seed is not None else self.episode + 1), 0
        return self._observation(), self._info()

    def step(self, action):
        self._time += 1
        ended = self._time >= LENGTHS[(self.number + self.episode) % len(LENGTHS)]
        truncates = self.episode % 2 == 1
        reward = 10.0 * self.number + self.episode
        return self._observation(), reward, ended and not truncates, ended and truncates, self._info()

    def _observation(self):
        return np.array([self.number, self.episode, self._time], np.float32)

    def _info(self):
        info = {"stamp": 0.1 * self._time, "success": self._time >= 3, "progress": green_of(self) / 255}
        if (self.number, self.episode, self._time) in self._lost:
            return info
        return info | {"frames": {"front": picture(self.number, green_of(self), self._time)}}


def green_of(world: StampedWorld) -> int:
    return green(world.number, world.episode, world._time)


def green(number: int, episode: int, time: int) -> int:
    return int(np.random.default_rng([number, episode, time]).integers(1, 255))


def picture(number: int, green: int, time: int) -> np.ndarray:
    colours = np.array([number, green, time], np.uint8)
    return np.broadcast_to(colours[:, None, None], (3, 4, 4)).copy()


def worlds(count: int = 3, *, mode: AutoresetMode = AutoresetMode.SAME_STEP, **changes) -> SyncVectorEnv:
    return SyncVectorEnv([partial(StampedWorld, number, **changes) for number in range(count)], autoreset_mode=mode)


class Greenness:
    """Progress is the green share of the newest frame, or its mean over the last `context`."""

    def __init__(self, context: int = 1, *, scale: float = 1.0) -> None:
        self.context, self._scale, self.version = context, scale, f"greenness-{context}-{scale}"
        self.batches: list[int] = []

    def estimate(self, clip: Clip) -> Estimate:
        self.batches.append(clip.stamp.shape[0])
        green = clip.views["front"][:, :, 1].float().mean(dim=(-1, -2)) / 255 * self._scale
        width = self.context
        padded = torch.cat([green[:, :1].expand(-1, width - 1), green], dim=1).unfold(1, width, 1).mean(dim=-1)
        progress = torch.where(clip.present.any(dim=-1), padded, torch.nan)
        return Estimate(progress=progress, spread=progress * 0)
