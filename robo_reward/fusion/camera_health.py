"""Which cameras' pictures are to be trusted: one that is lost, frozen, black or swapped is noticed and left out."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import final

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from robo_reward.fusion.camera_limits import CameraLimits, limits_of
from robo_reward.fusion.camera_space import CameraSpace, fit_space

NEVER = 0
"""The patience with a camera whose good recordings stand still for too long: it is never called frozen."""
LONGEST_PATIENCE = 10
"""In multiples of `frozen_after`: how far good recordings may raise it."""


class CameraReason(IntEnum):
    """What is the matter with a camera's picture."""

    GOOD = 0
    LOST = 1
    """No picture."""
    FROZEN = 2
    """The same picture, bit for bit, while another camera's changed."""
    STRANGE = 3
    """Unlike every good picture of this camera: black, covered, over-exposed, moved."""
    SWAPPED = 4
    """More like another camera's good pictures than its own."""


@final
class CameraWatch:
    """Tells of each camera, frame by frame, whether its picture is to be trusted; causal, of bounded memory.

    With d(v, u) the distance of camera v's picture to the nearest good one of camera u (see `CameraSpace`):

    * lost: the embedding is NaN;
    * frozen: the same bits in the last `patience` frames while another camera's changed (if all stand still, the robot
      may simply rest, and nothing is left out);
    * strange: d(v, v), or what lies outside the space, is above `margin` times the quantile found on good recordings
      that were left out, unless the picture is four times nearer to the good ones than to one that shows nothing; or
      it is nearer to the latter;
    * swapped: d(v, v) / d(v, u) is above what left-out recordings show; or, over the last `window` frames and for both
      cameras together, √(d(v,v)/d(v,u) · d(u,u)/d(u,v)) is: two cameras that were exchanged tell on each other.

    A frozen picture is trusted for the first `patience` − 1 frames: nobody can know earlier.

    Args:
        cameras: Names, in the order of the view axis.
        window: Frames over which an exchange of two cameras is looked for, ≥ 1.
        patience: Equal frames, of each camera, that make it frozen, ≥ 2; 0 = never told.
        weights: From `CameraWatch.weights`.

    Raises:
        ValueError: No camera, a window below 1, a patience of 1 or below 0 or for other cameras.
        KeyError: A tensor is missing in the weights.
    """

    def __init__(
        self, *, cameras: Sequence[str], window: int, patience: Sequence[int], weights: Mapping[str, Tensor]
    ) -> None:
        if not cameras or len(patience) != len(cameras):
            raise ValueError(f"a patience is needed for each of the cameras {list(cameras)}, got {list(patience)}")
        if window < 1 or any(each < 0 or each == 1 for each in patience):
            raise ValueError(f"window must be >= 1 and each patience 0 or >= 2, got {window} and {list(patience)}")
        self._cameras, self._window, self._patience = tuple(cameras), window, tuple(patience)
        self._space = CameraSpace.from_weights(weights, num_cameras=len(cameras))
        self._limits = CameraLimits(alone=weights["limits.alone"], exchanged=weights["limits.exchanged"])

    @classmethod
    def fitted_to(
        cls,
        episodes: Sequence[Float[Tensor, "1 _time view dim"]],
        *,
        cameras: Sequence[str],
        blanks: Float[Tensor, "_blank dim"] | None = None,
        frozen_after: int = 8,
        margin: float = 1.5,
    ) -> "CameraWatch":
        """Learn what good pictures look like, and how far other good recordings lie from them.

        Limits come from leaving one episode out (of a single episode: one of five stretches of it).

        Args:
            episodes: Embeddings of good recordings; NaN where a camera gave no frame.
            cameras: Names, in the order of the view axis.
            blanks: Embeddings of pictures that show nothing: black, white, grey.
            frozen_after: Equal frames that make a camera frozen, ≥ 2; more where good recordings have more.
            margin: How far beyond the left-out good pictures a picture may lie, as a ratio of distances, ≥ 1.

        Raises:
            ValueError: No episode, one of other cameras, a camera with fewer than ten good frames, a margin below 1,
                `frozen_after` below 2.
        """
        if margin < 1 or frozen_after < 2:
            raise ValueError(f"margin must be >= 1 and frozen_after >= 2, got {margin:g} and {frozen_after}")
        _check_episodes(episodes, cameras)
        seen = [[episode[0, :, view] for episode in episodes] for view in range(len(cameras))]
        space = fit_space([_present(torch.cat(each)) for each in seen], blanks=blanks)
        limits = limits_of(episodes, blanks=blanks, margin=margin)
        return cls(
            cameras=cameras,
            window=frozen_after,
            patience=[_patience(episodes, view, frozen_after) for view in range(len(cameras))],
            weights=space.weights | {"limits.alone": limits.alone, "limits.exchanged": limits.exchanged},
        )

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names, in the order of the view axis."""
        return self._cameras

    @property
    def context(self) -> int:
        """How many of the latest frames an answer depends on."""
        return max(self._window, *self._patience)

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside the weights, as plain data."""
        return {"cameras": list(self._cameras), "window": self._window, "patience": list(self._patience)}

    @property
    def weights(self) -> dict[str, Tensor]:
        """The tensors that rebuild the watch exactly."""
        limits = {"limits.alone": self._limits.alone, "limits.exchanged": self._limits.exchanged}
        return self._space.weights | limits

    def __call__(self, embedding: Float[Tensor, "batch time view dim"]) -> Bool[Tensor, "batch time view"]:
        """Give True where a camera's picture is to be trusted."""
        return self.reasons(embedding) == CameraReason.GOOD

    def reasons(self, embedding: Float[Tensor, "batch time view dim"]) -> Int64[Tensor, "batch time view"]:
        """Give the `CameraReason` of each picture.

        Raises:
            ValueError: Another number of cameras or another length of embeddings than the watch was fitted to.
        """
        wanted = (len(self._cameras), len(self._space.centre))
        if tuple(embedding.shape[2:]) != wanted:
            raise ValueError(
                f"the watch was fitted to (view, dim) {wanted}, cameras {list(self._cameras)}; got {embedding.shape}"
            )
        return torch.stack([self._reasons_of_one(episode) for episode in embedding])

    def _reasons_of_one(self, embedding: Float[Tensor, "time view dim"]) -> Int64[Tensor, "time view"]:
        distance, outside = _measured(self._space, embedding)
        lost = embedding[..., 0].isnan()
        strange, swapped = self._limits.alone_beyond(distance, outside)
        reasons = torch.full(lost.shape, int(CameraReason.GOOD))
        for where, reason in (
            (swapped, CameraReason.SWAPPED),
            (strange, CameraReason.STRANGE),
            (self._limits.exchanged_beyond(distance, window=self._window), CameraReason.SWAPPED),
            (_frozen(embedding, self._patience), CameraReason.FROZEN),
            (lost, CameraReason.LOST),
        ):
            reasons = torch.where(where, int(reason), reasons)
        return reasons


def _measured(
    space: CameraSpace, embedding: Float[Tensor, "time view dim"]
) -> tuple[Float64[Tensor, "time view bank"], Float64[Tensor, "time view"]]:
    coordinates, outside = zip(*(space.project(view) for view in embedding.unbind(dim=1)), strict=True)
    return torch.stack([space.log_distances(each) for each in coordinates], dim=1), torch.stack(outside, dim=1)


def _frozen(embedding: Float[Tensor, "time view dim"], patience: Sequence[int]) -> Bool[Tensor, "time view"]:
    """Tell where the last `patience` pictures of a camera are equal, and another camera's are not."""
    equal, changed = _steps(embedding)
    columns = []
    for view, frames in enumerate(patience):
        others = torch.cat([changed[:, :view], changed[:, view + 1 :]], dim=1).any(dim=1)
        if frames == NEVER or len(embedding) < frames:
            columns.append(torch.zeros(len(embedding), dtype=torch.bool))
            continue
        still = equal[:, view].unfold(0, frames - 1, 1).all(dim=-1) & others.unfold(0, frames - 1, 1).any(dim=-1)
        columns.append(torch.cat([torch.zeros(frames - 1, dtype=torch.bool), still]))
    return torch.stack(columns, dim=1)


def _steps(embedding: Float[Tensor, "time view dim"]) -> tuple[Bool[Tensor, "step view"], Bool[Tensor, "step view"]]:
    """Tell of each step from frame to frame whether a camera's picture stayed the same, and whether it changed."""
    before, after = embedding[:-1], embedding[1:]
    both = ~(before[..., 0].isnan() | after[..., 0].isnan())
    equal = (before == after).all(dim=-1)
    return equal, ~equal & both  # NaN equals nothing


def _patience(episodes: Sequence[Tensor], view: int, frozen_after: int) -> int:
    """Be more patient than the longest standstill of a good recording asks for."""
    frames = frozen_after
    while frames <= LONGEST_PATIENCE * frozen_after:
        patience = [frames if each == view else NEVER for each in range(episodes[0].shape[2])]
        if not any(bool(_frozen(episode[0], patience).any()) for episode in episodes):
            return frames
        frames *= 2
    return NEVER


def _present(rows: Float[Tensor, "_frame dim"]) -> Float[Tensor, "_seen dim"]:
    return rows[~rows[:, 0].isnan()]


def _check_episodes(episodes: Sequence[Tensor], cameras: Sequence[str]) -> None:
    if not episodes or any(episode.shape[2] != len(cameras) for episode in episodes):
        raise ValueError(
            f"a watch needs at least one episode, all of cameras {list(cameras)}; "
            f"got shapes {[tuple(episode.shape) for episode in episodes]}"
        )
    for view, camera in enumerate(cameras):
        frames = sum(int((~episode[0, :, view, 0].isnan()).sum()) for episode in episodes)
        if frames < 10:
            raise ValueError(f"camera '{camera}' has {frames} good frames; a watch needs at least 10")
