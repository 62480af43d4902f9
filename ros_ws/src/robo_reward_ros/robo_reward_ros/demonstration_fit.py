"""Fits a reward model to a folder of demonstrations while the node runs. No ROS."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from robo_reward.cli.choose_models import fittable
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.models.saved_models import rebuild
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.fitting import FittableRewardModel
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.reward_model import RewardModel
from robo_reward.training.fit import read_description
from robo_reward.training.recordings import labelled_clips


def fitted_to_demonstrations(
    model: RewardModel,
    folder: str,
    *,
    instruction: str,
    cameras: Sequence[str],
    go_on: Callable[[], bool],
) -> FittableRewardModel:
    """Fit a model to the demonstrations of its task, as `robo-reward relabel demonstrations.path=…` does.

    Args:
        model: Bound to the task.
        folder: Of a LeRobot data set; episodes of which nobody said whether they succeeded count as successes.
        instruction: Whose episodes count.
        cameras: Which of its cameras count, in this order; empty = all.
        go_on: Asked now and then; False ends the fit.

    Raises:
        ValueError: A model that cannot be fitted, no demonstration of the task, a camera that they lack, or the fit
            was ended.
        DataSetError: No data set, or a damaged one.
    """
    fitting = fittable(model)
    source = LeRobotEpisodes(Path(folder).expanduser(), cameras=list(cameras) or None)
    chosen = [episode for episode in source.episodes if episode.instruction == instruction]
    if not chosen:
        there = sorted({episode.instruction for episode in source.episodes})
        raise ValueError(f"{source.description} has no demonstration of '{instruction}'; it has {there}")

    def checked(_: Any) -> None:
        if not go_on():
            raise ValueError("the fit was ended: the node is no longer active")

    embedder = EpisodeEmbedder(fitting.encoder, source, store=None)
    embedded = embedder.embed_all(chosen, on_frames=checked)
    clips = list(labelled_clips(source, embedded, steps_column=None, unknown_success=True))
    return fitting.fitted_to(clips, on_epoch=checked)


def model_like_saved(folder: Path, encoder: ImageEncoder, *, instruction: str) -> FittableRewardModel:
    """Give a folder's model, meant for another instruction; what it learnt is of the old one until it is fitted.

    Args:
        folder: As `robo-reward fit` wrote it; of several models the first counts, since they were fitted alike.
        encoder: What it looks through.
        instruction: That it will be fitted to.

    Raises:
        DataSetError: Files that are damaged.
    """
    old, described = sorted(read_description(folder)["models"].items())[0]
    return rebuild(_told(described, old, instruction), encoder, folder)


def _told(settings: Any, old: str, new: str) -> Any:
    """Put the new instruction where a model, or one inside it, has the old one."""
    if not isinstance(settings, Mapping):
        return settings
    return {
        name: new if name == "instruction" and each == old else _told(each, old, new) for name, each in settings.items()
    }


def only_task(folder: str) -> str:
    """Give the task of demonstrations that are all of one.

    Raises:
        ValueError: They are of several.
        DataSetError: No data set, or a damaged one.
    """
    source = LeRobotEpisodes(Path(folder).expanduser())
    tasks = sorted({episode.instruction for episode in source.episodes})
    if len(tasks) != 1:
        raise ValueError(f"instruction is empty, and {folder} has demonstrations of several tasks: {tasks}")
    return tasks[0]
