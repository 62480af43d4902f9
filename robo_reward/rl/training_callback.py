"""What happens after each step of a learner: episodes are counted and watched, and traps of the algorithm avoided."""

from collections.abc import Callable

from stable_baselines3.common.callbacks import BaseCallback

from robo_reward.rl.environment_info import SHAPING_REWARD, TASK_REWARD
from robo_reward.rl.episode_log import EpisodeLog
from robo_reward.rl.learners import Learner
from robo_reward.rl.safety_nets import WatchedEpisodes
from robo_reward.rl.training_environments import TrainingEnvironments


class TrainingCallback(BaseCallback):
    """Counts episodes, shows them to the safety nets, and calls the learner's own settings back.

    Args:
        envs: That are learnt in.
        learner: Told of every update.
        discount: γ of the moment.
        watched: Judges the episodes that ended; None = nobody does.
        on_steps: Told of the environment steps so far.
    """

    def __init__(
        self,
        envs: TrainingEnvironments,
        learner: Learner,
        *,
        discount: Callable[[], float],
        watched: WatchedEpisodes | None,
        on_steps: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._envs, self._learner, self._on_steps = envs, learner, on_steps
        self._discount, self._watched = discount, watched
        self.log = EpisodeLog(envs.sb3.num_envs)

    def begin(self) -> None:
        """All environments begin an episode."""
        self.log.begin()
        if self._watched is not None:
            self._watched.begin()

    def _on_step(self) -> bool:
        latest, told = self._envs.source.latest, self._envs.task.told
        if latest is None:
            return True
        if self._watched is not None:
            self._watched.after_step(self._envs.task.success)
        self.log.after_step(
            task_reward=told.get(TASK_REWARD, latest.task_reward),
            shaping_reward=told.get(SHAPING_REWARD, self._envs.shaping_reward(self._discount())),
            success=self._envs.task.success,
            ended=latest.terminated | latest.truncated,
        )
        self._on_steps(self.num_timesteps)
        return True

    def _on_rollout_end(self) -> None:
        """Look at frames that wait, also before the first update: memory does not hold all that precede it."""
        self._envs.source.settle()
        if self._watched is not None:
            self._watched.judge()

    def _on_rollout_start(self) -> None:
        self._learner.after_update(self.model)
