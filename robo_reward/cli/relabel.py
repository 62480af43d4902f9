"""`robo-reward relabel`: rewards into a recorded data set."""

import math
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import Plain, build, plain
from robo_reward.cli.choose_models import ChosenModels, choose_models, watched
from robo_reward.cli.fitting import embed_recordings, fit_with_bar
from robo_reward.episodes.bag import BagEpisodes
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_rows import SENSED
from robo_reward.episodes.source import EpisodeSource
from robo_reward.models.saved_models import describe
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.relabel.reward_messages import RewardTopics
from robo_reward.relabel.run import Relabelling, relabel
from robo_reward.relabel.success_counts import count_successes
from robo_reward.training.fit_success import FittedSuccess


def run(config: DictConfig) -> None:
    """Relabel as configured and say where the result is."""
    output, into_bags = Path(config.output), _reward_topics(config)
    source = build(config.episodes)
    store = build(config.embeddings)
    instructions = list(dict.fromkeys(episode.instruction for episode in source.episodes))
    chosen = choose_models(config, instructions)
    _check_success(config, chosen)
    if config.demonstrations.path is not None:
        chosen = _fitted(config, chosen, store)
    relabelling = Relabelling(
        models=chosen.models,
        discount=config.discount,
        potential=build(config.shaping),
        success_reward=config.success_reward,
        success=chosen.success,
        success_from=config.success_from,
        provenance=_provenance(config, chosen, source),
    )
    relabel(source, output, relabelling, store=store, batch_size=config.batch_size, into_bags=into_bags)
    console = Console(stderr=True, soft_wrap=True)
    for line in source.notes if isinstance(source, BagEpisodes) else ():
        console.print(line, markup=False)
    console.print(f"rewards of {len(source.episodes)} episodes are in {output}", markup=False)
    for line in _said_of_success(source, relabelling, output, into_bags=into_bags is not None):
        console.print(line, markup=False)


def _reward_topics(config: DictConfig) -> RewardTopics | None:
    """Where rewards go in copies of bags; None = a LeRobot data set is written.

    Raises:
        ValueError: Another format.
    """
    if config.output_format not in ("lerobot", "bag"):
        raise ValueError(f"output_format must be lerobot or bag, got '{config.output_format}'")
    return RewardTopics().under(config.bag_namespace) if config.output_format == "bag" else None


def _said_of_success(source: EpisodeSource, relabelling: Relabelling, output: Path, *, into_bags: bool) -> list[str]:
    said = []
    if relabelling.success_from == "dataset" and all(episode.success is None for episode in source.episodes):
        other = "; success_from=model asks the success model" if relabelling.success else ""
        reads = "topic=TOPIC reads a topic" if isinstance(source, BagEpisodes) else "column=NAME reads a column"
        said.append(
            "nobody said which episodes succeeded: next.success is False throughout and next.reward the shaping term "
            f"alone (episodes.success_{reads}{other})"
        )
    if relabelling.success and not into_bags:
        counts = count_successes(LeRobotEpisodes(output))
        who = "the success model decided" if relabelling.success_from == "model" else "recorded"
        said.append(
            f"success, as {who}: {counts.succeeded} of {counts.episodes} episodes; the success model abstained at "
            f"{counts.unknown} of {counts.frames} frames"
        )
    return said


def _check_success(config: DictConfig, chosen: ChosenModels) -> None:
    """Refuse before any work is done what no fitted model can decide.

    Raises:
        ValueError: Success is to come from a model, and none was fitted to tell it.
    """
    missing = sorted(set(chosen.models) - set(chosen.success))
    if config.success_from == "model" and missing:
        raise ValueError(
            f"success_from=model: nothing was fitted to tell success of {missing}; robo-reward fit success=classifier "
            "episodes.path=DEMOS output=FITTED fits it beside the reward model, reward_model=FITTED uses both"
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


def _provenance(config: DictConfig, chosen: ChosenModels, source: EpisodeSource) -> Plain:
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
        "episodes": plain(config.episodes) | _felt_in_copy(config, source),
        "encoder": chosen.encoder_config,
        "models": chosen.described(),
        "shaping": plain(config.shaping),
        "demonstrations": demonstrations,
        "fitted_on": fitted_on,
        "success": _success_said_by(config, source),
        "success_models": {
            text: describe(told.classifier) | {"certified": _plain_certificate(told)}
            for text, told in chosen.success.items()
        },
    }


def _felt_in_copy(config: DictConfig, source: EpisodeSource) -> Plain:
    """Name the columns of a data set made of bags that hold what models felt; the topics beside them."""
    if not isinstance(source, BagEpisodes) or not config.episodes.state:
        return {}
    topics = plain(config.episodes)["state"]
    return {"state": {name: {"column": SENSED + name} for name in topics}, "state_topics": topics}


def _plain_certificate(told: FittedSuccess) -> Plain | None:
    """Give what is known of a threshold; what is not known is null, since NaN is no JSON and equals not even itself."""
    if told.certified is None:
        return None
    return {name: None if math.isnan(value) else value for name, value in asdict(told.certified).items()}


def _success_said_by(config: DictConfig, source: EpisodeSource) -> str:
    if config.success_from == "model":
        return "decided by the success model"
    return "recorded" if any(episode.success is not None for episode in source.episodes) else "nobody said"


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()
