"""Success as a signal of its own: the probability that the task is done, from a handful of labelled episodes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from robo_reward.models.success_view import LabelledRows, SuccessView, calibrate_joined, fit_success_view, join
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder
from robo_reward.perception.fitting import LabelledClip
from robo_reward.perception.tensor_digest import tensor_digest


@runtime_checkable
class SuccessModel(Protocol):
    """Says of each frame how probable it is that the task is done there.

    Not a reward model: success is the task's own reward, and must never be the potential. A detector's rising output
    would be paid back at the terminal state, where Φ is 0, and its errors would then cancel the very reward that they
    stand for; and a potential is known everywhere, while success is known at the end.
    """

    @property
    def version(self) -> str:
        """Identifies weights and settings: models of equal version give equal probabilities."""
        ...

    def probability(self, clip: EmbeddedClip) -> Float32[Tensor, "batch time"]:
        """Give the probability of success at each frame, in [0, 1]; NaN where the model abstains."""
        ...


@final
class SuccessClassifier:
    """Tells frames that show the task done from others, on embeddings, one regularised logistic regression per camera.

    Positives are the last frames of successes; negatives are all frames of failures and the early frames of
    successes; what lies between is left out. The directions in which a camera's frames differ most are found first,
    so that pooled vectors and feature maps of thousands of numbers serve alike. The strength of the regularisation and
    the calibration come from episodes that were left out. Cameras are joined by their log-odds, weighted by what each
    is shown to tell on left-out episodes, over the m cameras that see:

        log-odds = slope_m · Σ_v skill_v · log-odds_v / Σ_v skill_v + shift_m

    with slope and shift from left-out episodes too. A camera that tells nothing of them is not asked.
    Probabilities hold at the rate of success frames among the labelled ones, each episode counted once. Per frame and
    causal; `SuccessLatch` turns probabilities into a decision, `choose_threshold` bounds its false positives.
    Without a fit, and where no camera that tells something sees, it abstains.

    Args:
        encoder: What the classifier looks through.
        rank: Directions per camera, ≥ 1.
        positive_from: Progress from which frames of a success are positives, in (0, 1]; without labels of progress
            this is the fraction of time passed.
        negative_until: Progress up to which they are negatives, in [0, positive_from).
        cameras: Those that were fitted, in the order of the weights; empty = none.
        silent: Those of them that tell nothing, and have no weights.
        weights: From `SuccessClassifier.weights`.

    Raises:
        ValueError: A rank below 1, bounds of progress outside their ranges.
        KeyError: A tensor is missing in the weights.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        rank: int = 32,
        positive_from: float = 0.95,
        negative_until: float = 0.7,
        cameras: Sequence[str] = (),
        silent: Sequence[str] = (),
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        if rank < 1 or not 0 <= negative_until < positive_from <= 1:
            raise ValueError(
                "rank must be >= 1 and 0 <= negative_until < positive_from <= 1, got "
                f"{rank}, {negative_until:g} and {positive_from:g}"
            )
        self._encoder, self._rank = encoder, rank
        self._positive_from, self._negative_until = float(positive_from), float(negative_until)
        self._silent, given = tuple(silent), weights or {}
        self._views = {
            camera: SuccessView.from_weights(
                {name.removeprefix(f"{number}."): each for name, each in given.items() if name.startswith(f"{number}.")}
            )
            for number, camera in enumerate(cameras)
        }
        self._joined = given["joined"] if cameras else torch.zeros(0, 2, dtype=torch.float64)

    @property
    def encoder(self) -> ImageEncoder:
        """What the classifier looks through."""
        return self._encoder

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        return {
            "rank": self._rank,
            "positive_from": self._positive_from,
            "negative_until": self._negative_until,
            "cameras": list(self._views),
            "silent": list(self._silent),
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Each camera's tensors under its number, and how cameras are joined; empty before a fit."""
        found = {
            f"{number}.{name}": tensor
            for number, view in enumerate(self._views.values())
            for name, tensor in view.weights.items()
        }
        return found | ({"joined": self._joined} if found else {})

    @property
    def version(self) -> str:
        """Identifies encoder, settings and weights."""
        parts = [type(self).__name__, self._encoder.version, self.settings, tensor_digest(self.weights)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def skills(self) -> dict[str, float]:
        """What each camera is shown to tell: the part of the labels' entropy explained on left-out episodes, [0, 1]."""
        return {camera: view.skill for camera, view in self._views.items()} | dict.fromkeys(self._silent, 0.0)

    def probability(self, clip: EmbeddedClip) -> Float32[Tensor, "batch time"]:
        """Give the probability of success at each frame, in [0, 1]; NaN where the model abstains.

        Raises:
            ValueError: A camera that was not fitted although others were.
        """
        unknown = [camera for camera in clip.cameras if camera not in self._views and camera not in self._silent]
        if unknown and (self._views or self._silent):
            raise ValueError(f"camera {unknown} was not fitted; fitted: {sorted(self.skills)}")
        asked = [camera for camera in clip.cameras if camera in self._views]
        if not asked:
            return torch.full(clip.stamp.shape, torch.nan)
        log_odds = torch.stack(
            [self._views[camera](clip.embedding[:, :, clip.cameras.index(camera)]) for camera in asked]
        )
        joined = join(log_odds, [self._views[camera].skill for camera in asked])
        slope, shift = self._joined[(~log_odds.isnan()).sum(dim=0) - 1].unbind(
            dim=-1
        )  # where none sees: NaN all the same
        return torch.sigmoid(slope * joined + shift).float()

    def fitted_to(self, clips: Sequence[LabelledClip]) -> "SuccessClassifier":
        """Give the classifier fitted to episodes whose outcome is known; the others are not looked at.

        Raises:
            ValueError: Fewer than two successes (one is needed to learn from while another is left out), clips of
                different cameras, labels without a positive or a negative, no camera that tells anything.
        """
        judged = [clip for clip in clips if clip.success is not None]
        successes = sum(bool(clip.success) for clip in judged)
        if successes < 2:
            raise ValueError(f"at least two successful episodes are needed, got {successes} of {len(clips)}")
        cameras = judged[0].clip.cameras
        if any(each.clip.cameras != cameras for each in judged):
            raise ValueError(f"clips disagree on cameras: {sorted({each.clip.cameras for each in judged})}")
        labels = [self.labels(clip) for clip in judged]
        fits = {
            camera: fit_success_view(
                [
                    LabelledRows(rows=each.clip.embedding[0, :, number], label=label)
                    for each, label in zip(judged, labels, strict=True)
                ],
                rank=self._rank,
            )
            for number, camera in enumerate(cameras)
        }
        found = {camera: fit for camera, fit in fits.items() if fit is not None}
        if not found:
            raise ValueError(f"no camera of {list(cameras)} tells success from failure on episodes that were left out")
        views = {camera: view for camera, (view, _) in found.items()}
        joined = calibrate_joined(
            torch.stack([left_out for _, left_out in found.values()]),
            [view.skill for view in views.values()],
            torch.cat(labels),
            torch.cat([torch.full_like(label, 1 / max(1, int((~label.isnan()).sum()))) for label in labels]),
        )
        return self._with(views, joined, silent=[camera for camera in cameras if camera not in views])

    def labels(self, clip: LabelledClip) -> Float64[Tensor, " time"]:
        """Give 1 where a frame counts as success, 0 where as none, NaN where it is not used.

        Raises:
            ValueError: A success without any positive, or nobody said whether it was one.
        """
        if clip.success is None:
            raise ValueError("the clip has no label: nobody said whether it was a success")
        if not clip.success:
            return torch.zeros(clip.num_frames, dtype=torch.float64)
        progress = clip.target.double()
        label = torch.full_like(progress, torch.nan)
        label = torch.where(progress <= self._negative_until, 0.0, label)
        label = torch.where(progress >= self._positive_from, 1.0, label)
        if not bool((label == 1).any()):
            raise ValueError(
                f"a successful episode reaches progress {float(progress.nan_to_num(0).max()):g} only; "
                f"positives begin at {self._positive_from:g}"
            )
        return label

    def _with(self, views: Mapping[str, SuccessView], joined: Tensor, *, silent: Sequence[str]) -> "SuccessClassifier":
        fitted = SuccessClassifier(
            self._encoder,
            rank=self._rank,
            positive_from=self._positive_from,
            negative_until=self._negative_until,
            silent=silent,
        )
        fitted._views, fitted._joined = dict(views), joined
        return fitted
