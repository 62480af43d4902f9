"""`robo-reward fit`: reward models from demonstrations, kept in a folder."""

from importlib.metadata import version
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import build, plain
from robo_reward.cli.choose_models import choose_models, watched
from robo_reward.cli.fitting import fit_with_bar
from robo_reward.episodes.durable import check_absent
from robo_reward.training.fit import FittedModels, save_models


def run(config: DictConfig) -> None:
    """Fit as configured and say where the models are."""
    output = Path(config.output)
    check_absent(output)
    source = build(config.episodes)
    instructions = list(dict.fromkeys(episode.instruction for episode in source.episodes))
    chosen = choose_models(config, instructions)
    if config.watch_cameras:
        chosen = watched(chosen)
    models, curves = fit_with_bar(
        chosen.models,
        source,
        store=build(config.embeddings),
        batch_size=config.batch_size,
        steps_column=config.steps_column,
        unknown_success=config.unknown_success,
    )
    fitted = FittedModels(
        encoder=chosen.encoder_config,
        models=models,
        fitted_on={"software": f"robo_reward {version('robo-reward')}", "episodes": plain(config.episodes)},
        curves=curves,
    )
    save_models(fitted, output)
    console = Console(stderr=True, soft_wrap=True)
    console.print(
        f"{len(models)} fitted model{'s' if len(models) > 1 else ''} in {output}; "
        f"robo-reward relabel reward_model={output} episodes.path=… output=… puts its rewards into a data set",
        markup=False,
    )
