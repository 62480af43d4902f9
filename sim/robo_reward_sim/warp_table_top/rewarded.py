"""Rewards on the device: every world's pictures through one encoder, potentials, and their difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import Potential
from robo_reward.shaping.potential_difference import check_discount
from robo_reward_sim.isaac_gym.world_potentials import WorldPotentials
from robo_reward_sim.isaac_gym.worlds_step import WorldsStep
from robo_reward_sim.warp_table_top.cameras import WorldCameras
from robo_reward_sim.warp_table_top.worlds import TableTopWorlds, WorldStates

PROGRESS = "progress"
"""State of every frame set that holds the truth, for `StateProgress`; models that look at pictures leave it alone."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RewardedStep:
    """One step of every world, as a learner needs it; tensors on the simulator's device."""

    observation: Float32[Tensor, "world number"]
    """Of the state that the step reached, also where an episode ended in it."""
    task_reward: Float64[Tensor, " world"]
    shaping: Float64[Tensor, " world"]
    """γ (1 − terminated) Φ(s') − Φ(s); 0 without a model; NaN where a potential is unknown or nothing happened."""
    terminated: Bool[Tensor, " world"]
    truncated: Bool[Tensor, " world"]
    real: Bool[Tensor, " world"]
    """False where the step only began an episode: no transition to learn from."""
    success: Bool[Tensor, " world"]

    @property
    def ended(self) -> Bool[Tensor, " world"]:
        """An episode ended in the state that the step reached."""
        return self.terminated | self.truncated


@final
class RewardedWorlds:
    """Worlds whose steps carry the task's reward and, apart from it, shaping by what their cameras see.

    Pictures go from the renderer to the encoder without leaving the device; of each, its embedding alone comes to the
    CPU, where models and potentials work, for all worlds together and with the bits of one `RewardStream` a world.

    Args:
        worlds: The task.
        discount: The learner's γ per step, in (0, 1].
        model: Bound to the task; None = no pictures are taken and shaping is 0.
        cameras: That the model looks through.
        height: Of a picture [px].
        width: Of a picture [px].
        camera_prefix: Before each camera's name, as the model knows it.
        potential: From progress to Φ; None = Φ is progress.

    Raises:
        ValueError: A discount outside (0, 1], or cameras that are unknown.
    """

    def __init__(
        self,
        worlds: TableTopWorlds,
        *,
        discount: float,
        model: RewardModel | None,
        cameras: Sequence[str] = ("front", "side"),
        height: int = 112,
        width: int = 112,
        camera_prefix: str = "",
        potential: Potential | None = None,
    ) -> None:
        check_discount(discount)
        self.worlds, self.discount, self._prefix = worlds, discount, camera_prefix
        self._num_steps = 0
        self._cameras = self._potentials = None
        if model is not None:
            self._cameras = WorldCameras(worlds.physics, cameras, height=height, width=width)
            self._potentials = WorldPotentials(model, num_worlds=worlds.num_worlds, potential=potential)

    @property
    def num_worlds(self) -> int:
        """How many worlds there are."""
        return self.worlds.num_worlds

    @property
    def device(self) -> torch.device:
        """Where tensors are."""
        return self.worlds.device

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Name and unit of each number of an observation."""
        return self.worlds.observation_names

    def reset(self) -> Float32[Tensor, "world number"]:
        """Begin an episode in every world, and give what is observed there."""
        states = self.worlds.reset()
        if self._potentials is not None:
            self._potentials.begin(self._seen(states))
        return states.observation

    def step(self, action: Tensor) -> RewardedStep:
        """Act in every world; begin an episode where one has ended."""
        states = self.worlds.step(action)
        return RewardedStep(
            observation=states.observation,
            task_reward=states.task_reward,
            shaping=self._shaping(states),
            terminated=states.terminated,
            truncated=states.truncated,
            real=~states.begins,
            success=states.success,
        )

    def _shaping(self, states: WorldStates) -> Float64[Tensor, " world"]:
        if self._potentials is None:
            return torch.zeros_like(states.task_reward)
        return self._potentials.after(self._seen(states)).shaping(self.discount).to(self.device)

    def _seen(self, states: WorldStates) -> WorldsStep:
        """Take every world's picture; the stamp goes on over episodes, so that nobody need know where they begin."""
        assert self._cameras is not None  # noqa: S101  (asked with a model only)
        self._num_steps += 1
        shape = (self.num_worlds, 1)
        views = {f"{self._prefix}{name}": frames[:, None] for name, frames in self._cameras.frames().items()}
        clip = Clip(
            views=views,
            present=torch.ones(*shape, len(views), dtype=torch.bool),
            stamp=torch.full(shape, self._num_steps * self.worlds.step_duration, dtype=torch.float64),
            state={PROGRESS: states.progress.cpu()[:, None, None]},
        )
        return WorldsStep(
            observation=states.observation,
            clip=clip,
            task_reward=states.task_reward,
            terminated=states.terminated,
            truncated=states.truncated,
            begins=states.begins,
        )
