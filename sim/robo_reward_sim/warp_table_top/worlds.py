"""Table-top tasks in many worlds at once: episodes that begin anew, world by world."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor

from robo_reward_sim.table_top.environment import STEP_DURATION
from robo_reward_sim.table_top.task import TOOL_NAMES
from robo_reward_sim.warp_table_top.physics import TableTopPhysics
from robo_reward_sim.warp_table_top.tasks import WarpTask, warp_task


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class WorldStates:
    """What every world has come to in one step; tensors on the simulator's device, new ones in every step."""

    observation: Float32[Tensor, "world number"]
    """`observation_names`: of the state that the step reached, also where an episode ended in it."""
    success: Bool[Tensor, " world"]
    """The task is done in this state."""
    progress: Float64[Tensor, " world"]
    """Ground truth in [0, 1]; see the tasks."""
    task_reward: Float64[Tensor, " world"]
    """1 in a state of success, else 0; no episode begins in one."""
    terminated: Bool[Tensor, " world"]
    """The state is terminal."""
    truncated: Bool[Tensor, " world"]
    """The episode was cut in this state by the time limit."""
    begins: Bool[Tensor, " world"]
    """The state is the first of an episode: nothing led to it."""

    @property
    def ended(self) -> Bool[Tensor, " world"]:
        """An episode ended in this state; the next step of that world begins another one."""
        return self.terminated | self.truncated


@final
class TableTopWorlds:
    """Steps one task in every world: `TableTopEnvironment`, on the device, many times.

    Observation, action, success, progress and rewards are those of `TableTopEnvironment`. A world whose episode ended
    keeps its last state until the next step, which begins an episode there instead of acting (`begins`): so the state,
    and the picture, in which an episode ended is never mixed with the first one of the next, and every step takes one
    picture of a world. A world's trajectory is a function of seed, world, number of the episode and actions, bit for
    bit on one kind of device.

    Args:
        task: `reach`, `push`, `pick` or `open`.
        num_worlds: At least 1.
        device: "cpu", "cuda", "cuda:1" …
        seed: Of where things are and where the tool begins, in [0, 2³¹).
        step_duration: Time between two actions [s].
        horizon: Steps after which an episode is truncated; None = the time that the task gives, 5, 8 or 10 s.
        terminate_on_success: An episode ends in the first state of success.
        deterministic: The same bits in every run on CUDA, too, at some cost of speed.

    Raises:
        ValueError: An unknown task or device, no world, a horizon < 1, a step that is no multiple of 5 ms.
    """

    def __init__(
        self,
        task: str,
        *,
        num_worlds: int,
        device: str = "cpu",
        seed: int = 0,
        step_duration: float = STEP_DURATION,
        horizon: int | None = None,
        terminate_on_success: bool = True,
        deterministic: bool = True,
    ) -> None:
        self.task: WarpTask = warp_task(task)
        plain = self.task.plain
        self.horizon = round(plain.horizon * STEP_DURATION / step_duration) if horizon is None else horizon
        if self.horizon < 1:
            raise ValueError(f"horizon must be >= 1 step, got {self.horizon}")
        self.physics = TableTopPhysics(
            plain.model,
            num_worlds=num_worlds,
            step_duration=step_duration,
            seed=seed,
            device=device,
            deterministic=deterministic,
        )
        self.terminate_on_success = terminate_on_success
        self._advance = self.physics.advance(self._lay_out)
        self._begin = self.physics.begin(self._lay_out)
        self._ended: Tensor | None = None

    @property
    def num_worlds(self) -> int:
        """How many worlds there are."""
        return self.physics.num_worlds

    @property
    def device(self) -> torch.device:
        """Where tensors are."""
        return self.physics.torch_device

    @property
    def step_duration(self) -> float:
        """Time between two actions [s]."""
        return self.physics.step_duration

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Name and unit of each number of an observation."""
        return (*TOOL_NAMES, *self.task.plain.point_names)

    def reset(self) -> WorldStates:
        """Begin the next episode in every world, whatever its last one has come to."""
        every = torch.ones(self.num_worlds, dtype=torch.bool, device=self.device)
        self.physics.command(torch.zeros(self.num_worlds, 4, device=self.device), every)
        self._begin()
        observation = self._observation()
        self._start, self._num_steps = observation.to(torch.float64), torch.zeros_like(every, dtype=torch.int64)
        return self._states(observation, every)

    def step(self, action: Float[Tensor, "world 4"]) -> WorldStates:
        """Act for `step_duration` in every world; begin an episode where one has ended.

        Args:
            action: Displacement of the tool and gripper, as `TableTopEnvironment` has it; clamped to [-1, 1].

        Raises:
            RuntimeError: `reset` was not called before.
            ValueError: Actions of another shape.
        """
        if self._ended is None:
            raise RuntimeError("call reset() before the first step")
        if tuple(action.shape) != (self.num_worlds, 4):
            raise ValueError(f"action must be (world={self.num_worlds}, 4), got {tuple(action.shape)}")
        begins = self._ended
        self.physics.command(action, begins)
        self._advance()
        observation = self._observation()
        self._start = torch.where(begins[:, None], observation.to(torch.float64), self._start)
        self._num_steps = torch.where(begins, 0, self._num_steps + 1)
        return self._states(observation, begins)

    def _lay_out(self) -> None:
        self.task.lay_out(self.physics)

    def _observation(self) -> Float32[Tensor, "world number"]:
        return torch.cat([*self.physics.arm_state(), *self.task.observe(self.physics)], dim=1)

    def _states(self, observation: Tensor, begins: Tensor) -> WorldStates:
        exact = observation.to(torch.float64)
        success = self.task.success(exact)
        terminated = success if self.terminate_on_success else torch.zeros_like(success)
        truncated = ~terminated & (self._num_steps >= self.horizon)
        self._ended = terminated | truncated
        return WorldStates(
            observation=observation,
            success=success,
            progress=self.task.progress(exact, self._start),
            task_reward=success.to(torch.float64),
            terminated=terminated,
            truncated=truncated,
            begins=begins,
        )
