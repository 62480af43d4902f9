"""Several reward models' opinions as one model: no member can be exploited alone."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.ensembles import ensemble_mean, uncertainty_weighted, worst_case
from robo_reward.models.model_inside import below, built_inside, resume_inside, settings_inside, weights_inside
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip, OnEpoch, silently
from robo_reward.reward_model import Estimate

Join = Callable[[Tensor], Tensor]
"""From opinions (member, …) to one (…)."""


def less_deviation(opinions: Float[Tensor, "member ..."], *, penalty: float) -> Float[Tensor, "..."]:
    """Give the mean less the members' population standard deviation times a penalty.

        mean_i o_i − k · √(mean_i (o_i − mean_j o_j)²)

    In the units of the opinions, other than `uncertainty_weighted`, whose penalty acts on their square.

    Args:
        opinions: One number per member; NaN = a member that abstains, and with it the ensemble.
        penalty: k, ≥ 0.

    Raises:
        ValueError: No member, or a negative penalty.

    Example:
        >>> import torch
        >>> less_deviation(torch.tensor([0.25, 0.75]), penalty=1.0)
        tensor(0.2500)
    """
    if not penalty >= 0:
        raise ValueError(f"penalty must be >= 0, got {penalty:g}")
    return ensemble_mean(opinions) - penalty * opinions.double().std(dim=0, correction=0).to(opinions.dtype)


RULES: Mapping[str, Callable[[float], Join]] = MappingProxyType(
    {
        "mean": lambda _: ensemble_mean,
        "worst_case": lambda _: worst_case,
        "less_variance": lambda penalty: partial(uncertainty_weighted, penalty=penalty),
        "less_deviation": lambda penalty: partial(less_deviation, penalty=penalty),
    }
)
"""How opinions become one, by name, for a penalty; the first two have none."""


@final
class EnsembleModel:
    """Progress on which several models agree.

    By `rule`: the mean, the smallest opinion, the mean less λ times the variance, or less k times the standard
    deviation; limited to [0, 1] again, before any potential is made of it. The spread is that of the mixture: the mean
    of the members' variances and the variance of their opinions. It abstains where a member does: which of the others
    would be right, nobody knows. All members look through one encoder, so that no frame is encoded twice.

    Args:
        encoder: What the members look through.
        models: The members, or their settings as plain data with their class under `_target_`; at least two.
        rule: One of `RULES`.
        penalty: λ or k, ≥ 0; not used by mean and worst_case.
        weights: From `EnsembleModel.weights`: of member i under `i.model.`.

    Raises:
        ValueError: Fewer than two members, an unknown rule, a negative penalty, a member that looks through another
            encoder.

    Source:
        Coste et al. 2024 (2310.02743): worst-case and uncertainty-weighted optimisation.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        models: Sequence[Mapping[str, Any] | FittableRewardModel],
        rule: str = "less_deviation",
        penalty: float = 1.0,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        if len(models) < 2:
            raise ValueError(f"an ensemble needs at least two models, got {len(models)}")
        if rule not in RULES:
            raise ValueError(f"unknown rule '{rule}'; available: {', '.join(RULES)}")
        if not penalty >= 0:
            raise ValueError(f"penalty must be >= 0, got {penalty:g}")
        given = dict(weights or {})
        self._encoder, self._rule, self._penalty = encoder, rule, float(penalty)
        self._members = tuple(
            built_inside(encoder, model, below(given, f"{number}.")) for number, model in enumerate(models)
        )

    @property
    def encoder(self) -> ImageEncoder:
        """What the members look through."""
        return self._encoder

    @property
    def members(self) -> tuple[FittableRewardModel, ...]:
        """The models that are asked."""
        return self._members

    @property
    def context(self) -> None:
        """All frames since the episode began, by way of the members' memories."""
        return None

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        return {
            "models": [settings_inside(member) for member in self._members],
            "rule": self._rule,
            "penalty": self._penalty,
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The members' tensors, of member i under `i.model.`."""
        return {
            f"{number}.{name}": tensor
            for number, member in enumerate(self._members)
            for name, tensor in weights_inside(member).items()
        }

    @property
    def version(self) -> str:
        """Identifies the members and how they are joined."""
        members = [member.version for member in self._members]
        text = json.dumps([type(self).__name__, members, self._rule, self._penalty])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings; the clip begins an episode."""
        return self.resume(clip, None)[0]

    def resume(self, seen: EmbeddedClip, memory: tuple[Any, ...] | None) -> tuple[Estimate, tuple[Any, ...]]:
        """Estimate the next frames of an episode; see `RecurrentRewardModel`."""
        remembered = memory if memory is not None else (None,) * len(self._members)
        asked = [resume_inside(member, seen, known) for member, known in zip(self._members, remembered, strict=True)]
        opinions = torch.stack([estimate.progress for estimate, _ in asked])
        spreads = torch.stack([estimate.spread for estimate, _ in asked])
        progress = RULES[self._rule](self._penalty)(opinions).clamp(0, 1)
        variance = spreads.double().square().mean(dim=0) + opinions.double().var(dim=0, correction=0)
        return Estimate(progress=progress, spread=variance.sqrt().float()), tuple(known for _, known in asked)

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "EnsembleModel":
        """Give the ensemble with each member fitted to the clips, one after the other.

        Raises:
            ValueError: Clips that a member cannot learn from.
        """
        return EnsembleModel(
            self._encoder,
            models=[member.fitted_to(clips, on_epoch=on_epoch) for member in self._members],
            rule=self._rule,
            penalty=self._penalty,
        )
