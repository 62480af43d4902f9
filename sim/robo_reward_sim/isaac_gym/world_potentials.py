"""Potentials at both ends of every world's transition, and the shaping that follows from them."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from robo_reward.episode_rows import join_rows, take_rows
from robo_reward.potential_streams import PotentialStreams
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import Potential, potential_difference
from robo_reward_sim.isaac_gym.worlds_step import WorldsStep


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class WorldTransitions:
    """Potentials of one step of every world, on the CPU; each computed once, when its frame arrived."""

    potential: Float64[Tensor, " world"]
    """Φ(s); NaN where unknown."""
    next_potential: Float64[Tensor, " world"]
    """Φ(s') of the state that the step reached, before a terminal state zeroes it."""
    terminated: Bool[Tensor, " world"]
    real: Bool[Tensor, " world"]
    """False where the step was a mere reset: no transition to learn from."""

    def shaping(self, discount: float) -> Float64[Tensor, " world"]:
        """Give γ (1 − terminated) Φ(s') − Φ(s); NaN where a potential is unknown or no transition took place.

        Raises:
            ValueError: A discount outside (0, 1].
        """
        both = torch.stack([self.potential, self.next_potential], dim=1)
        shaped = potential_difference(both, self.terminated[:, None], discount=discount)[:, 0]
        return torch.where(self.real, shaped, torch.nan)


@final
class WorldPotentials:
    """Follows every world with one reward model; all frames of a step go through the encoder together.

    Potentials are those that a `RewardStream` per world gives, bit for bit.

    Args:
        model: Bound to the task.
        num_worlds: Worlds of the simulator.
        potential: From progress to Φ; None = Φ is progress.
    """

    def __init__(self, model: RewardModel, *, num_worlds: int, potential: Potential | None = None) -> None:
        self._streams = PotentialStreams(model, num_streams=num_worlds, potential=potential)
        self._here = torch.full((num_worlds,), torch.nan, dtype=torch.float64)

    def begin(self, step: WorldsStep) -> None:
        """Take the first frames of every world.

        Raises:
            ValueError: Worlds that do not begin.
        """
        if not bool(step.begins.all()):
            raise ValueError("every world must begin here: give what reset() gave")
        self.after(step)

    def after(self, step: WorldsStep) -> WorldTransitions:
        """Take what a step led to."""
        ended, begins = (each.cpu().nonzero()[:, 0].tolist() for each in (step.ended, step.begins))
        departure = self._here.clone()
        # one call of the encoder; a final frame set goes behind those of all worlds
        parts = [step.clip] if step.final is None or not ended else [step.clip, step.final]
        seen, worlds = self._streams.look(join_rows(parts)), step.clip.stamp.shape[0]
        if len(parts) == 2:
            places = range(worlds, worlds + len(ended))
            self._here[ended] = self._streams.follow(take_rows(seen, list(places)), ended).potential
        started = set(begins)
        going = [world for world in range(worlds) if world not in started]
        if going:
            self._here[going] = self._streams.follow(take_rows(seen, going), going).potential
        arrival = self._here.clone()
        if begins:
            self._streams.begin(begins)
            self._here[begins] = self._streams.follow(take_rows(seen, begins), begins).potential
        return WorldTransitions(
            potential=departure, next_potential=arrival, terminated=step.terminated.cpu(), real=step.real.cpu()
        )
