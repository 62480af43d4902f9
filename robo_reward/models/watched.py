"""A reward model behind a watch on its cameras: pictures that are not to be trusted count as not seen."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float32
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.camera_health import CameraWatch
from robo_reward.models.model_inside import below, built_inside, resume_inside, settings_inside, weights_inside
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip, OnEpoch, silently
from robo_reward.perception.tensor_digest import tensor_digest
from robo_reward.reward_model import Estimate


@final
class WatchedCameras:
    """Asks another model, and shows it only pictures of cameras that are to be trusted.

    A picture that `CameraWatch` finds lost, frozen, strange or swapped becomes absent; the inner model then answers
    from the other cameras, or abstains. Before a fit nothing is known of good pictures and nothing is left out.
    It carries its own memory: the frames that the watch looks back at, and what the inner model remembers, or, of one
    without a memory of its own, the trusted frames that it looks back at.

    Args:
        encoder: What watch and model look through.
        model: The inner model, or its settings as plain data with its class under `_target_`.
        frozen_after: Equal frames that make a camera frozen, ≥ 2.
        margin: How far beyond left-out good pictures a picture may lie, as a ratio of distances, ≥ 1.
        watch: Settings of the fitted watch; None = none was fitted.
        weights: From `WatchedCameras.weights`: the inner model's under `model.`, the watch's under `watch.`.

    Raises:
        ValueError: Settings without a class of this project, an inner model that looks through another encoder,
            a margin below 1, `frozen_after` below 2.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        model: Mapping[str, Any] | FittableRewardModel,
        frozen_after: int = 8,
        margin: float = 1.5,
        watch: Mapping[str, Any] | None = None,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        if margin < 1 or frozen_after < 2:
            raise ValueError(f"margin must be >= 1 and frozen_after >= 2, got {margin:g} and {frozen_after}")
        given = dict(weights or {})
        self._encoder, self._frozen_after, self._margin = encoder, frozen_after, float(margin)
        self._model = built_inside(encoder, model, given)
        self._watch = None if watch is None else CameraWatch(**watch, weights=below(given, "watch."))

    @property
    def encoder(self) -> ImageEncoder:
        """What the model looks through."""
        return self._encoder

    @property
    def model(self) -> FittableRewardModel:
        """The inner model."""
        return self._model

    @property
    def watch(self) -> CameraWatch | None:
        """The watch on the cameras; None before a fit."""
        return self._watch

    @property
    def context(self) -> None:
        """All frames since the episode began, by way of its memory."""
        return None

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        return {
            "model": settings_inside(self._model),
            "frozen_after": self._frozen_after,
            "margin": self._margin,
            "watch": None if self._watch is None else self._watch.settings,
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The inner model's weights under `model.`, the watch's under `watch.`."""
        watched = {} if self._watch is None else self._watch.weights
        return weights_inside(self._model) | {f"watch.{name}": tensor for name, tensor in watched.items()}

    @property
    def version(self) -> str:
        """Identifies the inner model and the watch."""
        watched = {} if self._watch is None else self._watch.weights
        text = json.dumps([type(self).__name__, self._model.version, self.settings, tensor_digest(watched)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings; the clip begins an episode.

        Raises:
            ValueError: A camera that the watch was not fitted to.
        """
        return self.resume(clip, None)[0]

    def resume(self, seen: EmbeddedClip, memory: "WatchMemory | None") -> tuple[Estimate, "WatchMemory"]:
        """Estimate the next frames of an episode; see `RecurrentRewardModel`.

        Raises:
            ValueError: A camera that the watch was not fitted to.
        """
        known = WatchMemory() if memory is None else memory
        window = _followed(known.pictures, seen)
        pictures = None if self._watch is None else _latest(window, self._watch.context - 1)
        trusted = self.trusted(window).latest(seen.stamp.shape[1])
        estimate, inner = resume_inside(self._model, trusted, known.inner)
        return estimate, WatchMemory(pictures=pictures, inner=inner)

    def trusted(self, clip: EmbeddedClip) -> EmbeddedClip:
        """Give the clip with every picture absent that is not to be trusted.

        Raises:
            ValueError: A camera that the watch was not fitted to.
        """
        if self._watch is None:
            return clip
        good = self._watch(self._in_order(clip, self._watch.cameras))
        columns = [self._watch.cameras.index(camera) for camera in clip.cameras]
        embedding = torch.where(good[..., columns, None], clip.embedding, torch.nan)
        return EmbeddedClip(embedding=embedding, cameras=clip.cameras, stamp=clip.stamp)

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "WatchedCameras":
        """Give the model with watch and inner model fitted; all recordings count as filmed by good cameras.

        Raises:
            ValueError: Clips that the watch or the inner model cannot learn from.
        """
        if not clips:
            raise ValueError("clips are empty; give at least one episode of the task")
        cameras = clips[0].clip.cameras
        if any(set(each.clip.cameras) != set(cameras) for each in clips):
            raise ValueError(f"clips disagree on cameras: {sorted({each.clip.cameras for each in clips})}")
        watch = CameraWatch.fitted_to(
            [self._in_order(each.clip, cameras) for each in clips],
            cameras=cameras,
            blanks=blank_pictures(self._encoder),
            frozen_after=self._frozen_after,
            margin=self._margin,
        )
        return WatchedCameras(
            self._encoder,
            model=self._model.fitted_to(clips, on_epoch=on_epoch),
            frozen_after=self._frozen_after,
            margin=self._margin,
            watch=watch.settings,
            weights={f"watch.{name}": tensor for name, tensor in watch.weights.items()},
        )

    def _in_order(self, clip: EmbeddedClip, cameras: Sequence[str]) -> Tensor:
        """Give the embeddings in the watch's order of cameras; one that the clip does not have is absent."""
        unknown = [camera for camera in clip.cameras if camera not in cameras]
        if unknown:
            raise ValueError(f"the watch was not fitted to camera {unknown}; fitted: {list(cameras)}")
        absent = torch.full_like(clip.embedding[:, :, 0], torch.nan)
        views = [
            clip.embedding[:, :, clip.cameras.index(camera)] if camera in clip.cameras else absent for camera in cameras
        ]
        return torch.stack(views, dim=2)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class WatchMemory:
    """What the model carries along an episode."""

    pictures: EmbeddedClip | None = None
    """The last frames as they came, which the watch looks back at."""
    inner: Any | None = None
    """The inner model's memory, or the trusted frames that it looks back at."""


def blank_pictures(encoder: ImageEncoder) -> Float32[Tensor, "blank dim"]:
    """Embed pictures that show nothing: black, greys, white, and noise, as a broken or covered camera gives."""
    levels = torch.tensor([0, 64, 128, 192, 255], dtype=torch.uint8)
    size = encoder.image_size
    plain = levels[:, None, None, None].expand(-1, 3, size, size)
    noise = torch.randint(0, 256, (1, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return encoder.embed(encoder.prepare(torch.cat([plain, noise, noise // 10])))


def _followed(before: EmbeddedClip | None, later: EmbeddedClip) -> EmbeddedClip:
    return later if before is None else before.followed_by(later)


def _latest(clip: EmbeddedClip, num_frames: int) -> EmbeddedClip | None:
    return clip.latest(num_frames) if num_frames else None
