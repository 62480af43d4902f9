"""Fitting with a progress bar, for the verbs that fit."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from robo_reward.cli.choose_models import fittable
from robo_reward.episodes.source import EpisodeSource
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.perception.fitting import FitProgress, FittableRewardModel, LabelledClip
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.relabel.progress_bar import FrameProgress
from robo_reward.reward_model import RewardModel
from robo_reward.training.fit import fit_models
from robo_reward.training.recordings import labelled_clips


def fit_with_bar(
    models: Mapping[str, RewardModel], clips: Mapping[str, Sequence[LabelledClip]]
) -> tuple[dict[str, FittableRewardModel], dict[str, list[FitProgress]]]:
    """Fit each model to the recordings of its instruction, and show how it goes on standard error.

    Raises:
        ValueError: A model that cannot be fitted.
    """
    chosen = {text: fittable(model) for text, model in models.items()}
    console = Console(stderr=True)
    columns = (TextColumn("fitting {task.description}"), BarColumn(), TextColumn("{task.fields[error]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bar:
        tasks = {text: bar.add_task(text, total=None, error="") for text in chosen}

        def on_epoch(text: str, progress: FitProgress) -> None:
            held = progress.held_out_error
            error = "" if math.isnan(held) else f"held-out error {held:.3f}"
            bar.update(tasks[text], completed=progress.epoch, total=progress.epochs, error=error)

        return fit_models(chosen, clips.__getitem__, on_epoch=on_epoch)


def embed_recordings(
    models: Mapping[str, RewardModel],
    recordings: EpisodeSource,
    *,
    store: EmbeddingStore | None,
    batch_size: int,
    steps_column: str | None,
    unknown_success: bool | None,
) -> dict[str, Sequence[LabelledClip]]:
    """Embed the recordings of each model's instruction, and show how it goes on standard error.

    Raises:
        ValueError: A model that cannot be fitted, or an instruction without a recording.
    """
    looking = [fittable(model) for model in models.values()]
    clips: dict[str, list[LabelledClip]] = {text: [] for text in models}
    chosen = [episode for episode in recordings.episodes if episode.instruction in models]
    missing = sorted(set(models) - {episode.instruction for episode in chosen})
    if missing:
        there = sorted({episode.instruction for episode in recordings.episodes})
        raise ValueError(f"{recordings.description} has no demonstration of {missing}; it has {there}")
    embedder = EpisodeEmbedder(looking[0].encoder, recordings, store=store, batch_size=batch_size)
    total = sum(episode.num_frames for episode in chosen)
    with FrameProgress("looking at demonstrations", total, finished=0) as bar:
        labelled = labelled_clips(
            recordings,
            embedder.embed_all(chosen, on_frames=bar.advance),
            steps_column=steps_column,
            unknown_success=unknown_success,
        )
        for episode, clip in zip(chosen, labelled, strict=True):
            clips[episode.instruction].append(clip)
    return dict(clips)
