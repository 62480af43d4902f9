"""The law of the house: potential-based shaping, on recorded and on streamed potentials alike."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def potential_difference(
    potential: Float[Tensor, "batch time"],
    terminated: Bool[Tensor, "batch time-1"],
    *,
    discount: float | Float[Tensor, "batch time-1"],
) -> Float[Tensor, "batch time-1"]:
    """Give the shaping reward of every transition, which leaves the optimal policy what it was.

        F_t = γ · (1 − terminated_t) · Φ(s_{t+1}) − Φ(s_t)

    The potential of a *terminated* state is 0: otherwise γ^N Φ(s_N) stays in the return and reorders policies.
    At a *truncated* state it is kept and the learner bootstraps, so truncation is not an argument.

    Args:
        potential: Φ of each state, computed once when its frame arrived. NaN (unknown) makes its transitions NaN.
        terminated: True where the transition reached a terminal state of the MDP.
        discount: The learner's γ per transition, in (0, 1]; γ^k over a skip of k steps (`discount_over_steps`).

    Returns:
        F of each transition, in the units of the potential.

    Raises:
        ValueError: Shapes that do not fit, or a discount outside (0, 1].

    Source:
        Ng, Harada & Russell 1999, eq. 2; Grześ 2017 for the terminal state.

    Example:
        >>> import torch
        >>> potential_difference(torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[False, True]]), discount=1.0)
        tensor([[ 0.5000, -0.5000]])
    """
    _check(potential, terminated, discount)
    alive = (~terminated).to(potential.dtype)
    # a terminal state's potential is 0 even where its frame was unreadable: 0 · NaN would lose the last reward
    following = torch.where(terminated, torch.zeros_like(potential[:, 1:]), potential[:, 1:])
    return discount * alive * following - potential[:, :-1]


def discount_over_steps(discount: float, steps: int) -> float:
    """Give the discount over a transition that skips `steps` environment steps: γ^steps.

    Raises:
        ValueError: `discount` outside (0, 1] or `steps` < 1.

    Source:
        Sutton, Precup & Singh 1999, on options.

    Example:
        >>> discount_over_steps(0.5, 3)
        0.125
    """
    check_discount(discount)
    if steps < 1:
        raise ValueError(f"steps must be >= 1, got {steps}")
    return discount**steps


def discount_over_time(rate: float, seconds: float) -> float:
    """Give the discount over a transition of variable length: exp(−rate · seconds).

    Args:
        rate: Decay of value per second [1/s], >= 0.
        seconds: Duration of the transition [s], > 0.

    Raises:
        ValueError: A negative rate, or a duration that is not positive.

    Source:
        Robo-Dopamine (2512.23703), derivation of eq. 14: γ = e^{−λh}.
    """
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"rate must be >= 0 per second, got {rate}")
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"seconds must be > 0, got {seconds}")
    return math.exp(-rate * seconds)


def check_discount(discount: float) -> None:
    """Raise ValueError unless the discount is in (0, 1]."""
    if not 0 < discount <= 1:
        raise ValueError(f"discount must be in (0, 1], got {discount}")


def _check(potential: Tensor, terminated: Tensor, discount: float | Tensor) -> None:
    if potential.ndim != 2 or potential.shape[1] == 0:
        raise ValueError(f"potential must be (batch, time) with time >= 1, got {tuple(potential.shape)}")
    transitions = (potential.shape[0], potential.shape[1] - 1)
    if tuple(terminated.shape) != transitions:
        raise ValueError(f"terminated must be (batch, time-1) = {transitions}, got {tuple(terminated.shape)}")
    if terminated.dtype != torch.bool:
        raise ValueError(f"terminated must be bool, got {terminated.dtype}")
    if isinstance(discount, Tensor):
        if tuple(discount.shape) != transitions:
            raise ValueError(f"discount must be a number or {transitions}, got {tuple(discount.shape)}")
        if not bool(((discount > 0) & (discount <= 1)).all()):
            raise ValueError(f"discount must be in (0, 1], got values in [{discount.min():g}, {discount.max():g}]")
    else:
        check_discount(discount)
