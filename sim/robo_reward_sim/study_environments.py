"""Environments of the study of shaping: Meta-World with true progress, and a reach whose shaping breaks the law."""

from typing import Any, final

import gymnasium
import numpy as np
from jaxtyping import Float64

from robo_reward_sim.meta_world_environment import MetaWorldEnvironment
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.reach import REACHED
from robo_reward_sim.table_top.task import remaining, staged

_PER_METRE = 10.0
_WEIGHT = 0.3
_HAND, _OBJECT, _GOAL = slice(0, 3), slice(4, 7), slice(36, 39)  # in Meta-World's observations [m]


def meta_world_with_progress(task: str, **arguments: Any) -> gymnasium.Env:
    """Make a Meta-World environment that tells its progress; see `StagedProgress` and `MetaWorldEnvironment`."""
    return StagedProgress(MetaWorldEnvironment(task, **arguments))


def reach_with_own_shaping(
    task: str,
    *,
    discount: float,
    keep_terminal: bool = False,
    scale: float = 1.0,
    success_reward: float = 1.0,
    decoy: bool = False,
    **arguments: Any,
) -> gymnasium.Env:
    """Make a reach that shapes its reward by its true progress; see `OwnShaping`, `Decoy` and `TableTopEnvironment`.

    Raises:
        ValueError: Another task.
    """
    if task != "reach":
        raise ValueError(f"traps are set in reach alone, got '{task}'")
    env: gymnasium.Env = TableTopEnvironment(task, **arguments)
    return OwnShaping(
        Decoy(env) if decoy else env,
        discount=discount,
        keep_terminal=keep_terminal,
        scale=scale,
        success_reward=success_reward,
    )


@final
class StagedProgress(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Tells the truth about progress in Meta-World, as the table-top tasks do: the object's motion after the approach.

        progress = motion + 0.3 (1 − motion) approach, and 1 in success

    with motion and approach 1 − d / d₀, clamped to [0, 1], of the distances d from object to goal and from hand to
    object, as Meta-World observes them, and d₀ at the episode's beginning. Its own dense reward is a product of both:
    near 0 until late, and falling on the expert's way.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self._start = np.zeros(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._start = _distances(observation)
        return observation, {**info, "progress": 0.0}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        left = [
            remaining(float(now), touching=0.0, start=float(start))
            for now, start in zip(_distances(observation), self._start, strict=True)
        ]
        progress = 1.0 if info["success"] else staged(1.0 - left[1], 1.0 - left[0], weight=_WEIGHT)
        return observation, reward, terminated, truncated, {**info, "progress": progress}


@final
class OwnShaping(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Shapes the reward with a discount of its own, and perhaps keeps the potential of terminal states.

        r = success_reward · success + γ' Φ(s') − Φ(s),   Φ = scale · progress

    and Φ(s') = 0 where s' is terminal, unless it is kept.

    With the learner's γ and without keeping it is the law; it is here to be broken.

    Args:
        env: Whose `info` tells `success` and `progress`.
        discount: γ' of the shaping.
        keep_terminal: Φ of terminal states stays in the reward.
        scale: Of the potential.
        success_reward: Of a transition into success.
    """

    def __init__(
        self, env: gymnasium.Env, *, discount: float, keep_terminal: bool, scale: float, success_reward: float
    ) -> None:
        super().__init__(env)
        self._discount, self._keep, self._scale = discount, keep_terminal, scale
        self._success_reward = success_reward
        self._potential = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._potential = self._scale * float(info["progress"])
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act; the reward is the shaped one, and `info` tells its parts."""
        observation, _, terminated, truncated, info = self.env.step(action)
        arrived = self._scale * float(info["progress"])
        shaping = self._discount * (0.0 if terminated and not self._keep else arrived) - self._potential
        self._potential = arrived
        task = self._success_reward * float(info["success"])
        parts = {"task_reward": task, "shaping_reward": shaping}
        return observation, task + shaping, terminated, truncated, {**info, **parts}


@final
class Decoy(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A second ball, a third as far in the opposite direction, that ends an episode without success.

    Its way is observed, too [dm]. Where it is touched, `progress` is 1: what a reward model tells that takes the wrong
    ball for the right one once the tool is at it.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        size = int(np.prod(env.observation_space.shape or ()))
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size + 3,), np.float32)
        self._ball = np.zeros(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        scene: Any = getattr(self.env.unwrapped, "scene")  # noqa: B009  of a table-top environment
        tool = scene.tool_position
        self._ball = tool - (scene.task.goal(scene.observation) - tool) / 3
        return self._observed(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        wrong = bool(np.linalg.norm(self._way()) <= REACHED) and not info["success"]
        info = {**info, "progress": 1.0 if wrong else info["progress"], "wrong": wrong}
        return self._observed(observation), reward, terminated or wrong, truncated and not wrong, info

    def _way(self) -> Float64[np.ndarray, "3"]:
        scene: Any = getattr(self.env.unwrapped, "scene")  # noqa: B009  of a table-top environment
        return self._ball - scene.tool_position

    def _observed(self, observation: np.ndarray) -> np.ndarray:
        return np.append(observation, _PER_METRE * self._way()).astype(np.float32)


def _distances(observation: np.ndarray) -> Float64[np.ndarray, "2"]:
    """Give the distances from object to goal and from hand to object [m]."""
    seen = np.asarray(observation, np.float64)
    pairs = ((_OBJECT, _GOAL), (_HAND, _OBJECT))
    return np.array([np.linalg.norm(seen[one] - seen[other]) for one, other in pairs])
