"""Shows a model black pictures before the first real ones come. No ROS."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from robo_reward.stream import RewardStream
from robo_reward_ros.bound_model import BoundModel

Size = tuple[int, int]
"""(height, width) [px]."""


def warm_up(
    bound: BoundModel,
    cameras: Sequence[str],
    *,
    size: Size,
    rig_sizes: Mapping[str, Size] | None = None,
    state_sizes: Mapping[str, int] | None = None,
    times: int = 2,
) -> None:
    """Show the model black pictures and a state that nobody knows, so that the first real ones find it ready.

    A model that needs other cameras or a state that is not there says so now.

    Args:
        bound: Model and task.
        cameras: Their names.
        size: Of the pictures, where the rig does not say.
        rig_sizes: Camera to the size that the rig was measured with.
        state_sizes: Name of a state to how many numbers it has.
        times: How many sets are shown, >= 1.

    Raises:
        ValueError: Cameras that the model was not fitted to, a state that it needs.
    """
    stream = RewardStream(bound.model, discount=bound.discount, potential=bound.potential)
    views: dict[str, UInt8[Tensor, "3 _h _w"]] = {
        name: torch.zeros(3, *(rig_sizes or {}).get(name, size), dtype=torch.uint8) for name in cameras
    }
    state: dict[str, Float64[Tensor, " _size"]] = {
        name: torch.full((number,), torch.nan, dtype=torch.float64) for name, number in (state_sizes or {}).items()
    }
    try:
        for time in range(times):
            stream.step(views, stamp=time / 30, state=state)
    except ValueError as error:
        raise ValueError(
            f"shown black pictures of {list(cameras)} and the state {sorted(state)}, the model says: {error} "
            "(cameras and image_topics, state_names and state_topics say what it gets)"
        ) from error
