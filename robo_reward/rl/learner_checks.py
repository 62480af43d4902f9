"""What the settings of every learner must be like, and the device that it learns on."""

import torch

from robo_reward.errors import EncoderError
from robo_reward.perception.device import resolve_device
from robo_reward.shaping.potential_difference import check_discount


def learning_device(device: str) -> torch.device:
    """Turn the name of a device into one that exists; never another one instead.

    Args:
        device: "cpu", "cuda", "cuda:1" …, or "auto": CUDA where there is a CUDA device, else the CPU.

    Raises:
        ValueError: An unknown name, or a device that this machine or this build of torch does not have.
    """
    try:
        return resolve_device(device)
    except EncoderError as error:
        raise ValueError(f"learner.device: {error}; learn on cpu, or on auto to take what there is") from error


def check_common(num_envs: int, discount: float, learning_rate: float) -> None:
    """Raise ValueError for what no learner can have."""
    check_discount(discount)
    check_positive(num_envs=num_envs, learning_rate=learning_rate)


def check_updates(updates_per_step: float, rollout_steps: int) -> None:
    """Raise ValueError where a rollout would be followed by no update."""
    if updates_per_step * rollout_steps < 1:
        raise ValueError(
            f"updates_per_step must be at least 1 / (num_envs * train_every) = {1 / rollout_steps:g}, got "
            f"{updates_per_step:g}"
        )


def check_positive(**numbers: float) -> None:
    """Raise ValueError for a number that is not above 0."""
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name} must be > 0, got {number}")
