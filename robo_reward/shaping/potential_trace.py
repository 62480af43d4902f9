"""Potentials cached with the version of the model that gave them, and the rewards that follow from them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from robo_reward.shaping.potential import hold_last_known
from robo_reward.shaping.potential_difference import potential_difference


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PotentialTrace:
    """The potentials of one trajectory, computed once when each frame arrived, all by one version of the model.

    Storing Φ instead of F lets γ, the scale or an ablation change later without looking at a frame again; looking
    again at one side only breaks telescoping (noise .1 over 10 steps leaves a residue of .27 in the return).

    Raises:
        ValueError: A potential that is not (time,) or an empty version.
    """

    potential: Float64[Tensor, " time"]
    """Φ of each frame; NaN where the model abstained."""
    version: str
    """Version of the model that gave every potential of the trace."""

    def __post_init__(self) -> None:
        if self.potential.ndim != 1:
            raise ValueError(f"potential must be (time,), got {tuple(self.potential.shape)}")
        if not self.version:
            raise ValueError("version must name the model that gave the potentials; it is empty")

    def followed_by(self, later: "PotentialTrace") -> "PotentialTrace":
        """Append the later part of the same trajectory.

        Raises:
            ValueError: The later part was given by another version of the model.
        """
        if later.version != self.version:
            raise ValueError(
                f"potentials of model version '{later.version}' cannot follow those of '{self.version}' "
                "in one trajectory: relabel the whole trajectory with one of them"
            )
        return PotentialTrace(potential=torch.cat([self.potential, later.potential]), version=self.version)

    def rewards(self, *, discount: float, terminated: bool) -> Float64[Tensor, " time"]:
        """Give the shaping reward of each row's transition t → t+1.

        The state after the last row was not recorded: its reward is −Φ if the trajectory terminated there, else
        unknown (NaN). Unknown potentials hold the last known one; before the first known one rewards are NaN.
        """
        if self.potential.shape[0] == 0:
            return self.potential
        held = hold_last_known(self.potential[None])
        unseen = torch.full((1, 1), float("nan"), dtype=torch.float64)
        ends: Bool[Tensor, "1 time"] = torch.zeros(held.shape, dtype=torch.bool)
        ends[:, -1] = terminated
        return potential_difference(torch.cat([held, unseen], dim=1), ends, discount=discount)[0]
