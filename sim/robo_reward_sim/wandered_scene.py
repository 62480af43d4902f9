"""A scene whose episodes begin where random actions have led: what a learner's cameras see, an expert rarely shows."""

from collections.abc import Mapping
from typing import final

import numpy as np
from jaxtyping import Float, UInt8

from robo_reward_sim.playing import Observation, PlayedScene, PlayedTask, Policy, Step

LONGEST_WANDERING = 120
"""Steps of the simulation before an episode begins, at most."""
_HELD = 20  # steps that a random action is held for, at most
_AT_HOME = 4  # one in so many episodes begins where the scene has it begin


@final
class WanderedScene:
    """Three in four episodes begin after random actions; an episode is still a function of the seed and its actions.

    Args:
        scene: What is played; it must allow `LONGEST_WANDERING` steps more than are recorded.
    """

    def __init__(self, scene: PlayedScene) -> None:
        self._scene = scene

    @property
    def task(self) -> PlayedTask:
        """What is played."""
        return self._scene.task

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that `frames` shows."""
        return self._scene.cameras

    @property
    def image_size(self) -> int:
        """Height and width of a picture [px]."""
        return self._scene.image_size

    def reset(self, seed: int) -> Observation:
        """Begin the episode that `seed` stands for, and return its first observation."""
        observation = self._scene.reset(seed)
        if seed % _AT_HOME == 0:
            return observation
        random = np.random.default_rng(seed)
        left = int(random.integers(1, LONGEST_WANDERING + 1))
        while left > 0:
            held = min(left, int(random.integers(1, _HELD + 1)))
            action = random.uniform(-1.0, 1.0, 4)
            for _ in range(held):
                observation = self._scene.step(action).observation
            left -= held
        return observation

    def step(self, action: Float[np.ndarray, "4"]) -> Step:
        """Advance by one step of the simulation."""
        return self._scene.step(action)

    def expert(self) -> Policy:
        """Return a scripted expert of the task."""
        return self._scene.expert()

    def frames(self) -> Mapping[str, UInt8[np.ndarray, "3 height width"]]:
        """Render the present state: a new RGB picture per camera, upright."""
        return self._scene.frames()

    def close(self) -> None:
        """Free what the scene holds."""
        self._scene.close()
