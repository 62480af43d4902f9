"""From recorded episodes to estimates, by the same models and windows as a stream."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.source import EpisodeSource
from robo_reward.models.success import SuccessClassifier, SuccessModel
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.perception.encoder import EmbeddingRewardModel, ImageEncoder, embed_clip
from robo_reward.relabel.embed_episodes import CHUNK, EpisodeEmbedder
from robo_reward.reward_model import Estimate, RecurrentRewardModel, RewardModel

OnFrames = Callable[[int], None]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Scores:
    """What the models of its task say of every frame of one episode."""

    estimate: Estimate
    success_probability: Float32[Tensor, "1 time"] | None = None
    """NaN where the success model abstains; None where there is none."""


def score_episodes(
    source: EpisodeSource,
    models: Mapping[str, RewardModel],
    *,
    episodes: Sequence[Episode],
    store: EmbeddingStore | None,
    success: Mapping[str, SuccessModel] | None = None,
    batch_size: int = 64,
    on_frames: OnFrames = lambda num_frames: None,
) -> Iterator[tuple[Episode, Scores]]:
    """Estimate the progress of every frame of the episodes, in their order, and how probable success is there.

    Args:
        source: Where the episodes are.
        models: Instruction to the model that is bound to it.
        episodes: Of the source.
        store: Keeps embeddings across runs; None keeps nothing.
        success: Instruction to what tells success of it, looking through the models' encoder; None = nothing does.
        batch_size: Pictures handed to an encoder at a time.
        on_frames: Told how many more frame sets were seen.

    Raises:
        ValueError: An episode whose instruction has no model, models of progress or success that look through
            different encoders, or success models beside a model that looks through none.
        DataSetError: Pictures that are missing or damaged.
    """
    missing = sorted({episode.instruction for episode in episodes} - set(models))
    if missing:
        raise ValueError(f"no reward model for instruction {missing}; there are models for {sorted(models)}")
    embedding = {text: model for text, model in models.items() if isinstance(model, EmbeddingRewardModel)}
    if len(embedding) == len(models):
        encoder = _shared_encoder(embedding, success or {})
        embedder = EpisodeEmbedder(encoder, source, store=store, batch_size=batch_size)
        for episode, clip in embedder.embed_all(episodes, on_frames=on_frames):
            told = (success or {}).get(episode.instruction)
            yield (
                episode,
                Scores(
                    estimate=embedding[episode.instruction].estimate_embedded(clip),
                    success_probability=None if told is None else told.probability(clip),
                ),
            )
    elif success:
        raise ValueError(f"success models need embeddings, and the models of {_others(models)} look through no encoder")
    else:
        for episode in episodes:
            estimate = estimate_in_windows(models[episode.instruction], source, episode, on_frames=on_frames)
            yield episode, Scores(estimate=estimate)


def estimate_in_windows(
    model: RewardModel, source: EpisodeSource, episode: Episode, *, on_frames: OnFrames = lambda num_frames: None
) -> Estimate:
    """Estimate an episode chunk by chunk, each behind as many earlier frames as the model depends on.

    A model that depends on all frames (`context` None) and carries no memory of its own has the whole episode in
    memory in the end.
    """
    parts: list[Estimate] = []
    for part in _parts(model, source, episode):
        parts.append(part)
        on_frames(part.progress.shape[1])
    return Estimate(
        progress=torch.cat([part.progress for part in parts], dim=1),
        spread=torch.cat([part.spread for part in parts], dim=1),
    )


def _parts(model: RewardModel, source: EpisodeSource, episode: Episode) -> Iterator[Estimate]:
    before: Clip | None = None
    memory = None
    for clip in source.clips(episode, num_frames=CHUNK):
        if isinstance(model, RecurrentRewardModel):
            seen = embed_clip(model.encoder, clip) if isinstance(model, EmbeddingRewardModel) else clip
            estimate, memory = model.resume(seen, memory)
            yield estimate
            continue
        window = clip if before is None else before.followed_by(clip)
        estimate = model.estimate(window)
        new = clip.stamp.shape[1]
        yield Estimate(progress=estimate.progress[:, -new:], spread=estimate.spread[:, -new:])
        # one frame less than the context: the next chunk brings at least one of its own
        before = None if model.context == 1 else window.latest(None if model.context is None else model.context - 1)


def _others(models: Mapping[str, RewardModel]) -> list[str]:
    return sorted(text for text, model in models.items() if not isinstance(model, EmbeddingRewardModel))


def _shared_encoder(models: Mapping[str, EmbeddingRewardModel], success: Mapping[str, SuccessModel]) -> ImageEncoder:
    classifiers = [told for told in success.values() if isinstance(told, SuccessClassifier)]
    encoders = {model.encoder.version: model.encoder for model in (*classifiers, *models.values())}
    if len(encoders) != 1:
        raise ValueError(f"models of one run must share an encoder, got {sorted(encoders)}")
    return next(iter(encoders.values()))
