"""How the environments of a training are made: several to learn in, one to judge the policy in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from robo_reward.rl.camera_info import CameraInfo

MakeEnv = Callable[[], gymnasium.Env]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Environments:
    """Makes environments of one task.

    Raises:
        ValueError: Processes, or more than one environment, of one that exists only once.
    """

    make: MakeEnv
    """Makes one environment; its end of episode by success, by time limit and its auto-reset are apart from each other:
    `terminated`, `truncated`, and none."""
    instruction: str = ""
    """The task in words."""
    cameras: Sequence[str] = ()
    """Cameras that are put into `info`; none where no reward model looks, or where the environment does it itself."""
    camera_prefix: str = ""
    """Before each camera's name in `info`: what recordings, and reward models fitted to them, call it."""
    step_duration: float | None = None
    """Time of a step [s]; None = the environment says."""
    parallel: bool = False
    """Run each environment in a process of its own."""
    only_one: bool = False
    """There is one environment, such as a robot: the policy is judged in the one that it learns in."""

    def __post_init__(self) -> None:
        if self.only_one and self.parallel:
            raise ValueError("only_one and parallel exclude each other: what exists once stays in this process")

    def vector(self, num_envs: int, *, seen: bool) -> VectorEnv:
        """Make the environments to learn in.

        Args:
            num_envs: How many.
            seen: Whether cameras are looked through.
        """
        if self.only_one and num_envs != 1:
            raise ValueError(f"there is only one environment: set learner.num_envs=1, got {num_envs}")
        makers = [partial(self.single, seen=seen)] * num_envs
        if self.parallel:
            # spawn: a forked process would share torch's threads and the renderer's context
            return AsyncVectorEnv(makers, context="spawn", autoreset_mode=AutoresetMode.SAME_STEP)
        return SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)

    def single(self, *, seen: bool) -> gymnasium.Env:
        """Make one environment.

        Args:
            seen: Whether cameras are looked through.
        """
        env = self.make()
        if not seen or not self.cameras:
            return env
        return CameraInfo(env, cameras=self.cameras, prefix=self.camera_prefix, step_duration=self.step_duration)


def registered(id: str, *, imports: Sequence[str] = (), **arguments: Any) -> gymnasium.Env:
    """Make an environment that is registered with Gymnasium.

    Args:
        id: Its registered name, such as `Pendulum-v1`.
        imports: Modules that register it.
        arguments: Its own.
    """
    for module in imports:
        import_module(module)
    return gymnasium.make(id, **arguments)
