"""The columns that relabelling adds to a data set."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.clip import Episode
from robo_reward.reward_model import Estimate
from robo_reward.shaping import Potential, PotentialTrace, hold_last_known

FEATURES: Mapping[str, str] = {
    "reward.progress": "float32",
    "reward.spread": "float32",
    "reward.potential": "float64",
    "reward.shaped": "float64",
    "next.reward": "float32",
    "next.success": "bool",
}
"""Name to numpy dtype; each is one number per frame."""
SUCCESS_PROBABILITY = "reward.success_probability"
"""One column more where there is a model of success; float32."""


def reward_columns(
    episode: Episode,
    estimate: Estimate,
    *,
    potential: Potential,
    discount: float,
    success_reward: float,
    version: str,
    success_probability: Float[Tensor, "1 _time"] | None = None,
) -> dict[str, np.ndarray]:
    """Give an episode's reward columns; row t is about frame t and the transition t → t+1.

        reward.potential_t = Φ(progress_t), the last known one where the model abstained
        reward.shaped_t    = γ (1 − terminated_t) Φ_{t+1} − Φ_t
        next.reward_t      = success_reward · success_t + reward.shaped_t

    The state after the last row was not recorded: its shaped reward is −Φ if the episode terminated, else NaN.
    `next.success` is True where the episode's success signal says so, False where it does not or there is none.

    Args:
        episode: Says where it ended and whether it succeeded.
        estimate: Of all its frames, `(1, time)`.
        potential: From progress to Φ.
        discount: The learner's γ.
        success_reward: Task reward of a transition that ends in success.
        version: Of the model that gave the estimate.
        success_probability: At each frame, NaN = unknown; becomes a column of its own. None = no such column.

    Raises:
        ValueError: An estimate or a probability of another length than the episode.
    """
    if tuple(estimate.progress.shape) != (1, episode.num_frames):
        raise ValueError(f"estimate must be (1, {episode.num_frames}), got {tuple(estimate.progress.shape)}")
    if success_probability is not None and success_probability.shape != estimate.progress.shape:
        raise ValueError(
            f"success_probability must be (1, {episode.num_frames}), got {tuple(success_probability.shape)}"
        )
    trace = PotentialTrace(potential=potential(estimate.progress[0]), version=version)
    shaped = trace.rewards(discount=discount, terminated=episode.terminated)
    success = episode.success if episode.success is not None else torch.zeros(episode.num_frames, dtype=torch.bool)
    columns = {
        "reward.progress": estimate.progress[0],
        "reward.spread": estimate.spread[0],
        "reward.potential": hold_last_known(trace.potential[None])[0],
        "reward.shaped": shaped,
        "next.reward": success_reward * success.to(torch.float64) + shaped,
        "next.success": success,
    }
    found = {name: column.numpy().astype(FEATURES[name]) for name, column in columns.items()}
    if success_probability is None:
        return found
    return found | {SUCCESS_PROBABILITY: success_probability[0].numpy().astype("float32")}
