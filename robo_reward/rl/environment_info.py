"""What an environment says beside observation and reward: the keys of `info`, and their values where an episode ended.

An environment that is to be rewarded by what cameras see puts into `info` at every reset and step (`CameraInfo` does it
for those that can render):

    frames   camera name to RGB picture, uint8 (3, height, width); a camera that gave none is left out
    stamp    time of the pictures [s], increasing along an episode
    state    what the robot felt, name to float64 (size,), as `Clip.state` has it; may be left out

and, where it knows them, `success` (bool), `progress` (the truth, in [0, 1]), `dense_reward`, `task_reward` and
`shaping_reward` (the parts of a reward that was shaped already).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

FRAMES, STAMP, STATE = "frames", "stamp", "state"
SUCCESS, PROGRESS, DENSE_REWARD = "success", "progress", "dense_reward"
TASK_REWARD, SHAPING_REWARD = "task_reward", "shaping_reward"
FINAL_INFO, FINAL_OBSERVATION = "final_info", "final_obs"
"""Gymnasium's own keys under AutoresetMode.SAME_STEP."""

Info = Mapping[str, Any]


def arrival_values(
    infos: Info, key: str, *, ended: Bool[np.ndarray, " env"], default: float
) -> Shaped[np.ndarray, " env"]:
    """Give one number per environment of the state that its transition reached.

    Under auto-reset in the same step `infos` tells of the next episode's first state: where an episode ended the final
    info counts.

    Args:
        infos: Of a step of a vectorised environment.
        key: Which number.
        ended: True where an episode ended in this step and its final info is beside it.
        default: Where an environment does not tell.
    """
    values = _told(infos, key, len(ended), default)
    if not ended.any() or FINAL_INFO not in infos:
        return values
    return np.where(ended, _told(infos[FINAL_INFO], key, len(ended), default), values)


def tells(infos: Info, key: str) -> bool:
    """True where an environment said this key, of an episode that goes on or of one that ended."""
    return key in infos or key in infos.get(FINAL_INFO, {})


def _told(infos: Info, key: str, count: int, default: float) -> Shaped[np.ndarray, " env"]:
    if key not in infos:
        return np.full(count, default)
    said = np.asarray(infos.get(f"_{key}", np.ones(count, np.bool_)))
    return np.where(said, np.asarray(infos[key]).astype(np.float64), default)
