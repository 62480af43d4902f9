"""How an expert is made to fail: it shakes, it stops too early, or it goes for the wrong thing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from robo_reward_sim.playing import Observation, PlayedTask, Policy


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Reference:
    """What the expert does from the very state in which the failing one begins."""

    task: PlayedTask
    expert: Policy
    start: Observation
    """First observation."""
    num_rows_to_success: int
    """Rows until success is first said."""


def noise(reference: Reference, rng: np.random.Generator) -> Policy:
    """Mix the expert's action with strong noise that wanders: a = 0.35 expert + 0.65 n, clamped to [-1, 1].

    n_t = 0.9 n_{t-1} + √(1 − 0.9²) σ ε_t with σ = 1.5: the hand is carried off by several centimetres and comes back,
    too unsteady to finish.
    """
    drift = 1.5 * rng.standard_normal(4)

    def act(observation: Observation) -> Float[np.ndarray, "4"]:
        nonlocal drift
        action = np.clip(0.35 * reference.expert(observation) + 0.65 * drift, -1.0, 1.0)
        drift = 0.9 * drift + np.sqrt(1 - 0.9**2) * 1.5 * rng.standard_normal(4)
        return action

    return act


def early_stop(reference: Reference, rng: np.random.Generator) -> Policy:
    """Follow the expert for 20 to 70 % of its way to success, then stay or (every other time) retreat to the start."""
    num_rows_left = int(rng.uniform(0.2, 0.7) * reference.num_rows_to_success)
    speed = rng.choice([0.0, 5.0])  # [1/m] action per metre of distance to the start; 0 stays
    effort = 0.0

    def act(observation: Observation) -> Float[np.ndarray, "4"]:
        nonlocal num_rows_left, effort
        if num_rows_left > 0:
            num_rows_left -= 1
            action = reference.expert(observation)
            effort = action[3]
            return action
        return np.append(np.clip(speed * (reference.start[:3] - observation[:3]), -1.0, 1.0), effort)

    return act


def wrong_object(reference: Reference, rng: np.random.Generator) -> Policy:
    """Follow an expert that believes its target to be 13 to 22 cm to the left or right of where it is.

    Where the expert looks at a goal (reach, pick-place) it goes, or carries the object, to another point; in any other
    task the hand works beside the object: it pulls the air next to the handle, presses the table next to the button.
    """
    distance, angle = rng.uniform(0.13, 0.22), rng.uniform(-0.25, 0.25) * np.pi + rng.choice([0.0, np.pi])
    offset = distance * np.array([np.cos(angle), np.sin(angle), 0.0])

    def act(observation: Observation) -> Float[np.ndarray, "4"]:
        believed = observation.copy()
        for position in reference.task.belief:
            believed[position] += offset
        return reference.expert(believed)

    return act


FAILURES: Mapping[str, Callable[[Reference, np.random.Generator], Policy]] = MappingProxyType(
    {"noise": noise, "early_stop": early_stop, "wrong_object": wrong_object}
)
"""Every kind of failure by name."""

OUTCOMES = ("success", *FAILURES)
"""How an episode ends; recorded as the index into this tuple."""
