"""VLM zero-shot rewards: progress from the similarity of pictures to goal and baseline prompts."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.views import fuse_views
from robo_reward.perception.encoder import EmbeddedClip, Encoder, embed_clip
from robo_reward.reward_model import Estimate

UNMEASURED = 1 / math.sqrt(12)
"""Standard deviation of a uniform distribution on [0, 1]: what is known of an error that nobody measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityScale:
    """Where a camera's similarity stands at the start and at the goal of demonstrations.

        progress = (similarity − start) / (goal − start), limited to [0, 1]

    Raises:
        ValueError: A goal that is not above the start, or a residual outside (0, 1].
    """

    start: float
    """Similarity at progress 0."""
    goal: float
    """Similarity at progress 1."""
    residual: float
    """Root mean square error of progress against time in the demonstrations, in (0, 1]."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.goal) and self.goal > self.start):
            raise ValueError(f"goal must be above start, got start {self.start} and goal {self.goal}")
        if not 0 < self.residual <= 1:
            raise ValueError(f"residual must be in (0, 1], got {self.residual}")


@final
class PromptSimilarity:
    """Progress as nearness to goal prompts, away from baseline prompts, seen by every camera.

    Without a scale, progress is the encoder's own zero-shot probability of the goal against the baseline,
    σ(logit_scale · (⟨s,g⟩ − ⟨s,b⟩)), and its error counts as unmeasured. With a scale (`fitted_to` demonstrations)
    it is the goal-baseline similarity on that camera's scale. Per frame: static poses can be told, motions cannot.

    Args:
        encoder: Turns frames and prompts into unit vectors.
        goal: Sentences that are true when the task is done.
        baseline: Sentences that are true before it is.
        alpha: Strength of goal-baseline projection, in [0, 1].
        renormalize: Whether the mean of several prompts gets unit length; False repeats the published code, whose
            similarity is no cosine.
        scale: Camera name to its scale; empty = none was fitted. A mapping of plain numbers is taken too.

    Raises:
        ValueError: No prompt or an empty one, goal equal to baseline, alpha outside [0, 1], a bad scale.

    Source:
        Rocamonde et al. 2024 (2310.12921).
    """

    context: int | None = 1

    def __init__(
        self,
        encoder: Encoder,
        *,
        goal: Sequence[str],
        baseline: Sequence[str],
        alpha: float,
        renormalize: bool = True,
        scale: Mapping[str, SimilarityScale | Mapping[str, float]] | None = None,
    ) -> None:
        self._encoder = encoder
        self._goal_text, self._baseline_text = _checked("goal", goal), _checked("baseline", baseline)
        self._alpha, self._renormalize = float(alpha), renormalize
        self._goal = self._mean_embedding(self._goal_text)
        self._baseline = self._mean_embedding(self._baseline_text)
        self._similarity(self._goal)  # refuses alpha and equal sides at the door
        self._scale = {camera: _as_scale(numbers) for camera, numbers in (scale or {}).items()}

    @property
    def encoder(self) -> Encoder:
        """What the model looks through."""
        return self._encoder

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside the encoder, as plain data that rebuilds the model exactly."""
        return {
            "goal": list(self._goal_text),
            "baseline": list(self._baseline_text),
            "alpha": self._alpha,
            "renormalize": self._renormalize,
            "scale": {camera: asdict(scale) for camera, scale in self._scale.items()},
        }

    @property
    def version(self) -> str:
        """Identifies encoder, prompts and scale."""
        text = json.dumps([type(self).__name__, self._encoder.version, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings.

        Raises:
            ValueError: A camera that the scale does not know.
        """
        embedding = clip.embedding.to(torch.float64)
        if not self._scale:
            contrast = ((self._goal - self._baseline) * embedding.contiguous()).sum(dim=-1)
            progress = torch.sigmoid(self._encoder.logit_scale * contrast)
            return fuse_views(progress, torch.full_like(progress, UNMEASURED**2))
        unknown = [camera for camera in clip.cameras if camera not in self._scale]
        if unknown:
            raise ValueError(f"no scale was fitted for camera {unknown}; fitted: {sorted(self._scale)}")
        scales = [self._scale[camera] for camera in clip.cameras]
        start, goal, residual = torch.tensor(
            [[s.start, s.goal, s.residual] for s in scales], dtype=torch.float64
        ).unbind(dim=1)
        progress = ((self._similarity(embedding) - start) / (goal - start)).clamp(0, 1)
        return fuse_views(progress, (residual**2).expand_as(progress))

    def fitted_to(self, demonstrations: Sequence[EmbeddedClip]) -> "PromptSimilarity":
        """Give the same model with each camera's scale fitted to successful demonstrations of the task.

        Start and goal levels are medians over the first and last tenth of all demonstrations; the residual is the
        error against the fraction of time passed. A camera on which the goal does not look more like the goal than
        the start does is an error: its prompts do not describe what it sees.

        Raises:
            ValueError: No demonstration, one shorter than two frames or of other cameras, or an uninformative camera.
        """
        if not demonstrations:
            raise ValueError("demonstrations are empty; give at least one successful episode of the task")
        cameras = demonstrations[0].cameras
        if any(demo.cameras != cameras for demo in demonstrations):
            raise ValueError(f"demonstrations disagree on cameras: {sorted({demo.cameras for demo in demonstrations})}")
        similarity = [self._similarity(demo.embedding[0].to(torch.float64)) for demo in demonstrations]
        scale = {
            camera: _fit_scale(camera, [each[:, view] for each in similarity]) for view, camera in enumerate(cameras)
        }
        return PromptSimilarity(
            self._encoder,
            goal=self._goal_text,
            baseline=self._baseline_text,
            alpha=self._alpha,
            renormalize=self._renormalize,
            scale=scale,
        )

    def _similarity(self, embedding: Float[Tensor, "*batch dim"]) -> Float64[Tensor, "*batch"]:
        return goal_baseline_similarity(embedding, self._goal, self._baseline, alpha=self._alpha)

    def _mean_embedding(self, text: Sequence[str]) -> Float64[Tensor, " dim"]:
        mean = self._encoder.encode_text(text).to(torch.float64).mean(dim=0)
        return mean / mean.norm() if self._renormalize else mean


def goal_baseline_similarity(
    image: Float[Tensor, "*batch dim"],
    goal: Float[Tensor, " dim"],
    baseline: Float[Tensor, " dim"],
    *,
    alpha: float,
) -> Float[Tensor, "*batch"]:
    """Give the goal-baseline regularised similarity of unit embeddings.

        R(s) = 1 − ½ ‖α·proj_L(s) + (1 − α)·s − g‖²,   L the affine line through b and g

    in closed form, with d = g − b and no D×D projection:

        R(s) = 1 − ½ [(1−α)² ‖s−g‖² + (1 − (1−α)²) ⟨s−g, d⟩² / ‖d‖²]

    Args:
        image: Unit embeddings of pictures (s).
        goal: Unit embedding of the goal (g).
        baseline: Unit embedding of the start (b).
        alpha: Strength of the projection, in [0, 1]; 0 gives the cosine ⟨s, g⟩.

    Returns:
        Similarity in [−1, 1]; 1 at the goal, whatever alpha.

    Raises:
        ValueError: The goal equals the baseline (no direction between them), or alpha outside [0, 1].

    Source:
        Rocamonde et al. 2024 (2310.12921), definition 1.

    Example:
        >>> import torch
        >>> goal, baseline = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> goal_baseline_similarity(torch.stack([goal, baseline]), goal, baseline, alpha=0.0)
        tensor([1., 0.])
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1], got {alpha}")
    direction = goal - baseline
    length2 = (direction * direction).sum()
    if float(length2) <= 1e-12:
        raise ValueError("goal equals baseline: their embeddings leave no direction to measure progress along")
    difference = image.contiguous() - goal
    keep = (1 - alpha) ** 2
    # products and sums instead of a matrix product: a picture gets the same bits alone and in a batch
    distance2 = (difference * difference).sum(dim=-1)
    along = (difference * direction).sum(dim=-1)
    return 1 - 0.5 * (keep * distance2 + (1 - keep) * along * along / length2)


def _fit_scale(camera: str, similarity: Sequence[Float64[Tensor, " _time"]]) -> SimilarityScale:
    seen = [each[~each.isnan()] for each in similarity]
    if any(len(each) < 2 for each in seen):
        raise ValueError(f"camera '{camera}': a demonstration needs at least two frames")
    tenth = [max(1, len(each) // 10) for each in seen]
    start = float(torch.cat([each[:n] for each, n in zip(seen, tenth, strict=True)]).median())
    goal = float(torch.cat([each[-n:] for each, n in zip(seen, tenth, strict=True)]).median())
    if goal <= start:
        raise ValueError(
            f"camera '{camera}': demonstrations end less similar to the goal ({goal:.4f}) than they begin "
            f"({start:.4f}); describe what this camera sees, or leave it out"
        )
    error = [
        ((each - start) / (goal - start)).clamp(0, 1) - torch.linspace(0, 1, len(each), dtype=torch.float64)
        for each in seen
    ]
    residual = float(torch.cat(error).square().mean().sqrt())
    return SimilarityScale(start=start, goal=goal, residual=min(max(residual, 0.01), 1.0))


def _as_scale(numbers: SimilarityScale | Mapping[str, float]) -> SimilarityScale:
    return numbers if isinstance(numbers, SimilarityScale) else SimilarityScale(**numbers)


def _checked(side: str, text: Sequence[str]) -> tuple[str, ...]:
    if isinstance(text, str) or not text:
        raise ValueError(f"{side} must be a list of at least one prompt, got {text!r}")
    if any(not prompt.strip() for prompt in text):
        raise ValueError(f"{side} contains an empty prompt: {list(text)!r}")
    return tuple(text)
