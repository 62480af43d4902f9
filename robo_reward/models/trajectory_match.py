"""Progress as the place in the demonstrations that the latest frames match, in their order."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.views import fuse_views
from robo_reward.models.step_labels import last_seen
from robo_reward.models.trajectory_alignment import AlignedFrames, TrajectoryMemory, expected_progress, fit_memory
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import FitProgress, LabelledClip, OnEpoch, silently
from robo_reward.perception.tensor_digest import tensor_digest
from robo_reward.reward_model import Estimate


@final
class TrajectoryMatch:
    """Progress as the place in the demonstrations that the latest frames match, seen by every camera.

    Each camera keeps the demonstrations' frames in a few numbers each. The last `context` frames are aligned with them
    by a filter that mostly moves on, so that order counts: optimal transport of whole trajectories, which a reversed
    one passes as well, is `trajectory_rewards`. All cameras' evidence is aligned together, each weighed by its inverse
    variance. The spread is each one's error on held-out demonstrations, the positions that it leaves in question alone,
    and what the cameras disagree on; one whose frame is far from all demonstrated ones does not count.

    Args:
        encoder: Turns frames into vectors, pooled or flattened feature maps.
        directions: Numbers kept per frame, in [1, 128].
        positions: Frames kept per demonstration, evenly spaced, from 2.
        context: Latest frames that are aligned, from 1; 1 matches each frame by itself.
        quantile: Share of held-out frames that count as near the demonstrations, in (0, 1].
        weights: What `fitted_to` learnt; None = not fitted, refuses to estimate.

    Raises:
        ValueError: An argument outside its range.

    Source:
        After the progress recogniser of adaptive discount scheduling (2310.07433), made causal.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        directions: int,
        positions: int,
        context: int,
        quantile: float,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        if not 1 <= directions <= 128:
            raise ValueError(f"directions must be in [1, 128], got {directions}")
        if positions < 2 or context < 1:
            raise ValueError(f"positions must be at least 2 and context at least 1, got {positions} and {context}")
        if not 0 < quantile <= 1:
            raise ValueError(f"quantile must be in (0, 1], got {quantile}")
        self._encoder = encoder
        self._directions, self._positions, self._context = directions, positions, context
        self._quantile = float(quantile)
        self._weights = dict(weights or {})
        self._memories = {camera: self._rebuilt(camera) for camera in _cameras(self._weights)}

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
            "directions": self._directions,
            "positions": self._positions,
            "context": self._context,
            "quantile": self._quantile,
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Each camera's directions, compressed demonstrations and calibration; empty before the fit."""
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
        unknown = [camera for camera in clip.cameras if camera not in self._memories]
        if unknown:
            raise ValueError(f"trajectory match was not fitted for camera {unknown}; fitted: {sorted(self._memories)}")
        rows = [self._aligned(clip.embedding[row], clip.cameras) for row in range(len(clip.stamp))]
        progress, spread = (torch.stack(column) for column in zip(*rows, strict=True))
        return Estimate(progress=progress.float(), spread=spread.float())

    def _aligned(
        self, embedding: Float[Tensor, "time view dim"], cameras: Sequence[str]
    ) -> tuple[Float64[Tensor, " time"], Float64[Tensor, " time"]]:
        """Align one episode: with all cameras at once for the progress, with each alone for the spread."""
        memories = [self._memories[camera] for camera in cameras]
        fits = [memory.log_likelihood(embedding[:, view]) for view, memory in enumerate(memories)]
        near = torch.stack([says for _, says in fits], dim=-1)
        how = {"context": self._context, "advance": memories[0].advance}
        opinions = [
            expected_progress(fit, memory.progress, **how) for (fit, _), memory in zip(fits, memories, strict=True)
        ]
        own = torch.where(near, torch.stack([mean for mean, _ in opinions], dim=-1), torch.nan)
        residual = torch.tensor([memory.residual for memory in memories], dtype=torch.float64)
        variance = torch.stack([variance for _, variance in opinions], dim=-1) + residual**2
        together = fuse_views(own[None], variance[None])
        joint, _ = expected_progress(
            joint_log_likelihood([fit for fit, _ in fits], near, residual), memories[0].progress, **how
        )
        progress = torch.where(near.any(dim=-1), joint, torch.nan)
        # the views' second moment around what they say together
        return progress, (together.spread[0].square() + (together.progress[0] - progress).square()).sqrt()

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "TrajectoryMatch":
        """Give the model that remembers the successful ones of recorded episodes, from one on; deterministic.

        Each frame stands for its labelled progress, without labels for the fraction of time passed; frames of unknown
        progress are left out. There is one round, told of at its end.

        Raises:
            ValueError: No demonstration, of other cameras, a camera with fewer than two frames of known progress in
                one, or one whose frames are all alike.
        """
        demonstrations = [each for each in clips if each.success]
        if not demonstrations:
            raise ValueError("demonstrations are empty; give at least one successful episode of the task")
        cameras = demonstrations[0].clip.cameras
        if any(each.clip.cameras != cameras for each in demonstrations):
            raise ValueError(f"demonstrations disagree on cameras: {sorted({each.clip.cameras for each in clips})}")
        fitted = {
            camera: fit_memory(
                [_seen(each, view) for each in demonstrations],
                num_directions=self._directions,
                num_positions=self._positions,
                context=self._context,
                quantile=self._quantile,
            )
            for view, camera in enumerate(cameras)
        }
        error = min(each.residual for each in fitted.values())
        on_epoch(FitProgress(epoch=1, epochs=1, training_error=error, held_out_error=error))
        weights = {
            f"{camera}/{name}": value for camera, each in fitted.items() for name, value in each.tensors().items()
        }
        return TrajectoryMatch(self._encoder, **self.settings, weights=weights)  # pyright: ignore[reportArgumentType]

    def _rebuilt(self, camera: str) -> TrajectoryMemory:
        start = f"{camera}/"
        own = {name.removeprefix(start): value for name, value in self._weights.items() if name.startswith(start)}
        return TrajectoryMemory.from_tensors(own)


def joint_log_likelihood(
    fits: Sequence[Float64[Tensor, "time demonstration position"]],
    near: Bool[Tensor, "time view"],
    residual: Float64[Tensor, " view"],
) -> Float64[Tensor, "time demonstration position"]:
    """Sum the cameras' log-likelihoods, each with its inverse variance against that of the best one that sees."""
    best = torch.where(near, residual, torch.inf).min(dim=-1).values
    total = torch.zeros_like(fits[0])
    for view, fit in enumerate(fits):
        weight = torch.where(near[:, view], (best / residual[view]).square(), 0.0)
        total = total + weight[:, None, None] * fit
    return total


def _seen(demonstration: LabelledClip, view: int) -> AlignedFrames:
    """What one camera saw of one demonstration where its progress is known."""
    progress = demonstration.target
    known, seen = ~progress.isnan(), demonstration.clip.present[0, :, view]
    if int((known & seen).sum()) < 2:
        raise ValueError(
            f"camera '{demonstration.clip.cameras[view]}' has {int((known & seen).sum())} frames of known progress in "
            "a demonstration; at least two are needed"
        )
    shown = last_seen(seen)  # every camera has the same positions then, and they can be aligned together
    return AlignedFrames(embedding=demonstration.clip.embedding[0, shown[known], view], progress=progress[known])


def _cameras(weights: Mapping[str, Tensor]) -> list[str]:
    return sorted({name.rpartition("/")[0] for name in weights})
