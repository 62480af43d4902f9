"""The environments of one training, wrapped in their order, and where the policy is judged and filmed."""

import gymnasium
import numpy as np
from jaxtyping import Float64

from robo_reward.reward_model import RewardModel
from robo_reward.rl.environments import Environments
from robo_reward.rl.learning_reward import RewardMode, perceived_reward
from robo_reward.rl.sb3_vec_env import Sb3VecEnv
from robo_reward.rl.scored_vector_env import ScoredVectorEnv
from robo_reward.rl.standardised_observations import ObservationStatistics, observation_statistics
from robo_reward.rl.task_reward import TaskReward
from robo_reward.rl.training_settings import TrainingSettings
from robo_reward.rl.unscored_vector_env import UnscoredVectorEnv
from robo_reward.shaping import Potential


class TrainingEnvironments:
    """Owns the environments of a training: to learn in, to judge in, to film in.

    Args:
        environments: Makes them.
        num_envs: To learn in.
        settings: Of the training.
        model: Looks at the frames; None = nobody does.
        potential: From progress to Φ.
        keep_embeddings: Keep what the model's encoder sees, for safety nets.
    """

    def __init__(
        self,
        environments: Environments,
        *,
        num_envs: int,
        settings: TrainingSettings,
        model: RewardModel | None,
        potential: Potential | None,
        keep_embeddings: bool = False,
    ) -> None:
        self._deferred = settings.deferred
        self._mode: RewardMode = settings.reward
        self._vector = environments.vector(num_envs, seen=model is not None)
        self.task = TaskReward(self._vector, mode=settings.reward, success_reward=settings.success_reward)
        if model is None:
            self.source: ScoredVectorEnv | UnscoredVectorEnv = UnscoredVectorEnv(self.task)
        else:
            self.source = ScoredVectorEnv(
                self.task,
                model,
                potential=potential,
                deferred=settings.deferred,
                keep_embeddings=keep_embeddings,
            )
        self.sb3 = Sb3VecEnv(self.source)
        self._shared = environments.only_one
        self.evaluation: gymnasium.Env = self._only() if self._shared else environments.single(seen=False)
        """To judge the policy in; of a task that exists once, the one that it learns in."""
        films = bool(environments.cameras) and not self._shared
        self.filmed: gymnasium.Env | None = environments.single(seen=True) if films else None
        """To film the policy in; None where there are no cameras."""

    def statistics(self, seed: int) -> ObservationStatistics | None:
        """Measure how observations vary under random actions; not with a robot, which exists once."""
        return None if self._shared else observation_statistics(self.evaluation, seed=seed)

    def shaping_reward(self, discount: float) -> Float64[np.ndarray, " env"]:
        """Give what perception adds to the last step's rewards; NaN where it is not known yet, 0 where nobody looks."""
        latest = self.source.latest
        if isinstance(self.source, UnscoredVectorEnv) or latest is None:
            return np.zeros(self.sb3.num_envs)
        if self._deferred:
            return np.full(self.sb3.num_envs, np.nan)
        return perceived_reward(
            self._mode,
            potential=self.source.potentials(latest.departure),
            next_potential=self.source.potentials(latest.arrival),
            terminated=latest.terminated,
            discount=np.power(discount, latest.steps.astype(np.float64)),
        )

    def close(self) -> None:
        """Close all of them."""
        self.sb3.close()
        if not self._shared:
            self.evaluation.close()
        if self.filmed is not None:
            self.filmed.close()

    def _only(self) -> gymnasium.Env:
        return getattr(self._vector, "envs")[0]  # noqa: B009  of a SyncVectorEnv
