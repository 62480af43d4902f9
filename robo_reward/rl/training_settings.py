"""How long a training goes on, how often the policy is judged, and when it is good enough."""

import math
from dataclasses import dataclass

from robo_reward.rl.learning_reward import RewardMode, check_mode


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How a training runs.

    Raises:
        ValueError: A setting outside its range.
    """

    reward: RewardMode = "shaped"
    success_reward: float = 1.0
    """Reward of a transition into success, in the modes that reward success."""
    total_steps: int = 100_000
    """Environment steps at most, over all environments."""
    every: int = 2500
    """Environment steps of a segment: after each one the policy is judged and a checkpoint written."""
    evaluation_episodes: int = 20
    """Episodes that the policy is judged by, always from the same seeds; 0 = it is not judged."""
    stop_success_rate: float | None = None
    """Stop when the policy succeeds so often, in [0, 1]; None = never."""
    stop_evaluations: int = 1
    """... in so many evaluations in a row."""
    videos: int = 4
    """Segments from one video to the next; 0 = none. The last segment of a training that stops has one, too."""
    deferred: bool = False
    """Look at frames beside the environments, in whole batches, and wait for them when updates are due; False looks at
    each step's frames at once."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_mode(self.reward)
        if self.total_steps < 1 or self.every < 1:
            raise ValueError(f"total_steps and every must be >= 1, got {self.total_steps} and {self.every}")
        if self.evaluation_episodes < 0 or self.videos < 0 or self.stop_evaluations < 1:
            raise ValueError(
                "evaluation_episodes and videos must be >= 0 and stop_evaluations >= 1, got "
                f"{self.evaluation_episodes}, {self.videos} and {self.stop_evaluations}"
            )
        if self.stop_success_rate is not None and not 0 <= self.stop_success_rate <= 1:
            raise ValueError(f"stop_success_rate must be in [0, 1], got {self.stop_success_rate}")
        if not math.isfinite(self.success_reward):
            raise ValueError(f"success_reward must be finite, got {self.success_reward}")

    def segment_steps(self, rollout_steps: int) -> int:
        """Give `every`, rounded up to whole rollouts."""
        return math.ceil(self.every / rollout_steps) * rollout_steps
