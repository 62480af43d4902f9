"""Put rewards into a recorded data set: a new one is written beside it, the input is never touched."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from robo_reward.clip import Episode
from robo_reward.durable import atomic_file, check_absent, publish_folder, staging_folder
from robo_reward.episodes.bag import BagEpisodes
from robo_reward.episodes.lerobot_copy import CopyableSource, check_copyable, write_lerobot_v3
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.progress_sidecar import write_progress_sidecar
from robo_reward.models.saved_models import Rebuildable, write_weights
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.perception.fitting import FittableRewardModel
from robo_reward.relabel.decide_success import TellsSuccess, decided_episode, describe_decisions
from robo_reward.relabel.journal import Journal, job_fingerprint
from robo_reward.relabel.progress_bar import FrameProgress
from robo_reward.relabel.reward_columns import FEATURES, SUCCESS_PROBABILITY, reward_columns
from robo_reward.relabel.reward_messages import RewardTopics
from robo_reward.relabel.score_episodes import Scores, score_episodes
from robo_reward.relabel.write_bags import check_bags, write_bags
from robo_reward.reward_model import RewardModel
from robo_reward.shaping import LinearPotential, Potential

PROVENANCE = Path("meta") / "robo_reward" / "provenance.json"
"""Where a relabelled data set says what its rewards came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabelling:
    """What decides the rewards beside the recordings.

    Raises:
        ValueError: No model, or success that is to come from somewhere else or from models which are not there.
    """

    models: Mapping[str, RewardModel]
    """Instruction to the model bound to it."""
    discount: float
    """The learner's γ, in (0, 1]."""
    potential: Potential = field(default_factory=LinearPotential)
    success_reward: float = 1.0
    """Task reward of a transition that ends in success."""
    success: Mapping[str, TellsSuccess] = field(default_factory=dict)
    """Instruction to what tells success of it; their probabilities become a column. Empty = nothing tells it."""
    success_from: str = "dataset"
    """Who says what is a success, and so gives the task reward: dataset (as recorded) or model (`success` decides)."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What a reader needs to build the models again, as plain data; no clock times, no machine names."""

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models is empty; relabelling needs a reward model for each instruction")
        if self.success_from not in ("dataset", "model"):
            raise ValueError(f"success_from must be dataset or model, got '{self.success_from}'")
        missing = sorted(set(self.models) - set(self.success))
        if self.success_from == "model" and missing:
            raise ValueError(f"success_from=model needs a success model of {missing}; there are {sorted(self.success)}")


def relabel(
    source: CopyableSource,
    output: Path,
    relabelling: Relabelling,
    *,
    store: EmbeddingStore | None,
    batch_size: int = 64,
    into_bags: RewardTopics | None = None,
) -> Path:
    """Write a copy of a data set with rewards: as LeRobot v3 with reward columns, or as bags with reward topics.

    Everything is built in `<output>.partial` and renamed at the end. Killed at any moment, the same call continues and
    ends in the same bytes: finished episodes are kept, nothing depends on the clock.

    Args:
        source: The recordings.
        output: The new folder; must not exist.
        relabelling: Models and shaping.
        store: Keeps embeddings across runs; None keeps nothing.
        batch_size: Pictures handed to an encoder at a time.
        into_bags: Copy the bags that the source reads, with messages on these topics; None = write a data set.

    Returns:
        The output folder.

    Raises:
        OutputError: The output exists, `<output>.partial` belongs to another job, the disk is full.
        DataSetError: The source cannot be read as it claims to be; what was finished is kept for the next try.
        ValueError: An episode without a model, or bags asked for of a source that reads none.
    """
    staging, provenance = staging_folder(output), _full_provenance(relabelling, into_bags)
    if staging.exists() and output.exists() and read_provenance(output) == provenance:
        shutil.rmtree(staging)  # killed between the renaming and the clean-up
        return output
    check_absent(output)
    check_copyable(source)
    if into_bags is not None:
        check_bags(_bags(source), into_bags)
    journal = Journal(staging / "finished", job_fingerprint(provenance, source.episodes))
    _score(source, relabelling, journal, store=store, batch_size=batch_size)
    # rosbags names the file in a bag after its folder
    data_set = staging / "data_set" if into_bags is None else staging / "bag" / output.name
    if into_bags is None:
        _write(data_set, source, relabelling, journal)
    else:
        _write_bags(data_set, _bags(source), relabelling, journal, topics=into_bags)
    _write_models((data_set / PROVENANCE).parent, relabelling)
    with atomic_file(data_set / PROVENANCE) as temporary:
        temporary.write_text(json.dumps(provenance, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    publish_folder(data_set, output)
    shutil.rmtree(staging)
    return output


def read_provenance(folder: Path) -> dict[str, Any]:
    """Read what a relabelled data set says about its rewards.

    Raises:
        FileNotFoundError: The data set was not relabelled.
    """
    file = folder / PROVENANCE
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: {folder} was not written by `robo-reward relabel`")
    return json.loads(file.read_text())


def _score(
    source: CopyableSource,
    relabelling: Relabelling,
    journal: Journal,
    *,
    store: EmbeddingStore | None,
    batch_size: int,
) -> None:
    left = [episode for episode in source.episodes if not journal.has(episode)]
    total = sum(episode.num_frames for episode in source.episodes)
    with FrameProgress("scoring", total, finished=total - sum(episode.num_frames for episode in left)) as bar:
        scored = score_episodes(
            source,
            relabelling.models,
            episodes=left,
            store=store,
            success={text: told.classifier for text, told in relabelling.success.items()},
            batch_size=batch_size,
            on_frames=bar.advance,
        )
        for episode, scores in scored:
            journal.save(episode, scores)


def _write(data_set: Path, source: CopyableSource, relabelling: Relabelling, journal: Journal) -> None:
    columns = {**FEATURES, **({SUCCESS_PROBABILITY: "float32"} if relabelling.success else {})}
    features = {name: Feature(dtype=dtype, shape=(1,), names=None) for name, dtype in columns.items()}
    ends_recorded = "next.terminated" in source.features
    with FrameProgress("writing", sum(episode.num_frames for episode in source.episodes), finished=0) as bar:

        def extra_columns(episode: Episode) -> dict[str, Any]:
            bar.advance(episode.num_frames)
            return _rewards(relabelling, episode, journal.load(episode), ends_recorded=ends_recorded)[1]

        write_lerobot_v3(data_set, source, extra_features=features, extra_columns=extra_columns)
    versions = sorted({relabelling.models[episode.instruction].version for episode in source.episodes})
    write_progress_sidecar(data_set, reward_model="robo_reward:" + "+".join(versions))


def _write_bags(
    folder: Path, source: BagEpisodes, relabelling: Relabelling, journal: Journal, *, topics: RewardTopics
) -> None:
    with FrameProgress("writing", sum(episode.num_frames for episode in source.episodes), finished=0) as bar:

        def rewards_of(episode: Episode) -> tuple[Episode, dict[str, Any]]:
            bar.advance(episode.num_frames)
            return _rewards(relabelling, episode, journal.load(episode), ends_recorded=False)

        write_bags(
            folder,
            source,
            rewards_of,
            discount=relabelling.discount,
            success_reward=relabelling.success_reward,
            version_of={text: model.version for text, model in relabelling.models.items()},
            topics=topics,
        )


def _bags(source: CopyableSource) -> BagEpisodes:
    if not isinstance(source, BagEpisodes):
        raise ValueError(f"rewards go into bags where bags are read (episodes=mcap); this is {source.description}")
    return source


def _rewards(
    relabelling: Relabelling, episode: Episode, scores: Scores, *, ends_recorded: bool
) -> tuple[Episode, dict[str, Any]]:
    """Give the episode, its end and success as they are decided, and its reward columns."""
    probability = scores.success_probability
    if relabelling.success and probability is None:  # other tasks have a success model, this one has none: unknown
        probability = torch.full(scores.estimate.progress.shape, torch.nan)
    if relabelling.success_from == "model" and probability is not None:
        latch = relabelling.success[episode.instruction].latch()
        episode = decided_episode(episode, probability, latch=latch, ends_recorded=ends_recorded)
    return episode, reward_columns(
        episode,
        scores.estimate,
        potential=relabelling.potential,
        discount=relabelling.discount,
        success_reward=relabelling.success_reward,
        version=relabelling.models[episode.instruction].version,
        success_probability=probability,
    )


def _write_models(folder: Path, relabelling: Relabelling) -> None:
    """Keep the tensors that the provenance names."""
    for model in relabelling.models.values():
        if isinstance(model, FittableRewardModel):
            write_weights(folder, model)
    for told in relabelling.success.values():
        if isinstance(told.classifier, Rebuildable):
            write_weights(folder, told.classifier)


def _full_provenance(relabelling: Relabelling, into_bags: RewardTopics | None) -> dict[str, Any]:
    topics = {} if into_bags is None else {"topics": asdict(into_bags)}
    return {
        **relabelling.provenance,
        **topics,
        "discount": relabelling.discount,
        "potential": repr(relabelling.potential),
        "success_reward": relabelling.success_reward,
        "model_versions": {instruction: model.version for instruction, model in sorted(relabelling.models.items())},
        "success_from": relabelling.success_from,
        "success_versions": describe_decisions(relabelling.success),
    }
