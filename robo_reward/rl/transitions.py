"""The transitions of one step of several environments, with what is known of both of their ends."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ScoredTransitions:
    """One row an environment; rows that are no transition (a reset took the place of a step) are not `real`."""

    departure: Int64[np.ndarray, " env"]
    """Number of the frame set of s, by which its potential is known to `ScoredVectorEnv.potentials`."""
    arrival: Int64[np.ndarray, " env"]
    """Number of the frame set of the true s', also where the environment was reset at once."""
    task_reward: Float64[np.ndarray, " env"]
    """Of the environment, before anything is added."""
    terminated: Bool[np.ndarray, " env"]
    truncated: Bool[np.ndarray, " env"]
    steps: Int64[np.ndarray, " env"]
    """Environment steps that the transition spans: the discount is γ^steps."""
    real: Bool[np.ndarray, " env"]
