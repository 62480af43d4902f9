"""The truth about progress, told by a simulator, in the place of a reward model: the upper bound of every study."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.reward_model import Estimate


@final
class StateProgress:
    """Repeats the progress that the robot's state carries; abstains where it is NaN.

    Args:
        name: Of the state of size 1 that holds progress in [0, 1].
    """

    context = 1

    def __init__(self, name: str = "progress") -> None:
        self._name = name
        self.version = f"state:{name}"

    def estimate(self, clip: Clip) -> Estimate:
        """Give the state of every frame as its progress, without doubt.

        Raises:
            ValueError: The clip has no such state of size 1, or it is outside [0, 1].
        """
        told = clip.state.get(self._name)
        if told is None or told.shape[2] != 1:
            raise ValueError(f"the clip has no state '{self._name}' of size 1; it has {sorted(clip.state)}")
        progress: Float[Tensor, "batch time"] = told[..., 0].float()
        return Estimate(progress=progress, spread=torch.where(progress.isnan(), torch.nan, 0.0))
