"""How much a frame looks like each step: the Gaussian reading of selected features, and the linear one."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from robo_reward.models.step_features import StepSums, centre_and_scale, select_features, step_means

CLASSIFIERS = ("gaussian", "linear")
SMALLEST_DEVIATION = 0.1
"""Of a standardised feature within a step: one that never moved in few frames is not thereby a proof."""
DECAY = 1e-2
"""Weight decay of the linear classifier, per frame and standardised feature."""
NEWTON_STEPS = 200


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StepReading:
    """One camera's view of the steps.

    Raises:
        ValueError: Shapes that disagree.
    """

    feature: Int64[Tensor, " feature"]
    """Which numbers of the embedding are looked at, ascending."""
    own: Int64[Tensor, "step own"]
    """Of these, the places of those that tell each step best."""
    centre: Float64[Tensor, " feature"]
    scale: Float64[Tensor, " feature"]
    mean: Float64[Tensor, "step feature"]
    """Of each standardised feature within each step."""
    deviation: Float64[Tensor, "step feature"]
    position: Float64[Tensor, " step"]
    """Mean progress of each step's frames."""
    weight: Float64[Tensor, "step feature"]
    """Of the linear classifier; 0 where there is none."""
    bias: Float64[Tensor, " step"]

    def __post_init__(self) -> None:
        steps, features = len(self.position), len(self.feature)
        for name in ("mean", "deviation", "weight"):
            if getattr(self, name).shape != (steps, features):
                raise ValueError(f"{name} must be {(steps, features)}, got {tuple(getattr(self, name).shape)}")

    @classmethod
    def fit(cls, sums: StepSums, *, alpha: float, per_step: int) -> "StepReading":
        """Select features and take their Gaussians from the sums over all frames."""
        own = select_features(sums, alpha=alpha, per_step=per_step)
        feature, place = own.unique(return_inverse=True)
        centre, scale = centre_and_scale(sums)
        mean, deviation = step_means(sums)
        return cls(
            feature=feature,
            own=place,
            centre=centre[feature],
            scale=scale[feature],
            mean=mean[:, feature],
            deviation=deviation[:, feature].clamp(min=SMALLEST_DEVIATION),
            position=sums.progress / sums.count,
            weight=torch.zeros_like(mean[:, feature]),
            bias=torch.zeros_like(sums.progress),
        )

    def with_classifier(self, rows: Sequence[Tensor], step: Sequence[Tensor]) -> "StepReading":
        """Add the linear classifier: multinomial logistic regression on the selected features, with weight decay.

        Args:
            rows: Embeddings of each part of the frames.
            step: The step of each of them.
        """
        standard = torch.cat([self._standardised(part) for part in rows])
        weight, bias = _multinomial(standard, torch.cat(list(step)), len(self.position))
        return StepReading(**(self.tensors() | {"weight": weight, "bias": bias}))

    def tensors(self) -> dict[str, Tensor]:
        """Give all fields; `StepReading(**tensors)` is the same reading."""
        return {name: getattr(self, name) for name in self.__slots__}

    def step_scores(self, embedding: Float[Tensor, "*batch dim"], classifier: str) -> Float64[Tensor, "*batch step"]:
        """Give each step's own score, in [0, 1].

            gaussian: R_i = exp(−½ · mean_j (a_j − μ_ij)² / σ_ij²), j over the features selected for step i

        linear: the probability of the step. The paper prints the squared deviation over σ with a plus sign, which would
        reward distance; this is the likelihood that its text describes.

        Source:
            Sermanet et al. 2017 (1612.06699), equation 2.
        """
        if classifier == "linear":
            return self.log_membership(embedding, classifier).softmax(dim=-1)
        standard = self._standardised(embedding)
        scores = []
        for place, mean, deviation in zip(self.own, self.mean, self.deviation, strict=True):
            offset = (standard[..., place] - mean[place]) / deviation[place]
            scores.append((-0.5 * (offset * offset).sum(dim=-1) / len(place)).exp())
        return torch.stack(scores, dim=-1)

    def log_membership(self, embedding: Float[Tensor, "*batch dim"], classifier: str) -> Float64[Tensor, "*batch step"]:
        """Give log-membership of each step up to a constant.

            gaussian: ℓ_i = −mean_j [(a_j − μ_ij)² / 2σ_ij² + log σ_ij], j over the features selected for any step

        The mean instead of the sum: features of one picture are far from independent. All steps are compared on the
        same features, so that the best-described step does not win by that alone.
        """
        standard = self._standardised(embedding)
        logits = []
        for step in range(len(self.position)):
            if classifier == "linear":
                logits.append((standard * self.weight[step]).sum(dim=-1) + self.bias[step])
                continue
            offset = (standard - self.mean[step]) / self.deviation[step]
            each = 0.5 * offset * offset + self.deviation[step].log()
            logits.append(-each.sum(dim=-1) / len(self.feature))
        return torch.stack(logits, dim=-1)

    def _standardised(self, embedding: Float[Tensor, "*batch dim"]) -> Float64[Tensor, "*batch feature"]:
        return ((embedding[..., self.feature].to(torch.float64) - self.centre) / self.scale).contiguous()


def _multinomial(standard: Tensor, step: Tensor, num_steps: int) -> tuple[Tensor, Tensor]:
    """Weights and biases of multinomial logistic regression, by quasi-Newton steps from 0; deterministic."""
    weight = torch.zeros(num_steps, standard.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(num_steps, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weight, bias], max_iter=NEWTON_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        value = torch.nn.functional.cross_entropy(standard @ weight.T + bias, step) + DECAY * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        search.step(loss)  # type: ignore[arg-type]  # torch's annotation asks for a float
    return weight.detach(), bias.detach()
