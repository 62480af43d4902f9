"""A reward model whose spread was made to cover: scaled by how wrong the model was on episodes left out of its fit."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, final

from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.conformal import ConformalProgress, episodes_needed
from robo_reward.models.model_inside import built_inside, resume_inside, settings_inside, weights_inside
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip, OnEpoch, silently
from robo_reward.reward_model import Estimate


@final
class CalibratedSpread:
    """Asks another model, and scales its spread so that stated intervals hold on episodes like those left out.

        interval = p ± z · spread,   z = Φ⁻¹((1 + coverage) / 2),   spread = q/z · max(σ, σ₀)

    The fit leaves out as many labelled episodes as the coverage takes (9 for 0.9), evenly spaced among those given,
    fits the inner model to the others and finds q on those left out; see `ConformalProgress` for what is guaranteed.
    Labels are those given, else the fraction of time passed of a success. Before a fit the spread is the model's own.

    Args:
        encoder: What the model looks through.
        model: The inner model, or its settings as plain data with its class under `_target_`.
        coverage: Probability that an episode is covered, in (0, 1).
        frames_within: Fraction of an episode's frames that make it count as covered, in (0, 1].
        scale: q: half-width of the interval in the model's own spreads, ≥ 0; None = not fitted.
        weights: From `CalibratedSpread.weights`.

    Raises:
        ValueError: A number outside its range, settings without a class of this project, an inner model that looks
            through another encoder.

    Source:
        Split conformal prediction, Lei et al. 2018 (1604.04173), with episodes as the exchangeable units.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        model: Mapping[str, Any] | FittableRewardModel,
        coverage: float,
        frames_within: float = 0.9,
        scale: float | None = None,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        stated = ConformalProgress(scale=scale or 0.0, coverage=coverage, frames_within=frames_within)
        self._conformal = None if scale is None else stated
        self._encoder, self._coverage, self._frames_within = encoder, float(coverage), float(frames_within)
        self._model = built_inside(encoder, model, weights or {})

    @property
    def encoder(self) -> ImageEncoder:
        """What the model looks through."""
        return self._encoder

    @property
    def model(self) -> FittableRewardModel:
        """The inner model."""
        return self._model

    @property
    def conformal(self) -> ConformalProgress | None:
        """What was found on the episodes left out; None before a fit."""
        return self._conformal

    @property
    def width(self) -> float:
        """z: how many spreads on either side make the interval of the stated coverage."""
        return NormalDist().inv_cdf((1 + self._coverage) / 2)

    @property
    def context(self) -> None:
        """All frames since the episode began, by way of its memory."""
        return None

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        return {
            "model": settings_inside(self._model),
            "coverage": self._coverage,
            "frames_within": self._frames_within,
            "scale": None if self._conformal is None else self._conformal.scale,
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The inner model's weights under `model.`."""
        return weights_inside(self._model)

    @property
    def version(self) -> str:
        """Identifies the inner model and the scale."""
        text = json.dumps([type(self).__name__, self._model.version, self.settings])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings; the clip begins an episode."""
        return self._widened(self._model.estimate_embedded(clip))

    def resume(self, seen: EmbeddedClip, memory: Any | None) -> tuple[Estimate, Any]:
        """Estimate the next frames of an episode; see `RecurrentRewardModel`."""
        estimate, memory = resume_inside(self._model, seen, memory)
        return self._widened(estimate), memory

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "CalibratedSpread":
        """Give the model with the inner model fitted to some of the episodes and the spread scaled on the others.

        Raises:
            ValueError: Too few labelled episodes (how many are needed is said), episodes that the inner model cannot
                learn from, one left out of which it says nothing.
        """
        labelled = [number for number, clip in enumerate(clips) if not bool(clip.target.isnan().all())]
        needed = episodes_needed(self._coverage)
        if len(labelled) <= needed:
            raise ValueError(
                f"intervals of coverage {self._coverage:g} leave {needed} labelled episodes out of the fit, and at "
                f"least one must remain; got {len(labelled)} of {len(clips)} whose progress is known"
            )
        away = {labelled[(place * len(labelled)) // needed] for place in range(needed)}
        model = self._model.fitted_to([clip for n, clip in enumerate(clips) if n not in away], on_epoch=on_epoch)
        left_out = [clips[number] for number in sorted(away)]
        found = ConformalProgress.calibrated_on(
            [model.estimate_embedded(each.clip) for each in left_out],
            [each.target for each in left_out],
            coverage=self._coverage,
            frames_within=self._frames_within,
        )
        return CalibratedSpread(
            self._encoder,
            model=model,
            coverage=self._coverage,
            frames_within=self._frames_within,
            scale=found.scale,
        )

    def _widened(self, estimate: Estimate) -> Estimate:
        if self._conformal is None:
            return estimate
        return self._conformal.widened(estimate, width=self.width)
