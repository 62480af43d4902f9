"""An encoder of the task's own, trained on the demonstrations before anything looks through it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor

from robo_reward.cli.build import plain, takes_encoder
from robo_reward.cli.freed_memory import keep_freed_memory
from robo_reward.episodes.source import EpisodeSource
from robo_reward.perception.trained_convolution import trained_convolution
from robo_reward.relabel.progress_bar import FrameProgress
from robo_reward.training.fit_encoder import EncoderFit, EncoderLessons, encoder_lessons, fit_encoder

OWN = f"{trained_convolution.__module__}.{trained_convolution.__name__}"
"""The target of `encoder=own`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEncoder:
    """A configuration whose encoder can be built."""

    config: DictConfig
    file: Path | None
    """Its weights, which go away with the fit; None = nothing was trained."""


@contextmanager
def own_encoder(config: DictConfig, source: EpisodeSource) -> Iterator[OwnEncoder]:
    """Train the encoder where it is the task's own, has no weights and is looked through; leave others as they are.

    Raises:
        ValueError: Settings outside their range.
        DataSetError: No successful episode to train on.
    """
    own = config.encoder["_target_"] == OWN and config.encoder.weights is None
    if not own or not takes_encoder(config.reward_model):
        yield OwnEncoder(config=config, file=None)
        return
    settings = EncoderFit(**plain(config.own_encoder))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "encoder.safetensors"
        lessons = _lessons(config, source)
        keep_freed_memory()
        save_file(dict(_fitted(lessons, settings)), file)
        changed = OmegaConf.merge(config, {"encoder": {"weights": str(file)}})
        assert isinstance(changed, DictConfig)  # noqa: S101  of a dictionary
        yield OwnEncoder(config=changed, file=file)


def _lessons(config: DictConfig, source: EpisodeSource) -> EncoderLessons:
    total = sum(episode.num_frames for episode in source.episodes)
    with FrameProgress("reading demonstrations", total, finished=0) as bar:
        return encoder_lessons(
            source,
            image_size=config.encoder.image_size,
            unknown_success=config.unknown_success,
            on_frames=bar.advance,
        )


def _fitted(lessons: EncoderLessons, settings: EncoderFit) -> Mapping[str, Tensor]:
    console = Console(stderr=True)
    columns = (
        TextColumn("training the encoder"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[error]}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=settings.steps, error="")
        return fit_encoder(
            lessons,
            settings,
            on_step=lambda step, loss: bar.update(task, completed=step, error=f"error {loss**0.5:.3f}"),
        )
