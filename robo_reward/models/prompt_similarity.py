"""VLM zero-shot rewards: progress from the similarity of pictures to goal and baseline prompts."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.views import fuse_views
from robo_reward.models.similarity_readout import SimilarityReadout, fit_readout
from robo_reward.perception.encoder import EmbeddedClip, Encoder, embed_clip
from robo_reward.perception.fitting import LabelledClip, OnEpoch, silently
from robo_reward.reward_model import Estimate

UNMEASURED = 1 / math.sqrt(12)
"""Standard deviation of a uniform distribution on [0, 1]: what is known of an error that nobody measured."""


@final
class PromptSimilarity:
    """Progress as nearness to goal prompts, away from baseline prompts, seen by every camera.

    Without a read-out, progress is the encoder's own zero-shot probability of the goal against the baseline,
    σ(logit_scale · (⟨s,g⟩ − ⟨s,b⟩)), and its error counts as unmeasured. With one (`fitted_to` demonstrations) it is a
    linear function of that camera's raw similarities: the goal-baseline similarity and the cosine to each prompt.
    Per frame: static poses can be told, motions cannot.

    Args:
        encoder: Turns frames and prompts into unit vectors.
        goal: Sentences that are true when the task is done.
        baseline: Sentences that are true before it is.
        alpha: Strength of goal-baseline projection, in [0, 1].
        renormalize: Whether the mean of several prompts gets unit length; False repeats the published code, whose
            similarity is no cosine.
        readout: Camera name to its read-out; empty = none was fitted. A mapping of plain values is taken too.

    Raises:
        ValueError: No prompt or an empty one, goal equal to baseline, alpha outside [0, 1], a bad read-out.

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
        readout: Mapping[str, SimilarityReadout | Mapping[str, Any]] | None = None,
    ) -> None:
        self._encoder = encoder
        self._goal_text, self._baseline_text = _checked("goal", goal), _checked("baseline", baseline)
        self._alpha, self._renormalize = float(alpha), renormalize
        self._goal = self._mean_embedding(self._goal_text)
        self._baseline = self._mean_embedding(self._baseline_text)
        self._similarity(self._goal)  # refuses alpha and equal sides at the door
        self._prompts = encoder.encode_text([*self._goal_text, *self._baseline_text]).to(torch.float64)
        self._readout = {camera: self._as_readout(camera, values) for camera, values in (readout or {}).items()}

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
            "readout": {camera: asdict(readout) for camera, readout in self._readout.items()},
        }

    @property
    def version(self) -> str:
        """Identifies encoder, prompts and read-out."""
        text = json.dumps([type(self).__name__, self._encoder.version, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings.

        Raises:
            ValueError: A camera that has no read-out although others have.
        """
        embedding = clip.embedding.to(torch.float64)
        if not self._readout:
            contrast = ((self._goal - self._baseline) * embedding.contiguous()).sum(dim=-1)
            progress = torch.sigmoid(self._encoder.logit_scale * contrast)
            return fuse_views(progress, torch.full_like(progress, UNMEASURED**2))
        unknown = [camera for camera in clip.cameras if camera not in self._readout]
        if unknown:
            raise ValueError(f"no read-out was fitted for camera {unknown}; fitted: {sorted(self._readout)}")
        readouts = [self._readout[camera] for camera in clip.cameras]
        views = [each(self._similarities(embedding[:, :, view])) for view, each in enumerate(readouts)]
        progress = torch.stack(views, dim=-1)
        variance = torch.tensor([each.residual**2 for each in readouts], dtype=torch.float64)
        return fuse_views(progress, variance.expand_as(progress))

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """None beside the settings."""
        return {}

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "PromptSimilarity":
        """Give the same model with each camera's read-out fitted to the successful ones of recorded episodes.

        The fit has a closed form: there is no epoch to tell of.

        Raises:
            ValueError: No demonstration, one shorter than two frames or of other cameras, or cameras that all tell no
                more of progress than a guess: the prompts do not describe what they see.
        """
        demonstrations = [each.clip for each in clips if each.success]
        if not demonstrations:
            raise ValueError("demonstrations are empty; give at least one successful episode of the task")
        cameras = demonstrations[0].cameras
        if any(demo.cameras != cameras for demo in demonstrations):
            raise ValueError(f"demonstrations disagree on cameras: {sorted({demo.cameras for demo in demonstrations})}")
        readout = {
            camera: fit_readout(camera, [self._similarities(demo.embedding[0, :, view]) for demo in demonstrations])
            for view, camera in enumerate(cameras)
        }
        if all(each.residual >= UNMEASURED for each in readout.values()):
            raise ValueError(
                f"no camera of {list(cameras)} tells more of the demonstrations' progress than a guess; "
                "describe in the prompts what the cameras see change"
            )
        return PromptSimilarity(
            self._encoder,
            goal=self._goal_text,
            baseline=self._baseline_text,
            alpha=self._alpha,
            renormalize=self._renormalize,
            readout=readout,
        )

    def _similarities(self, embedding: Float[Tensor, "*batch dim"]) -> Float64[Tensor, "*batch prompt"]:
        """Give the goal-baseline similarity and the cosine to each prompt."""
        embedding = embedding.to(torch.float64).contiguous()
        # one prompt after the other, by products and sums: the same bits for one frame and for many
        cosines = [(embedding * prompt).sum(dim=-1) for prompt in self._prompts]
        return torch.stack([self._similarity(embedding), *cosines], dim=-1)

    def _as_readout(self, camera: str, values: SimilarityReadout | Mapping[str, Any]) -> SimilarityReadout:
        readout = values if isinstance(values, SimilarityReadout) else SimilarityReadout(**values)
        wanted = 1 + len(self._prompts)
        if len(readout.weight) != wanted:
            raise ValueError(
                f"read-out of camera '{camera}' has {len(readout.weight)} weights, the prompts ask {wanted}"
            )
        return readout

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


def _checked(side: str, text: Sequence[str]) -> tuple[str, ...]:
    if isinstance(text, str) or not text:
        raise ValueError(f"{side} must be a list of at least one prompt, got {text!r}")
    if any(not prompt.strip() for prompt in text):
        raise ValueError(f"{side} contains an empty prompt: {list(text)!r}")
    return tuple(text)
