"""Vectorised environments whose every state has a potential, computed once from what the cameras saw of it."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from jaxtyping import Bool, Float64, Int64, Shaped

from robo_reward.reward_model import RewardModel
from robo_reward.rl.environment_info import FINAL_INFO, arrival_values
from robo_reward.rl.frame_embeddings import FrameEmbeddings
from robo_reward.rl.frame_scorer import FrameScorer
from robo_reward.rl.info_clips import InfoClips
from robo_reward.rl.state_progress import StateProgress
from robo_reward.rl.transitions import ScoredTransitions
from robo_reward.shaping import Potential


class ScoredVectorEnv(VectorWrapper):
    """Lets a reward model look at every state of several environments: all of a step in one batch, or later.

    Rewards stay the environment's own; `latest` names the frame sets at both ends of each transition and `potentials`
    gives their Φ, from which a learner's reward follows (`perceived_reward`) with the discount of the moment. The end
    of an episode is judged by its true last frame set, never by the first one of the next, in each of Gymnasium's
    auto-reset modes. Potentials are those that a `RewardStream` per environment gives, bit for bit.

    Each environment's `info` must carry `frames` and `stamp`; see `environment_info` and `CameraInfo`.

    Args:
        env: The environments; in their `info` may be `steps`, environment steps that one action took.
        model: Bound to the task.
        potential: From progress to Φ; None = Φ is progress.
        deferred: Look at frames in a thread beside the environments, in whole batches; potentials are known after
            `settle`, such as at the end of a rollout.
        keep_frames: Keep pictures, so that `change_model` can have them looked at again.
        keep_embeddings: Keep what the model's encoder makes of them in `embeddings`, until they are forgotten there.

    Raises:
        ValueError: Embeddings are to be kept, and the model looks through no encoder.
    """

    def __init__(
        self,
        env: VectorEnv,
        model: RewardModel,
        *,
        potential: Potential | None = None,
        deferred: bool = False,
        keep_frames: bool = False,
        keep_embeddings: bool = False,
    ) -> None:
        super().__init__(env)
        self.scorer = FrameScorer(
            model,
            num_envs=env.num_envs,
            potential=potential,
            deferred=deferred,
            keep_frames=keep_frames,
            keep_embeddings=keep_embeddings,
        )
        self._deferred = deferred
        self._clips = InfoClips(truth=isinstance(model, StateProgress))
        self._mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._here = np.full(env.num_envs, -1)
        self._elapsed = np.zeros(env.num_envs)
        self._ended = np.zeros(env.num_envs, np.bool_)
        self.latest: ScoredTransitions | None = None
        """The transitions of the last step; None before it."""

    @property
    def version(self) -> str:
        """Version of the model that gave all potentials."""
        return self.scorer.version

    @property
    def embeddings(self) -> FrameEmbeddings | None:
        """Of the frame sets that were scored; None where they are not kept."""
        return self.scorer.embeddings

    @property
    def here(self) -> Int64[np.ndarray, " env"]:
        """Number of each environment's present frame set; -1 before the first one."""
        return self._here.copy()

    def potentials(self, numbers: Int64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
        """Give Φ of numbered frame sets; see `FrameScorer.potentials`."""
        return self.scorer.potentials(numbers)

    def settle(self) -> None:
        """Score the frames that were deferred, all in one batch."""
        self.scorer.settle()

    def forget_before(self, number: int) -> None:
        """Let go of frame sets that nobody asks about any more."""
        self.scorer.forget_before(number)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every environment, or in those of `options["reset_mask"]`."""
        mask = None if options is None else options.get("reset_mask")
        observation, infos = self.env.reset(seed=seed, options=options)
        self._begin(infos, np.ones(self.num_envs, np.bool_) if mask is None else mask)
        self.scorer.settle(now=False)
        return observation, self._with_potentials(infos)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Act in every environment; rewards stay the environment's own."""
        observation, rewards, terminated, truncated, infos = self.env.step(actions)
        begun = self._ended if self._mode == AutoresetMode.NEXT_STEP else np.zeros(self.num_envs, np.bool_)
        ended = terminated | truncated
        replaced = ended & (self._mode == AutoresetMode.SAME_STEP)
        departure = self._here.copy()
        self._elapsed += 1
        self._arrive(infos, ~begun & ~replaced)
        if replaced.any():
            self._arrive(infos[FINAL_INFO], replaced)
        arrival = self._here.copy()
        if (begun | replaced).any():
            self._begin(infos, begun | replaced)
        self.scorer.settle(now=False)
        self._ended = ended
        self.latest = ScoredTransitions(
            departure=departure,
            arrival=arrival,
            task_reward=rewards.astype(np.float64),
            terminated=terminated.copy(),
            truncated=truncated.copy(),
            steps=arrival_values(infos, "steps", ended=replaced, default=1).astype(np.int64),
            real=~begun,
        )
        return observation, rewards, terminated, truncated, self._with_potentials(infos)

    def change_model(self, model: RewardModel) -> None:
        """Have every kept frame looked at by another version of the model; see `FrameScorer.change_model`."""
        self.scorer.change_model(model)

    def _begin(self, infos: dict[str, Any], mask: Bool[np.ndarray, " env"]) -> None:
        self._elapsed[mask] = 0
        self._ended = self._ended & ~mask
        self._take(infos, mask, begins=True)

    def _arrive(self, infos: dict[str, Any], mask: Bool[np.ndarray, " env"]) -> None:
        if mask.any():
            self._take(infos, mask, begins=False)

    def _take(self, infos: dict[str, Any], mask: Bool[np.ndarray, " env"], *, begins: bool) -> None:
        rows = np.flatnonzero(mask).tolist()
        clip = self._clips.clip(infos, rows, elapsed=self._elapsed[rows])
        self._here[rows] = self.scorer.take(clip, rows, begins=begins)

    def _with_potentials(self, infos: dict[str, Any]) -> dict[str, Any]:
        """Tell potentials in `info`, too, where they are known at once."""
        if self._deferred:
            return infos
        told: dict[str, Shaped[np.ndarray, " env"]] = {"potential": self.potentials(self._here)}
        if self.latest is not None:
            told["departure_potential"] = self.potentials(self.latest.departure)
            told["arrival_potential"] = self.potentials(self.latest.arrival)
        return infos | told
