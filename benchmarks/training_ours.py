"""This project's way to learn from what a camera sees, on the same environment, encoder and schedule."""

import time
from collections.abc import Callable

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from training_scenes import SCENES, model_of, schedule

from robo_reward.clip import Clip
from robo_reward.perception.open_clip import OpenClipEncoder
from robo_reward.rl.environments import Environments
from robo_reward.rl.learners import LearnerInputs
from robo_reward.rl.learning_reward import RewardMode
from robo_reward.rl.sb3_vec_env import Sb3VecEnv
from robo_reward.rl.scored_vector_env import ScoredVectorEnv
from robo_reward.rl.task_reward import TaskReward
from robo_reward.rl.unscored_vector_env import UnscoredVectorEnv
from robo_reward.shaping import LinearPotential

POTENTIAL = LinearPotential(scale=2.0, offset=-0.5)
"""From progress (1 + R) / 2 to R."""


class SharedEnvironments:
    """The environments of a scene, which several schemes take turns with.

    Args:
        scene: Name of what is learnt.
        num_envs: Processes.
    """

    def __init__(self, scene: str, *, num_envs: int) -> None:
        asked = SCENES[scene]
        self._environments = Environments(make=asked.make, cameras=(asked.camera,), parallel=True)
        self._vectors = {seen: self._environments.vector(num_envs, seen=seen) for seen in (False, True)}

    def vector(self, *, seen: bool) -> VectorEnv:
        """Give the environments with or without pictures."""
        return self._vectors[seen]

    def close(self) -> None:
        """End the processes."""
        for vector in self._vectors.values():
            vector.close()


class Played:
    """Plays rollouts at random, without a learner.

    Args:
        env: Environments.
        steps: Of each, in a rollout.
    """

    def __init__(self, env: VectorEnv, *, steps: int = 50) -> None:
        self._env, self.steps = env, steps

    def play(self, *, settle: Callable[[], None] = lambda: None) -> float:
        """Play a rollout; give the seconds, with those that `settle` takes."""
        self._env.reset(seed=0)
        actions = [self._env.action_space.sample() for _ in range(self.steps)]
        began = time.perf_counter()
        for action in actions:
            self._env.step(action)
        settle()
        return time.perf_counter() - began


class OurScheme:
    """A learner whose frames are looked at beside the environments, in whole batches.

    Args:
        shared: Environments of the scene.
        scene: Name of what is learnt.
        encoder: Looks at pictures; None = nobody does, the reward is the environment's.
        device: Where the learner runs.
    """

    def __init__(self, shared: SharedEnvironments, scene: str, *, encoder: OpenClipEncoder | None, device: str) -> None:
        vector = shared.vector(seen=encoder is not None)
        learner = schedule(num_envs=vector.num_envs, device=device)
        self._camera = SCENES[scene].camera
        self._model = None if encoder is None else model_of(SCENES[scene], encoder)
        mode: RewardMode = "environment" if self._model is None else "score"
        task = TaskReward(vector, mode=mode, success_reward=0.0)
        self.source: ScoredVectorEnv | UnscoredVectorEnv = UnscoredVectorEnv(task)
        if self._model is not None:
            self.source = ScoredVectorEnv(task, self._model, potential=POTENTIAL, deferred=True)
        env = Sb3VecEnv(self.source)
        self._algorithm = learner.build(LearnerInputs(env=env, source=self.source, mode=mode, seed=0))
        self._algorithm.set_logger(Logger(folder=None, output_formats=[]))
        self._callback = _SettlesAtTheEnd(self.source)
        self.rollout_steps, self._steps = learner.rollout_steps, learner.train_every

    def run(self) -> float:
        """Collect a rollout, look at it, learn from it; give the seconds."""
        self._algorithm._last_obs = None  # another scheme may have played here since
        began = time.perf_counter()
        self._algorithm.learn(self.rollout_steps, callback=self._callback, log_interval=None, reset_num_timesteps=False)
        return time.perf_counter() - began

    def play(self) -> float:
        """Play a rollout at random and look at it, without learning; give the seconds."""
        return Played(self.source, steps=self._steps).play(settle=self.source.settle)

    def rewards(self, pictures: np.ndarray) -> np.ndarray:
        """Reward pictures (batch, height, width, 3), for a comparison."""
        if self._model is None:
            raise ValueError("nobody looks: there is no reward of pictures")
        frames = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        count = len(frames)
        clip = Clip(
            views={self._camera: frames[None]},
            present=torch.ones(1, count, 1, dtype=torch.bool),
            stamp=torch.arange(count, dtype=torch.float64)[None],
        )
        return POTENTIAL(self._model.estimate(clip).progress)[0].numpy()


class _SettlesAtTheEnd(BaseCallback):
    """Waits at the end of a rollout until all of its frames have been looked at, as a training does."""

    def __init__(self, source: ScoredVectorEnv | UnscoredVectorEnv) -> None:
        super().__init__()
        self._source = source

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._source.settle()
