"""`robo-reward evaluate`: is the reward of a relabelled data set to be trusted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import Plain, build, plain, takes_encoder
from robo_reward.cli.choose_models import overridden_encoder, rebuild_model
from robo_reward.evaluation.evaluation import EvaluationSettings, evaluate
from robo_reward.evaluation.metrics_file import write_metrics
from robo_reward.evaluation.report import write_report
from robo_reward.perception.encoder import EmbeddingRewardModel
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.relabel.run import PROVENANCE, read_provenance


def run(config: DictConfig) -> None:
    """Evaluate as configured and say where the report is."""
    folder = Path(config.episodes.path)
    output = Path(config.output) if config.output is not None else folder.with_name(f"{folder.name}_report")
    provenance = read_provenance(folder)
    source = build(config.episodes, **_felt_as_recorded(config, provenance))
    described = provenance["models"]
    looks = any(takes_encoder(own) for own in described.values())
    encoder = build(overridden_encoder(provenance["encoder"], plain(config.encoder))) if looks else None
    models = {text: rebuild_model(own, encoder, (folder / PROVENANCE).parent) for text, own in described.items()}
    embed = None
    if encoder is not None and all(isinstance(model, EmbeddingRewardModel) for model in models.values()):
        store = build(config.embeddings)
        embed = EpisodeEmbedder(encoder, source, store=store, batch_size=config.batch_size).embed
    evaluation = evaluate(
        source,
        models.__getitem__,
        embed=embed,
        settings=EvaluationSettings(fitted_on=provenance["fitted_on"], **plain(config.settings)),
        provenance=provenance,
    )
    output.mkdir(parents=True, exist_ok=True)
    write_metrics(evaluation, output / "metrics.json")
    report = write_report(evaluation, output / "report.html", source=source, overlays=config.overlays)
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"report: {report}", markup=False)
    told = config.episodes.success_column is not None or "truth.success" in source.column_names
    if provenance.get("success_from") == "model" and not told:
        console.print(
            "next.success is what the success model decided: success figures compare the reward with that model, not "
            "with the truth (episodes.success_column=NAME reads a column that tells it)",
            markup=False,
        )


def _felt_as_recorded(config: DictConfig, provenance: Mapping[str, Any]) -> Plain:
    """Let models feel what they felt when the rewards were written, unless told otherwise."""
    recorded = provenance["episodes"].get("state")
    return {"state": recorded} if config.episodes.get("state") is None and recorded else {}
