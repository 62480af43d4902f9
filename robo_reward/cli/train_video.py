"""Videos of a policy, with the progress that the reward model saw drawn below the cameras as it came."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig

from robo_reward.clip import Clip, Episode
from robo_reward.evaluation.episode_evaluation import evaluate_episode
from robo_reward.evaluation.overlay import overlay_video
from robo_reward.evaluation.recording import Recording
from robo_reward.reward_model import RewardModel
from robo_reward.rl.environment_info import PROGRESS
from robo_reward.rl.policy_evaluation import FilmedEpisode
from robo_reward.rl.state_progress import StateProgress
from robo_reward.shaping import Potential
from robo_reward.stream import Reward, RewardStream


def write_video(
    path: Path,
    episode: FilmedEpisode,
    *,
    instruction: str,
    model: RewardModel | None,
    potential: Potential,
    config: DictConfig,
) -> None:
    """Write an H.264 video of an episode, its progress as the model saw it live.

    Args:
        path: The mp4 file.
        episode: What the cameras saw.
        instruction: The task in words.
        model: Bound to the task; None = no progress is known.
        potential: From progress to Φ.
        config: Of the training.

    Raises:
        OutputError: The file cannot be written.
    """
    clips = [_clip(frames, stamp) for frames, stamp in zip(episode.frames, episode.stamps, strict=True)]
    progress, spread, shaped = _seen(episode, clips, model, potential, discount=config.learner.discount)
    success = torch.zeros(len(clips), dtype=torch.bool)
    success[-1] = episode.success
    recording = Recording(
        progress=progress,
        spread=spread,
        potential=None,
        shaped=shaped,
        true_reward=None,
        success=success,
        outcome=None,
    )
    told = Episode(
        index=0,
        instruction=instruction,
        cameras=clips[0].cameras,
        stamp=torch.tensor(episode.stamps, dtype=torch.float64),
        terminated=episode.terminated,
        success=success,
    )
    evaluation = evaluate_episode(told, recording, task=instruction, fitted=False, controls={})
    rate = 1 / float(np.median(np.diff(episode.stamps)))
    with overlay_video(path, evaluation, outcome=None, fps=rate) as add:
        for clip in clips:
            add(clip)


def _seen(
    episode: FilmedEpisode,
    clips: Sequence[Clip],
    model: RewardModel | None,
    potential: Potential,
    *,
    discount: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give progress, spread and the reward of the transition that ended there, frame by frame."""
    nothing = torch.full((len(clips),), torch.nan)
    if model is None:
        return nothing, nothing.clone(), nothing.clone()
    progress, spread, shaped = nothing.clone(), nothing.clone(), nothing.clone()
    stream = RewardStream(model, discount=discount, potential=potential)
    for time, clip in enumerate(clips):
        reward = _step(stream, clip, episode, time)
        progress[time], spread[time] = stream.latest
        if reward is not None:
            shaped[time] = reward.reward
    return progress, spread, shaped


def _step(stream: RewardStream, clip: Clip, episode: FilmedEpisode, time: int) -> Reward | None:
    last = time == len(episode.frames) - 1
    truth = {}
    if isinstance(stream.model, StateProgress):
        truth = {PROGRESS: torch.tensor([float(episode.infos[time][PROGRESS])], dtype=torch.float64)}
    return stream.step(
        {name: frames[0, 0] for name, frames in clip.views.items()},
        stamp=float(clip.stamp[0, 0]),
        terminated=last and episode.terminated,
        truncated=last and not episode.terminated,
        state=truth,
    )


def _clip(frames: object, stamp: float) -> Clip:
    assert isinstance(frames, dict)  # noqa: S101  as `environment_info` has it
    views = {name: torch.from_numpy(np.ascontiguousarray(picture))[None, None] for name, picture in frames.items()}
    return Clip(
        views=views,
        present=torch.ones(1, 1, len(views), dtype=torch.bool),
        stamp=torch.tensor([[stamp]], dtype=torch.float64),
    )
