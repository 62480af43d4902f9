"""Trains a policy segment by segment: learn, judge, checkpoint. A killed one goes on to exactly the same result."""

import math
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger

from robo_reward.durable import atomic_file
from robo_reward.reward_model import RewardModel
from robo_reward.rl.alarm_log import AlarmLog
from robo_reward.rl.checkpoints import newest_checkpoint, write_checkpoint
from robo_reward.rl.environments import Environments
from robo_reward.rl.hacking_monitor import HackingAlarm, RewardHackingError
from robo_reward.rl.learner_state import read_learner, write_learner
from robo_reward.rl.learners import Learner, LearnerInputs
from robo_reward.rl.learning_reward import PERCEIVED
from robo_reward.rl.metrics import Metrics, MetricsLine
from robo_reward.rl.policy_evaluation import PolicyEvaluation, evaluate_policy, film_episode
from robo_reward.rl.safety_nets import SafetyNets, WatchedEpisodes
from robo_reward.rl.scored_vector_env import ScoredVectorEnv
from robo_reward.rl.training_callback import TrainingCallback
from robo_reward.rl.training_environments import TrainingEnvironments
from robo_reward.rl.training_result import TrainingListener, TrainingResult
from robo_reward.rl.training_settings import TrainingSettings
from robo_reward.shaping import Potential

_EVALUATION_SEEDS, _FIRST_EPISODES, _RANDOM, _STATISTICS = 1, 2, 3, 4
"""Purposes that seeds are drawn for, so that none is used twice."""


class Training:
    """A training in a folder; made anew on the same folder it goes on where it was killed, to the same result.

    At each segment's beginning every environment starts an episode, and all random numbers begin anew, from seeds made
    of the training's seed and the segment's number. So networks, optimisers, buffer and counters are all that a
    checkpoint has to hold, whatever the simulator; the price is one episode cut short per environment and segment,
    whose transitions are learnt from as those of any other.

    Args:
        environments: Of the task.
        learner: Which algorithm.
        settings: How long, how often.
        output: Folder of checkpoints, metrics, TensorBoard and policies.
        model: Reward model bound to the task, in the modes that ask one.
        potential: From progress to Φ.
        nets: What watches over it, in the modes that ask a reward model.
        listener: Who is told.

    Raises:
        ValueError: A mode that asks a reward model without one, a learner that does not fit the environments, or an
            automatic discount without a model that looks through an encoder.
    """

    def __init__(
        self,
        environments: Environments,
        learner: Learner,
        *,
        settings: TrainingSettings,
        output: Path,
        model: RewardModel | None = None,
        potential: Potential | None = None,
        nets: SafetyNets | None = None,
        listener: TrainingListener | None = None,
    ) -> None:
        asked = model if settings.reward in PERCEIVED else None
        self._nets = nets or SafetyNets()
        self._nets.check(settings.reward, asked)
        self._learner, self._settings, self._output = learner, settings, output
        self._listener = listener or TrainingListener()
        self._segment_steps = settings.segment_steps(learner.rollout_steps)
        self._envs = TrainingEnvironments(
            environments,
            num_envs=learner.num_envs,
            settings=settings,
            model=asked,
            potential=potential,
            keep_embeddings=self._nets.keep_embeddings(asked),
        )
        self._algorithm = learner.build(
            LearnerInputs(
                env=self._envs.sb3,
                source=self._envs.source,
                mode=settings.reward,
                seed=settings.seed,
                statistics=self._envs.statistics(int(_seeds(settings.seed, _STATISTICS, 0, count=1)[0])),
                discount=self._nets.discount,
            )
        )
        self._algorithm.set_logger(Logger(folder=None, output_formats=[]))
        self._callback = self._called_back()
        self._metrics, self._alarms = Metrics(output), AlarmLog(output)
        self._seconds = 0.0

    @property
    def algorithm(self) -> BaseAlgorithm:
        """The algorithm that learns."""
        return self._algorithm

    def run(self) -> TrainingResult:
        """Train to the end, or go on to it.

        Raises:
            CheckpointError: The folder's checkpoint is of another learner.
            OutputError: The disk is full.
            RewardHackingError: The monitor stopped it. The last checkpoint is whole; the policy of the moment is in
                `stopped_policy.zip` and, where there are videos, filmed.
        """
        self._resume()
        try:
            while not self._finished():
                self._segment()
        except RewardHackingError:
            self._save("stopped_policy.zip")
            if self._settings.videos:
                self._film("stopped")
            raise
        finally:
            self._metrics.close()
            self._envs.close()
        return self._result()

    def _resume(self) -> None:
        checkpoint = newest_checkpoint(self._output / "checkpoints")
        if checkpoint is None:
            return
        read_learner(self._algorithm, checkpoint.folder)
        self._metrics.restore(checkpoint.state["metrics"])
        self._alarms.restore(checkpoint.state.get("alarms", []))
        if "nets" in checkpoint.state:
            self._nets.restore(checkpoint.state["nets"])
        self._seconds = float(checkpoint.state["seconds"])

    def _segment(self) -> None:
        """Learn for `every` steps, judge, and write a checkpoint."""
        number, began = self._metrics.num_lines, time.monotonic()
        self._seed(number)
        self._algorithm._last_obs = None  # all environments begin an episode
        self._callback.begin()
        steps = min(self._segment_steps, self._settings.total_steps - self._algorithm.num_timesteps)
        self._algorithm.learn(steps, callback=self._callback, log_interval=None, reset_num_timesteps=False)  # pyright: ignore[reportArgumentType]
        learnt = time.monotonic() - began
        evaluation = self._evaluated()
        self._seconds += time.monotonic() - began
        line = self._line(number, evaluation, steps / learnt)
        self._metrics.add(line)
        self._keep(line)
        if self._settings.videos and (number % self._settings.videos == 0 or self._finished()):
            self._film(f"{self._algorithm.num_timesteps:09d}")
        self._listener.on_metrics(line)

    def _seed(self, segment: int) -> None:
        """Begin all random numbers anew, from the training's seed and the segment's number."""
        seed = int(_seeds(self._settings.seed, _RANDOM, segment, count=1)[0])
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # Stable-Baselines3 samples its buffers with it
        self._algorithm.action_space.seed(seed)
        self._envs.sb3.next_seeds = _seeds(
            self._settings.seed, _FIRST_EPISODES, segment, count=self._learner.num_envs
        ).tolist()

    def _evaluated(self) -> PolicyEvaluation | None:
        if not self._settings.evaluation_episodes:
            return None
        seeds = _seeds(self._settings.seed, _EVALUATION_SEEDS, 0, count=self._settings.evaluation_episodes)
        return evaluate_policy(self._algorithm, self._envs.evaluation, seeds=seeds.tolist(), mode=self._settings.reward)

    def _line(self, number: int, evaluation: PolicyEvaluation | None, rate: float) -> MetricsLine:
        played = self._callback.log.figures()
        learnt = {name: float(value) for name, value in self._algorithm.logger.name_to_value.items()}
        judged = {} if evaluation is None else {f"evaluation/{key}": value for key, value in asdict(evaluation).items()}
        return {
            "step": int(self._algorithm.num_timesteps),
            "segment": number,
            **judged,
            **{f"episodes/{key}": value for key, value in asdict(played).items()},
            **{key: value for key, value in learnt.items() if not key.startswith("time/")},
            **self._watched_figures(),
            "time/seconds": self._seconds,
            "time/steps_per_second": rate,
        }

    def _called_back(self) -> TrainingCallback:
        watched = None
        if isinstance(self._envs.source, ScoredVectorEnv):
            watched = WatchedEpisodes(
                self._nets, self._envs.source, mode=self._settings.reward, discount=self._discount, on_alarm=self._alarm
            )
        return TrainingCallback(
            self._envs, self._learner, discount=self._discount, watched=watched, on_steps=self._listener.on_steps
        )

    def _discount(self) -> float:
        """Give the discount of the moment."""
        return self._learner.discount if self._nets.discount is None else self._nets.discount()

    def _alarm(self, alarm: HackingAlarm, stops: bool) -> None:
        self._alarms.add(alarm, step=int(self._algorithm.num_timesteps), stops=stops)
        self._listener.on_alarm(alarm)

    def _watched_figures(self) -> dict[str, float]:
        """Give γ, and how far each rule of the monitor is on its way to an alarm."""
        figures = {"learning/discount": self._discount()}
        if self._nets.monitor is None:
            return figures
        before = self._metrics.lines[-1]["step"] if self._metrics.num_lines else 0
        shares = {f"monitor/{rule}": share for rule, share in self._nets.monitor.shares.items()}
        return figures | {"monitor/alarms": float(self._alarms.since(before))} | shares

    def _keep(self, line: MetricsLine) -> None:
        """Save policies and a checkpoint."""
        self._save("policy.zip")
        if line["step"] == self._metrics.best("evaluation/success_rate", then="evaluation/mean_return").get("step"):
            self._save("best_policy.zip")
        state = {
            "metrics": self._metrics.lines,
            "seconds": self._seconds,
            "alarms": self._alarms.lines,
            "nets": self._nets.state,
        }
        write_checkpoint(
            self._output / "checkpoints",
            steps=int(line["step"]),
            state=state,
            write=lambda folder: write_learner(self._algorithm, folder),
        )

    def _save(self, name: str) -> None:
        with atomic_file(self._output / name) as temporary, temporary.open("wb") as file:
            self._algorithm.save(file, exclude=["replay_buffer_kwargs", "exploration_schedule", "ep_info_buffer"])

    def _film(self, name: str) -> None:
        if self._listener.on_film is None or self._envs.filmed is None:
            return
        seed = int(_seeds(self._settings.seed, _EVALUATION_SEEDS, 0, count=1)[0])
        filmed = film_episode(self._algorithm, self._envs.filmed, seed=seed)
        path = self._output / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._listener.on_film(path, filmed)

    def _finished(self) -> bool:
        return self._algorithm.num_timesteps >= self._settings.total_steps or self._good_enough()

    def _good_enough(self) -> bool:
        wanted, count = self._settings.stop_success_rate, self._settings.stop_evaluations
        if wanted is None:
            return False
        rates = [_number(line.get("evaluation/success_rate")) for line in self._metrics.lines]
        return len(rates) >= count and all(rate >= wanted for rate in rates[-count:])

    def _result(self) -> TrainingResult:
        rates = [_number(line.get("evaluation/success_rate")) for line in self._metrics.lines]
        return TrainingResult(
            steps=int(self._algorithm.num_timesteps),
            success_rate=rates[-1] if rates else math.nan,
            best_success_rate=max((rate for rate in rates if not math.isnan(rate)), default=math.nan),
            stopped_early=self._good_enough(),
            policy=self._output / "policy.zip",
            best_policy=self._output / "best_policy.zip",
        )


def _seeds(seed: int, purpose: int, number: int, *, count: int) -> np.ndarray:
    return np.random.SeedSequence([seed, purpose, number]).generate_state(count) >> 1  # some simulators take 31 bits


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
