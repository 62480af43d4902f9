"""A task of Isaac Gym, with what its cameras see and with its two kinds of end kept apart."""

from typing import Any, Protocol, final

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward_sim.isaac_gym.camera_tensors import IsaacGymCameras
from robo_reward_sim.isaac_gym.worlds_step import WorldsStep

TIME_OUTS = "time_outs"
"""Key of a task's extras: where the episode ended by its time limit."""


class VecTask(Protocol):
    """What IsaacGymEnvs' `VecTask` gives, and tasks in its manner."""

    def reset(self) -> dict[str, Tensor]:
        """Begin; the worlds themselves are reset within the first step."""
        ...

    def zero_actions(self) -> Tensor:
        """Give actions that do nothing."""
        ...

    def step(self, actions: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor, dict[str, Any]]:
        """Give observations, rewards, worlds to be reset within the next step, extras with `time_outs`."""
        ...


@final
class IsaacGymWorlds:
    """Steps a task, and shows every world after every step.

    A task resets a world within the step *after* the one that ended its episode: the frames after an end show the state
    that it ended in, and the next step of that world is no transition of the task. `VecTask` says one `reset` for both
    kinds of end and the time limit beside it; a world that fails in its last step counts as truncated, as nothing tells
    it apart.

    Args:
        task: Its worlds in the order of the cameras'.
        cameras: Of every world.
        step_duration: Simulated time of a step [s].

    Raises:
        ValueError: A duration that is not positive.
    """

    def __init__(self, task: VecTask, cameras: IsaacGymCameras, *, step_duration: float) -> None:
        if not step_duration > 0:
            raise ValueError(f"step_duration must be > 0 s, got {step_duration}")
        self._task, self._cameras, self._step_duration = task, cameras, step_duration
        self._ended: Tensor | None = None
        self._num_steps = 0

    def reset(self) -> WorldsStep:
        """Begin an episode in every world: one step without action, in which the task resets them."""
        self._task.reset()
        self._ended = None
        return self.step(self._task.zero_actions())

    def step(self, actions: Float[Tensor, "world action"]) -> WorldsStep:
        """Act in every world.

        Raises:
            ValueError: A task that does not tell which ends were time limits.
        """
        observation, reward, reset, extras = self._task.step(actions)
        if TIME_OUTS not in extras:
            raise ValueError(
                f"the task's extras have no '{TIME_OUTS}', only {sorted(extras)}: without it every time limit would "
                "count as a terminal state and its potential as 0"
            )
        # tasks write into the buffers that they give away: what is kept must be a copy
        ended = reset.clone() != 0
        begins = torch.ones_like(ended) if self._ended is None else self._ended
        truncated = ended & (extras[TIME_OUTS] != 0)
        self._ended = ended
        self._num_steps += 1
        return WorldsStep(
            observation={name: numbers.clone() for name, numbers in observation.items()},
            clip=_clip(self._cameras, stamp=self._num_steps * self._step_duration),
            task_reward=reward.clone(),
            terminated=ended & ~truncated,
            truncated=truncated,
            begins=begins,
        )


def _clip(cameras: IsaacGymCameras, *, stamp: float) -> Clip:
    """One frame set per world; the stamp goes on over episodes, so that nobody need know where they begin."""
    views = {name: frames[:, None] for name, frames in cameras.frames().items()}
    shape = (cameras.num_worlds, 1)
    return Clip(
        views=views,
        present=torch.ones(*shape, len(views), dtype=torch.bool),
        stamp=torch.full(shape, stamp, dtype=torch.float64),
    )
