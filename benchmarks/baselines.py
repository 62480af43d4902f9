"""What a learnt reward must beat: a ridge regression of time, the distance to the goal picture, the clock."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from robo_reward.clip import Clip
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import LabelledClip, OnEpoch, silently
from robo_reward.reward_model import Estimate

UNKNOWN = 12**-0.5
"""Spread of a progress of which nobody measured the error."""


class _Baseline:
    """A reward model that sees through an encoder."""

    version, context = "baseline", None

    def __init__(self, encoder: ImageEncoder) -> None:
        self.encoder = encoder

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self.encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings."""
        progress = self.progress(clip).clamp(0, 1).float()
        return Estimate(progress=progress, spread=torch.where(progress.isnan(), torch.nan, UNKNOWN))

    def progress(self, clip: EmbeddedClip) -> Tensor:
        """Give (batch, time), NaN where nothing is seen."""
        raise NotImplementedError


class TimeIndex(_Baseline):
    """Time since the episode began over the mean duration of the demonstrations: knows the clock and sees nothing."""

    duration = float("nan")

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "TimeIndex":
        """Give one with the demonstrations' mean duration."""
        fitted = TimeIndex(self.encoder)
        fitted.duration = sum(float(each.clip.stamp[0, -1] - each.clip.stamp[0, 0]) for each in clips) / len(clips)
        return fitted

    def progress(self, clip: EmbeddedClip) -> Tensor:
        """Give the fraction of a demonstration's time that passed."""
        return (clip.stamp - clip.stamp[:, :1]) / self.duration


class LpipsDistance(_Baseline):
    """1 − d / d₀: d = LPIPS to a demonstration's last frame, d₀ its first one's; mean over demonstrations and cameras.

    Looks through `LpipsEncoder`, whose goals are the last frames of the demonstrations, each with all cameras in turn.
    """

    beginning = torch.empty(0, 0)

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "LpipsDistance":
        """Give one that knows how far the demonstrations' first frames are from their last ones."""
        fitted, views = LpipsDistance(self.encoder), len(clips[0].clip.cameras)
        first = [each.clip.embedding[0, 0].unflatten(-1, (-1, views)) for each in clips]  # (view, demonstration, view)
        fitted.beginning = torch.stack([own[:, number].diagonal() for number, own in enumerate(first)])
        return fitted

    def progress(self, clip: EmbeddedClip) -> Tensor:
        """Give the share of the way that the distance has come down."""
        distance = clip.embedding.unflatten(-1, (-1, len(clip.cameras))).diagonal(dim1=2, dim2=4)
        return (1 - distance / self.beginning).clamp(0, 1).mean(dim=2).nanmean(dim=-1)


class RidgeOfTime(_Baseline):
    """Ridge regression of the fraction of time on all cameras' unit embeddings, one behind the other.

    w = argmin ‖Z w − (y − ȳ)‖² + λ ‖w‖²,  λ = 1,  Z standardised and divided by √columns; solved through Z Zᵀ.

    Fitted anew for the cameras that are there: it is told in advance which one is lost.
    """

    seen, target = torch.empty(0, 0, 0), torch.empty(0)

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "RidgeOfTime":
        """Give one fitted to every frame of the demonstrations."""
        fitted = RidgeOfTime(self.encoder)
        fitted.seen = torch.cat([each.clip.embedding[0] for each in clips])
        fitted.target = torch.cat([torch.linspace(0, 1, each.num_frames) for each in clips])
        return fitted

    def progress(self, clip: EmbeddedClip) -> Tensor:
        """Give the regressed fraction of time."""
        out = torch.full(clip.stamp.shape, torch.nan)
        for cameras in clip.present.flatten(0, 1).unique(dim=0):
            if bool(cameras.any()):
                rows = (clip.present == cameras).all(dim=-1)
                out[rows] = self._regressed(clip.embedding[rows][:, cameras], self.seen[:, cameras])
        return out

    def _regressed(self, asked: Tensor, known: Tensor) -> Tensor:
        asked, known = (functional.normalize(each.double(), dim=-1).flatten(1) for each in (asked, known))
        mean, deviation = known.mean(dim=0), known.std(dim=0) + 1e-3 * known.std()
        scale = deviation * known.shape[1] ** 0.5
        asked, known = (asked - mean) / scale, (known - mean) / scale
        centre = self.target.mean().double()
        ridge = torch.eye(len(known), dtype=torch.float64)
        weight = known.T @ torch.linalg.solve(known @ known.T + ridge, self.target.double() - centre)
        return (asked * weight).sum(dim=1).float() + centre.float()
