"""An episode in the form that its reward model looks at, so that one control serves every kind of model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.source import EpisodeSource
from robo_reward.perception.encoder import EmbeddedClip, EmbeddingRewardModel, ImageEncoder, embed_clip
from robo_reward.reward_model import Estimate, RewardModel

CHUNK_FRAMES = 64


@runtime_checkable
class Footage(Protocol):
    """What the cameras saw of one episode, which can be put in another order or lose a camera."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Camera names."""
        ...

    @property
    def stamp(self) -> Float64[Tensor, " time"]:
        """Capture times [s]."""
        ...

    def take(self, index: Int64[Tensor, " picked"], *, stamp: Float64[Tensor, " picked"]) -> "Footage":
        """Show the frames of these indices, in this order, as if captured at these times."""
        ...

    def without(self, camera: str) -> "Footage":
        """Lose one camera for the whole episode."""
        ...

    def estimate(self, model: RewardModel) -> Estimate:
        """Let a model look."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PixelFootage:
    """Footage for models that look at pixels: the whole episode in memory."""

    clip: Clip

    @property
    def cameras(self) -> tuple[str, ...]:
        """Camera names."""
        return self.clip.cameras

    @property
    def stamp(self) -> Float64[Tensor, " time"]:
        """Capture times [s]."""
        return self.clip.stamp[0]

    def take(self, index: Int64[Tensor, " picked"], *, stamp: Float64[Tensor, " picked"]) -> "PixelFootage":
        """Show the frames of these indices, in this order, as if captured at these times."""
        return PixelFootage(clip=self.clip.take(index, stamp=stamp))

    def without(self, camera: str) -> "PixelFootage":
        """Lose one camera for the whole episode."""
        present = self.clip.present.clone()
        present[..., self.cameras.index(camera)] = False
        return PixelFootage(clip=replace(self.clip, present=present))

    def estimate(self, model: RewardModel) -> Estimate:
        """Let a model look."""
        return model.estimate(self.clip)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class EmbeddedFootage:
    """Footage for models that look through an encoder: no frame is encoded again for another order or model."""

    clip: EmbeddedClip
    encoder_version: str

    @property
    def cameras(self) -> tuple[str, ...]:
        """Camera names."""
        return self.clip.cameras

    @property
    def stamp(self) -> Float64[Tensor, " time"]:
        """Capture times [s]."""
        return self.clip.stamp[0]

    def take(self, index: Int64[Tensor, " picked"], *, stamp: Float64[Tensor, " picked"]) -> "EmbeddedFootage":
        """Show the frames of these indices, in this order, as if captured at these times."""
        return self._with(self.clip.embedding[:, index], stamp[None])

    def without(self, camera: str) -> "EmbeddedFootage":
        """Lose one camera for the whole episode."""
        embedding = self.clip.embedding.clone()
        embedding[:, :, self.cameras.index(camera)] = torch.nan
        return self._with(embedding, self.clip.stamp)

    def estimate(self, model: RewardModel) -> Estimate:
        """Let a model look.

        Raises:
            TypeError: The model does not look through an encoder.
            ValueError: The model looks through another encoder than these embeddings came from.
        """
        if not isinstance(model, EmbeddingRewardModel):
            raise TypeError(f"embeddings can be shown to an EmbeddingRewardModel only, not to {type(model).__name__}")
        if model.encoder.version != self.encoder_version:
            raise ValueError(
                f"models of one data set must share one encoder: the embeddings are from {self.encoder_version}, "
                f"{type(model).__name__} looks through {model.encoder.version}"
            )
        return model.estimate_embedded(self.clip)

    def _with(self, embedding: Tensor, stamp: Tensor) -> "EmbeddedFootage":
        clip = EmbeddedClip(embedding=embedding, cameras=self.cameras, stamp=stamp)
        return EmbeddedFootage(clip=clip, encoder_version=self.encoder_version)


def show(clip: Clip, model: RewardModel) -> Footage:
    """Put a clip into the form that the model looks at."""
    if isinstance(model, EmbeddingRewardModel):
        return EmbeddedFootage(clip=embed_clip(model.encoder, clip), encoder_version=model.encoder.version)
    return PixelFootage(clip=clip)


def read_footage(
    source: EpisodeSource,
    episode: Episode,
    *,
    model: RewardModel,
    embed: Callable[[Episode], EmbeddedClip] | None,
) -> Footage:
    """Read an episode in the form that the model looks at.

    Args:
        source: Where the pictures are.
        episode: Which episode.
        model: The model that will look.
        embed: Gives the episode's embeddings by the model's encoder, from a cache for instance; None = encode now.
            Not asked where the model looks at pixels.
    """
    if not isinstance(model, EmbeddingRewardModel):
        return PixelFootage(clip=_joined(list(source.clips(episode, num_frames=CHUNK_FRAMES))))
    clip = _embedded(source, episode, model.encoder) if embed is None else embed(episode)
    return EmbeddedFootage(clip=clip, encoder_version=model.encoder.version)


def _joined(clips: list[Clip]) -> Clip:
    return Clip(
        views={name: torch.cat([clip.views[name] for clip in clips], dim=1) for name in clips[0].cameras},
        present=torch.cat([clip.present for clip in clips], dim=1),
        stamp=torch.cat([clip.stamp for clip in clips], dim=1),
        state={name: torch.cat([clip.state[name] for clip in clips], dim=1) for name in clips[0].state},
    )


def _embedded(source: EpisodeSource, episode: Episode, encoder: ImageEncoder) -> EmbeddedClip:
    clips = [embed_clip(encoder, clip) for clip in source.clips(episode, num_frames=CHUNK_FRAMES)]
    return EmbeddedClip(
        embedding=torch.cat([clip.embedding for clip in clips], dim=1),
        cameras=clips[0].cameras,
        stamp=torch.cat([clip.stamp for clip in clips], dim=1),
    )
