"""`robo-reward relabel`: rewards into a recorded data set."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import Plain, build, plain
from robo_reward.cli.choose_models import ChosenModels, choose_models, watched
from robo_reward.cli.fitting import embed_recordings, fit_with_bar
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.relabel.run import Relabelling, relabel


def run(config: DictConfig) -> None:
    """Relabel as configured and say where the result is."""
    output = Path(config.output)
    source = build(config.episodes)
    store = build(config.embeddings)
    instructions = list(dict.fromkeys(episode.instruction for episode in source.episodes))
    chosen = choose_models(config, instructions)
    if config.demonstrations.path is not None:
        chosen = _fitted(config, chosen, store)
    relabelling = Relabelling(
        models=chosen.models,
        discount=config.discount,
        potential=build(config.shaping),
        success_reward=config.success_reward,
        provenance=_provenance(config, chosen, source),
    )
    relabel(source, output, relabelling, store=store, batch_size=config.batch_size)
    said = any(episode.success is not None for episode in source.episodes)
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"rewards of {len(source.episodes)} episodes are in {output}", markup=False)
    if not said:
        console.print(
            "nobody said which episodes succeeded: next.success is False throughout and next.reward the shaping term "
            "alone (episodes.success_column=NAME reads a column)",
            markup=False,
        )


def _fitted(config: DictConfig, chosen: ChosenModels, store: EmbeddingStore | None) -> ChosenModels:
    demonstrations = LeRobotEpisodes(
        Path(config.demonstrations.path),
        cameras=plain(config.episodes)["cameras"],
        select=plain(config.demonstrations)["select"],
    )
    if config.watch_cameras:
        chosen = watched(chosen)
    clips = embed_recordings(
        chosen.models,
        demonstrations,
        store=store,
        batch_size=config.batch_size,
        steps_column=config.demonstrations.steps_column,
        unknown_success=True,
    )
    models, _ = fit_with_bar(chosen.models, clips)
    return chosen.with_models(models)


def _provenance(config: DictConfig, chosen: ChosenModels, source: Any) -> Plain:
    """What a reader needs to build the models again; no clock times."""
    fitted_on: list[int] = []
    demonstrations = plain(config.demonstrations)
    # one folder under two spellings is still one: its demonstrations must not count as held out
    if demonstrations["path"] is not None and _same(demonstrations["path"], config.episodes.path):
        select = demonstrations["select"]
        fitted_on = [
            number
            for number, episode in enumerate(source.episodes)
            if not isinstance(select, list) or episode.index in select
        ]
    return {
        "software": f"robo_reward {version('robo-reward')}",
        "episodes": plain(config.episodes),
        "encoder": chosen.encoder_config,
        "models": chosen.described(),
        "shaping": plain(config.shaping),
        "demonstrations": demonstrations,
        "fitted_on": fitted_on,
        "success": "recorded" if any(episode.success is not None for episode in source.episodes) else "nobody said",
    }


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()
