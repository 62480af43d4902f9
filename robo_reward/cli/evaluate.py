"""`robo-reward evaluate`: is the reward of a relabelled data set to be trusted."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import build, plain
from robo_reward.evaluation.evaluation import EvaluationSettings, evaluate
from robo_reward.evaluation.metrics_file import write_metrics
from robo_reward.evaluation.report import write_report
from robo_reward.perception.encoder import EmbeddingRewardModel
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.relabel.run import read_provenance


def run(config: DictConfig) -> None:
    """Evaluate as configured and say where the report is."""
    folder = Path(config.episodes.path)
    output = Path(config.output) if config.output is not None else folder.with_name(f"{folder.name}_report")
    provenance = read_provenance(folder)
    source = build(config.episodes)
    encoder = build(provenance["encoder"] | plain(config.encoder))
    models = {text: build(own, encoder=encoder) for text, own in provenance["models"].items()}
    embedder = EpisodeEmbedder(encoder, source, store=build(config.embeddings), batch_size=config.batch_size)
    embeds = all(isinstance(model, EmbeddingRewardModel) for model in models.values())
    evaluation = evaluate(
        source,
        models.__getitem__,
        embed=embedder.embed if embeds else None,
        settings=EvaluationSettings(fitted_on=provenance["fitted_on"], **plain(config.settings)),
        provenance=provenance,
    )
    output.mkdir(parents=True, exist_ok=True)
    write_metrics(evaluation, output / "metrics.json")
    report = write_report(evaluation, output / "report.html", source=source, overlays=config.overlays)
    Console(stderr=True, soft_wrap=True).print(f"report: {report}", markup=False)
