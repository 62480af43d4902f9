"""Rewards from preferences: which of two frames is nearer to the goal, said by time, a person or a model."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.fusion.views import fuse_views
from robo_reward.models.bradley_terry import EPOCHS, FOLDS, BradleyTerry, ComparedRows
from robo_reward.models.compressed_view import fit_compressed_view
from robo_reward.models.preference_pairs import FrameReference, PreferencePair, pairs_from_time
from robo_reward.models.preference_view import PreferenceView, calibrated_view, frame_groups
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import FitProgress, LabelledClip, OnEpoch, silently
from robo_reward.perception.tensor_digest import tensor_digest
from robo_reward.reward_model import Estimate

UNMEASURED = 1 / math.sqrt(12)
"""Standard deviation of a uniform distribution on [0, 1]: what is known of an error that nobody measured."""


@final
class PreferenceReward:
    """Progress as the score under which preferences between frames are most probable, squashed to [0, 1].

    Per camera: the directions in which its frames differ most, a Bradley–Terry ensemble of three on them, each member
    stopped by pairs that it does not learn from, and a rising squash from scores to the progress at which
    demonstrations reach them. What members disagree on, and their error on held-out frames, is the spread; cameras are
    fused by inverse variance. Per frame: static poses can be told, motions cannot. It abstains before a fit.

    The score is not trained again while a policy learns on it: a potential that changes makes rewards that do not
    telescope. Fit anew, and it is another version.

    Args:
        encoder: What the model looks through.
        rank: Directions per camera, ≥ 1.
        hidden: Non-linear features per member, ≥ 1.
        pairs: Drawn from time order in `fitted_to`, ≥ 1.
        margin: Least difference of progress of a drawn pair, in (0, 1).
        seed: Of the drawn pairs and the non-linear features.
        cameras: Those that were fitted, in the order of the weights; empty = none.
        weights: From `PreferenceReward.weights`.

    Raises:
        ValueError: Arguments outside their ranges.
        KeyError: A tensor is missing in the weights.

    Source:
        Wang et al. 2024 (2402.03681), RL-VLM-F; Christiano et al. 2017 (1706.03741).
    """

    context: int | None = 1

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        rank: int = 32,
        hidden: int = 16,
        pairs: int = 2000,
        margin: float = 0.05,
        seed: int = 0,
        cameras: Sequence[str] = (),
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        if min(rank, hidden, pairs) < 1 or not 0 < margin < 1:
            raise ValueError(
                f"rank, hidden and pairs must be >= 1 and margin in (0, 1), got {rank}, {hidden}, {pairs}, {margin:g}"
            )
        self._encoder, self._rank, self._hidden, self._pairs = encoder, rank, hidden, pairs
        self._margin, self._seed, given = float(margin), seed, weights or {}
        self._views = {
            camera: PreferenceView.from_weights(
                {name.removeprefix(f"{number}."): each for name, each in given.items() if name.startswith(f"{number}.")}
            )
            for number, camera in enumerate(cameras)
        }

    @property
    def encoder(self) -> ImageEncoder:
        """What the model looks through."""
        return self._encoder

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        return {
            "rank": self._rank,
            "hidden": self._hidden,
            "pairs": self._pairs,
            "margin": self._margin,
            "seed": self._seed,
            "cameras": list(self._views),
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Each camera's tensors under its number."""
        return {
            f"{number}.{name}": tensor
            for number, view in enumerate(self._views.values())
            for name, tensor in view.weights.items()
        }

    @property
    def version(self) -> str:
        """Identifies encoder, settings and weights."""
        parts = [type(self).__name__, self._encoder.version, self.settings, tensor_digest(self.weights)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def residuals(self) -> dict[str, float]:
        """Each camera's root mean square error of progress on held-out frames, in [0, 1]."""
        return {camera: float(view.residual) for camera, view in self._views.items()}

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings; an abstention before a fit.

        Raises:
            ValueError: A camera that was not fitted although others were.
        """
        if not self._views:
            unknown = torch.full(clip.stamp.shape, torch.nan)
            return Estimate(progress=unknown, spread=unknown.clone())
        others = [camera for camera in clip.cameras if camera not in self._views]
        if others:
            raise ValueError(f"camera {others} was not fitted; fitted: {sorted(self._views)}")
        seen = [self._views[camera](clip.embedding[:, :, number]) for number, camera in enumerate(clip.cameras)]
        return fuse_views(
            torch.stack([progress for progress, _ in seen], dim=-1),
            torch.stack([variance for _, variance in seen], dim=-1),
        )

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "PreferenceReward":
        """Give the model fitted to pairs that recorded episodes tell themselves (see `pairs_from_time`).

        Raises:
            ValueError: No success, clips of different cameras or without two frames that differ in progress.
        """
        pairs = pairs_from_time(clips, number=self._pairs, margin=self._margin, seed=self._seed)
        return self.fitted_to_pairs(pairs, episodes=dict(enumerate(clips)), on_epoch=on_epoch)

    def fitted_to_pairs(
        self,
        pairs: Sequence[PreferencePair],
        *,
        episodes: Mapping[int, LabelledClip],
        on_epoch: OnEpoch = silently,
    ) -> "PreferenceReward":
        """Give the model fitted to labelled pairs; the same model where no pair has a label.

        Successes among the episodes fix the scale of progress. Without any, progress is a rank among the compared
        frames, and its error counts as unmeasured.

        Args:
            pairs: From `read_pairs`, `label_pairs` or `pairs_from_time`.
            episodes: By the number that the pairs name them by.
            on_epoch: Told of the epochs of one camera after the other.

        Raises:
            ValueError: A pair of an episode or frame that is not there, clips of different cameras.
        """
        labelled = [pair for pair in pairs if pair.label is not None]
        if not labelled:
            return self
        cameras = next(iter(episodes.values())).clip.cameras
        if any(clip.clip.cameras != cameras for clip in episodes.values()):
            raise ValueError(f"clips disagree on cameras: {sorted({clip.clip.cameras for clip in episodes.values()})}")
        frames = _Frames(episodes)
        first, second = (
            torch.tensor([frames.place(reference) for reference in references])
            for references in ([pair.first for pair in labelled], [pair.second for pair in labelled])
        )
        label = torch.tensor([pair.label for pair in labelled], dtype=torch.float64)
        views = {}
        for number, camera in enumerate(cameras):
            told = _telling(on_epoch, camera=number, cameras=len(cameras))
            views[camera] = self._fit_view(frames, number, torch.stack([first, second], dim=1), label, told)
        fitted = PreferenceReward(
            self._encoder,
            rank=self._rank,
            hidden=self._hidden,
            pairs=self._pairs,
            margin=self._margin,
            seed=self._seed,
        )
        fitted._views = views
        return fitted

    def _fit_view(
        self, frames: "_Frames", camera: int, compared: Int64[Tensor, "pair 2"], label: Tensor, told: "_Told"
    ) -> PreferenceView:
        embeddings = frames.embeddings(camera)
        view = fit_compressed_view(embeddings, rank=self._rank)
        rows = torch.cat([view(each) for each in embeddings])
        pairs = ComparedRows(
            first=rows[compared[:, 0]],
            second=rows[compared[:, 1]],
            label=label,
            groups=frames.groups[compared],
        )
        untrained = BradleyTerry.untrained(rows.shape[1], hidden=self._hidden, seed=self._seed)
        scores = untrained.fitted_to(pairs, on_epoch=told)
        used = torch.zeros(len(rows), dtype=torch.bool)
        used[compared.flatten()] = True
        known = ~frames.progress.isnan()
        asked = known if bool(known.any()) else used
        return calibrated_view(
            view, scores, rows[asked], frames.progress[asked], frames.groups[asked], unmeasured=UNMEASURED
        )


class _Frames:
    """All frames of the episodes, one after the other."""

    def __init__(self, episodes: Mapping[int, LabelledClip]) -> None:
        self._episodes = episodes
        lengths = [clip.num_frames for clip in episodes.values()]
        starts = torch.tensor([0, *lengths]).cumsum(0).tolist()
        self._start = dict(zip(episodes, starts, strict=False))
        self.groups = frame_groups(lengths, stretches=FOLDS)
        self.progress: Float64[Tensor, " frame"] = torch.cat(
            [
                clip.target.double() if clip.success else torch.full((clip.num_frames,), torch.nan).double()
                for clip in episodes.values()
            ]
        )

    def place(self, reference: FrameReference) -> int:
        clip = self._episodes.get(reference.episode)
        if clip is None or reference.frame >= clip.num_frames:
            there = {number: clip.num_frames for number, clip in self._episodes.items()}
            raise ValueError(
                f"a pair names frame {reference.frame} of episode {reference.episode}; "
                f"there are (episode: frames) {there}"
            )
        return self._start[reference.episode] + reference.frame

    def embeddings(self, camera: int) -> list[Tensor]:
        return [clip.clip.embedding[0, :, camera] for clip in self._episodes.values()]


class _Told:
    """Passes on the epochs of one camera as part of those of all."""

    def __init__(self, on_epoch: OnEpoch, before: int, epochs: int) -> None:
        self._on_epoch, self._before, self._epochs = on_epoch, before, epochs

    def __call__(self, epoch: int, training: float, held_out: float) -> None:
        self._on_epoch(
            FitProgress(
                epoch=self._before + epoch, epochs=self._epochs, training_error=training, held_out_error=held_out
            )
        )


def _telling(on_epoch: OnEpoch, *, camera: int, cameras: int) -> _Told:
    return _Told(on_epoch, camera * EPOCHS, cameras * EPOCHS)
