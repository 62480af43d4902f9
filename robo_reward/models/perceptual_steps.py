"""Unsupervised perceptual rewards: progress as membership of steps that a few demonstrations were split into."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.views import fuse_views
from robo_reward.models.step_calibration import COMBINATIONS, CalibratedReading, DemonstratedFrames, fit_camera
from robo_reward.models.step_labels import step_boundaries
from robo_reward.models.step_reading import CLASSIFIERS
from robo_reward.models.step_split import OBJECTIVES, step_of_frame
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import FitProgress, LabelledClip, OnEpoch, silently
from robo_reward.perception.tensor_digest import tensor_digest
from robo_reward.reward_model import Estimate


@final
class PerceptualSteps:
    """Progress as membership of the steps that demonstrations fall into, seen by every camera.

    `fitted_to` splits the demonstrations into steps of uniform looks, selects for each camera the features that single
    out each step, and reads a frame by their Gaussians. Progress is the expected position of the step, averaged over
    the last frames of that camera; its spread is the error on held-out frames and what the cameras disagree on. Where
    no progress was labelled, a step lies where the demonstrations' fraction of time passed lies.

    Args:
        encoder: Turns frames into vectors; flattened feature maps tell more than pooled ones.
        num_steps: Steps that the task is split into, from 2.
        min_size: Shortest step as a fraction of a demonstration, in [0, 1 / num_steps].
        objective: "weighted" counts a step by its length; "paper" as published, for few and informative features only.
        alpha: Weight of the distance between a step and the rest against their deviations, > 0.
        features_per_step: Features selected for each step, from 1.
        classifier: "gaussian", or "linear": multinomial regression on the same features.
        combination: "expected" gives a fraction of the task; "paper" the published sum Σ 2^(i−1) R_i, scaled to [0, 1].
        context: Frames that progress is averaged over, from 1.
        weights: What `fitted_to` learnt; None = not fitted, refuses to estimate.

    Raises:
        ValueError: An argument outside its range, or weights of another number of steps.

    Source:
        Sermanet et al. 2017 (1612.06699).
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        num_steps: int,
        min_size: float,
        objective: str,
        alpha: float,
        features_per_step: int,
        classifier: str,
        combination: str,
        context: int,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._encoder = encoder
        self._num_steps, self._min_size = num_steps, float(min_size)
        self._objective = objective
        self._alpha, self._features_per_step, self._context = float(alpha), features_per_step, context
        self._classifier = classifier
        self._combination = combination
        self._check()
        self._weights = dict(weights or {})
        self._readings = {camera: self._rebuilt(camera) for camera in _cameras(self._weights)}

    @property
    def encoder(self) -> ImageEncoder:
        """What the model looks through."""
        return self._encoder

    @property
    def context(self) -> int | None:
        """How many of the latest frames an estimate depends on."""
        return self._context

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        return {
            "num_steps": self._num_steps,
            "min_size": self._min_size,
            "objective": self._objective,
            "alpha": self._alpha,
            "features_per_step": self._features_per_step,
            "classifier": self._classifier,
            "combination": self._combination,
            "context": self._context,
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Features, Gaussians and calibration of each camera; empty before the fit."""
        return self._weights

    @property
    def version(self) -> str:
        """Identifies encoder, settings and weights."""
        parts = [type(self).__name__, self._encoder.version, self.settings, tensor_digest(self._weights)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings.

        Raises:
            ValueError: The model was not fitted, or not to one of the clip's cameras.
        """
        unknown = [camera for camera in clip.cameras if camera not in self._readings]
        if unknown:
            raise ValueError(f"perceptual steps were not fitted for camera {unknown}; fitted: {sorted(self._readings)}")
        readings = [self._readings[camera] for camera in clip.cameras]
        views = [
            each.progress(clip.embedding[:, :, view], classifier=self._classifier, combination=self._combination)
            for view, each in enumerate(readings)
        ]
        progress = mean_of_last(torch.stack(views, dim=-1), self._context)
        variance = torch.tensor([each.residual**2 for each in readings], dtype=torch.float64)
        return fuse_views(progress, variance.expand_as(progress))

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "PerceptualSteps":
        """Give the model fitted to the successful ones of recorded episodes, from one on; deterministic.

        There is one round, told of at its end.

        Raises:
            ValueError: No demonstration, of other cameras or too short, a camera that missed a step, or cameras that
                all show no step from another.
        """
        demonstrations = [each for each in clips if each.success]
        if not demonstrations:
            raise ValueError("demonstrations are empty; give at least one successful episode of the task")
        splits = step_boundaries(demonstrations, self._num_steps, min_size=self._min_size, objective=self._objective)
        fitted = {
            camera: fit_camera(
                [self._frames(each, split, view) for each, split in zip(demonstrations, splits, strict=True)],
                num_steps=self._num_steps,
                alpha=self._alpha,
                per_step=self._features_per_step,
                classifier=self._classifier,
                combination=self._combination,
            )
            for view, camera in enumerate(demonstrations[0].clip.cameras)
        }
        if all(each.slope == 0 for each in fitted.values()):
            raise ValueError(f"no camera of {sorted(fitted)} shows a step of the demonstrations from another")
        error = min(each.residual for each in fitted.values())
        on_epoch(FitProgress(epoch=1, epochs=1, training_error=error, held_out_error=error))
        weights = {
            f"{camera}/{name}": value for camera, each in fitted.items() for name, value in each.tensors().items()
        }
        return PerceptualSteps(self._encoder, **self.settings, weights=weights)  # pyright: ignore[reportArgumentType]

    def _frames(self, demonstration: LabelledClip, split: Sequence[int], view: int) -> DemonstratedFrames:
        """What one camera saw of one demonstration."""
        seen = demonstration.clip.present[0, :, view]
        step = step_of_frame(demonstration.num_frames, split)[seen]
        count = torch.bincount(step, minlength=self._num_steps)
        if int(count.min()) < 2:
            raise ValueError(
                f"camera '{demonstration.clip.cameras[view]}' saw the steps of a demonstration in {count.tolist()} "
                "frames; at least two of each are needed: ask for fewer steps or a larger min_size"
            )
        embedding = demonstration.clip.embedding[0, :, view]
        return DemonstratedFrames(
            embedding=embedding if bool(seen.all()) else embedding[seen],
            step=step,
            progress=_known_throughout(demonstration.target)[seen],
        )

    def _rebuilt(self, camera: str) -> CalibratedReading:
        start = f"{camera}/"
        own = {name.removeprefix(start): value for name, value in self._weights.items() if name.startswith(start)}
        reading = CalibratedReading.from_tensors(own)
        if len(reading.reading.position) != self._num_steps:
            raise ValueError(
                f"weights of camera '{camera}' are of {len(reading.reading.position)} steps, "
                f"num_steps is {self._num_steps}"
            )
        return reading

    def _check(self) -> None:
        for name, value, allowed in (
            ("objective", self._objective, OBJECTIVES),
            ("classifier", self._classifier, CLASSIFIERS),
            ("combination", self._combination, COMBINATIONS),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {list(allowed)}, got {value!r}")
        if self._num_steps < 2:
            raise ValueError(f"num_steps must be at least 2, got {self._num_steps}")
        if not 0 <= self._min_size <= 1 / self._num_steps:
            raise ValueError(f"min_size must be in [0, 1 / num_steps], got {self._min_size}")
        if self._alpha <= 0:
            raise ValueError(f"alpha must be > 0, got {self._alpha}")
        if self._features_per_step < 1 or self._context < 1:
            raise ValueError(
                f"features_per_step and context must be at least 1, got {self._features_per_step} and {self._context}"
            )


def mean_of_last(values: Float64[Tensor, "batch time view"], num_frames: int) -> Float64[Tensor, "batch time view"]:
    """Average over the last frames up to each, those without a value left out; NaN where the frame itself has none.

    The mean is taken of differences to the frame itself, so that a scene that stands still keeps its value bit for bit.
    """
    total, count = torch.zeros_like(values), torch.zeros_like(values)
    for back in range(min(num_frames, values.shape[1]) - 1, -1, -1):
        earlier = torch.full_like(values, torch.nan)
        earlier[:, back:] = values[:, : values.shape[1] - back]
        difference = earlier - values
        known = ~difference.isnan()
        total = total + torch.where(known, difference, 0.0)
        count = count + known
    return values + total / count


def _known_throughout(progress: Tensor) -> Tensor:
    """Fill in progress that nobody labelled: linear in time between labels, the nearest label before and after them."""
    frame = torch.arange(len(progress), dtype=torch.float64)
    known = ~progress.isnan()
    if not bool(known.any()):
        return torch.linspace(0, 1, len(progress))
    at, value = frame[known], progress[known].to(torch.float64)
    right = torch.searchsorted(at, frame).clamp(max=len(at) - 1)
    left = (right - 1).clamp(min=0)
    share = ((frame - at[left]) / (at[right] - at[left]).clamp(min=1)).clamp(0, 1)
    return (value[left] + share * (value[right] - value[left])).float()


def _cameras(weights: Mapping[str, Tensor]) -> list[str]:
    return sorted({name.rpartition("/")[0] for name in weights})
