"""A scene whose episodes begin with the hand anywhere: what a learner's cameras see, an expert rarely shows."""

from collections.abc import Mapping
from typing import final

import numpy as np
from jaxtyping import Float, UInt8

from robo_reward_sim.playing import Observation, PlayedScene, PlayedTask, Policy, Step

LONGEST_WANDERING = 120
"""Steps of the simulation before an episode begins, at most."""
LOW, HIGH = np.array([-0.5, 0.4, 0.05]), np.array([0.5, 1.0, 0.5])
"""Where Meta-World lets the hand go [m]."""
_REACHED = 0.02  # how near that it is there [m]
_AT_HOME = 4  # one in so many episodes begins where the scene has it begin


@final
class WanderedScene:
    """Three in four episodes begin with the hand moved to a random place; what was in its way has moved, too.

    An episode is still a function of the seed and its actions.

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
        place, gripper = random.uniform(LOW, HIGH), random.uniform(-1.0, 1.0)
        for _ in range(LONGEST_WANDERING):
            away = place - observation[:3]
            if np.abs(away).max() < _REACHED:
                break
            action = np.append(away / np.abs(away).max(), gripper)  # straight there, at full speed
            observation = self._scene.step(action).observation
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
