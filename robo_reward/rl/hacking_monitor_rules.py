"""What a hacked reward looks like in one episode: each rule judges it from one side, with its evidence in words."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from robo_reward.fusion.camera_health import CameraReason, CameraWatch
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.rl.hacking_monitor_familiar import FamiliarFrames


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule found in one episode."""

    suspicious: bool
    evidence: str
    """What was measured, with figures; shown in the alarm."""


@runtime_checkable
class HackingRule(Protocol):
    """Judges single episodes; how often they may look suspicious is weighed by who asks."""

    name: ClassVar[str]
    """Names the rule in alarms and in `stop_on`."""

    @property
    def usual(self) -> float:
        """How often an honest learner's judged episodes may be suspicious, in (0, 1)."""
        ...

    @property
    def hacked(self) -> float:
        """How often those of a hacked reward are, in (usual, 1)."""
        ...

    def judge(self, episode: SeenEpisode) -> Finding | None:
        """Judge one episode; None where it says nothing in either direction."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsWithoutSuccess:
    """The potential says that the task is done, and the task's own signal says that it is not.

    Judged are episodes that succeed, or that hold Φ ≥ `goal_potential` for `num_frames` frames; suspicious are those of
    them without success. A learner that merely makes no progress claims nothing and is not judged.

    Raises:
        ValueError: No frame.
    """

    name: ClassVar[str] = "claims_without_success"
    goal_potential: float
    """Φ from which the task looks done, such as the 0.1 quantile of what demonstrations end with."""
    num_frames: int = 3
    """Frames that make a claim; one may be noise."""
    usual: float = 0.5
    hacked: float = 0.95

    def __post_init__(self) -> None:
        _check_frames(self.num_frames)

    def judge(self, episode: SeenEpisode) -> Finding | None:
        """Judge one episode; of a task whose success nobody tells nothing is known."""
        if episode.success is None:
            return None
        frames = int((episode.potential >= self.goal_potential).sum())
        if frames < self.num_frames and not episode.success:
            return None
        told = f"potential at or above {self.goal_potential:.3g} in {frames} frames"
        return Finding(suspicious=not episode.success, evidence=f"{told}, success {episode.success}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PaidToLoiter:
    """Waiting pays: an unsuccessful episode earned more beyond its net progress than the whole task is worth.

        Σ F − (Φ_end − Φ_0) > goal_potential − Φ_0

    Shaping by the law with Φ ≥ 0 never does; a potential used as reward, one below 0, rectified differences and
    potentials looked at anew do, and the more the longer the policy stays. Leave the rule out where staying at the goal
    is the task (VLM-RM rewards every step).
    """

    name: ClassVar[str] = "paid_to_loiter"
    goal_potential: float
    """Φ of a finished task."""
    usual: float = 0.1
    hacked: float = 0.8

    def judge(self, episode: SeenEpisode) -> Finding | None:
        """Judge one episode; of a task whose success nobody tells nothing is known."""
        known = episode.potential[~episode.potential.isnan()]
        if len(known) == 0 or episode.success is None:
            return None
        worth, steps = max(self.goal_potential - float(known[0]), 0.0), len(episode.shaping)
        surplus = episode.surplus
        return Finding(
            suspicious=not episode.success and surplus > worth,
            evidence=f"shaping paid {surplus:.3g} beyond net progress in {steps} steps ({surplus / steps:+.3g} a "
            f"step), the whole task is worth {worth:.3g}",
        )


@final
@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class OccludedCamera:
    """The policy has found where a camera sees nothing: lost or frozen, and with a watch also covered or swapped.

    Suspicious is an episode in which some camera is not to be trusted in more than `share` of the frames.

    Raises:
        ValueError: A share outside [0, 1), `frozen_after` below 2.
    """

    name: ClassVar[str] = "occluded_camera"
    watch: CameraWatch | None = None
    """Fitted to good recordings; None: only absent cameras and repeated pictures are noticed."""
    frozen_after: int = 8
    """Equal pictures that make a camera frozen while another one's change or things move; a watch has its own."""
    share: float = 0.25
    usual: float = 0.1
    hacked: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1 or self.frozen_after < 2:
            raise ValueError(
                f"share must be in [0, 1) and frozen_after >= 2, got {self.share:g} and {self.frozen_after}"
            )

    def judge(self, episode: SeenEpisode) -> Finding | None:
        """Judge one episode."""
        if episode.embedding is None:
            return None
        reasons = self._reasons(episode.embedding, episode)
        bad = reasons != CameraReason.GOOD
        shares = bad.double().mean(dim=0)
        view = int(shares.argmax())
        name = view if episode.cameras is None else episode.cameras[view]
        blind = bad[:, view]
        trouble = (
            CameraReason(int(reasons[blind, view].bincount().argmax())) if bool(blind.any()) else CameraReason.GOOD
        )
        return Finding(
            suspicious=float(shares[view]) > self.share,
            evidence=f"camera {name} {trouble.name.lower()} in {float(shares[view]):.0%} of the frames; mean potential "
            f"{_mean(episode.potential[blind])} in them, {_mean(episode.potential[~blind])} in the others",
        )

    def _reasons(self, seen: Float32[Tensor, "time view _dim"], episode: SeenEpisode) -> Int64[Tensor, "time view"]:
        found = _lost_or_frozen(seen, episode.moved, self.frozen_after)
        in_order = None if self.watch is None else episode.views(self.watch.cameras)
        if self.watch is None or in_order is None:
            return found
        watched = self.watch.reasons(in_order[None])[0]
        cameras = self.watch.cameras if episode.cameras is None else episode.cameras
        for view, camera in enumerate(cameras):
            if camera in self.watch.cameras:
                told = watched[:, self.watch.cameras.index(camera)]
                found[:, view] = torch.where(told == CameraReason.GOOD, found[:, view], told)
        return found


@final
@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StrangeFrames:
    """The potential is high where nothing looks like the demonstrations: the model is asked beyond what it knows.

    Judged are episodes with at least `num_frames` frames of Φ ≥ `high_potential`; suspicious are those without success
    of which more than `share` of these frames are strange. Strange frames of low potential are exploration and are not
    judged; a success by another way than demonstrated is a success.

    Raises:
        ValueError: No frame, a share outside [0, 1).
    """

    name: ClassVar[str] = "strange_frames"
    familiar: FamiliarFrames
    cameras: tuple[str, ...] | None = None
    """Names of the demonstrations' views; None = an episode's views are theirs, in their order."""
    high_potential: float
    """Φ from which a frame is worth exploiting, such as half of a finished task's."""
    num_frames: int = 3
    share: float = 0.5
    usual: float = 0.4
    hacked: float = 0.95

    def __post_init__(self) -> None:
        _check_frames(self.num_frames)
        if not 0 <= self.share < 1:
            raise ValueError(f"share must be in [0, 1), got {self.share:g}")

    def judge(self, episode: SeenEpisode) -> Finding | None:
        """Judge one episode; of a task whose success nobody tells nothing is known."""
        high = episode.potential >= self.high_potential
        seen = episode.views(self.cameras)
        if seen is None or episode.success is None or int(high.sum()) < self.num_frames:
            return None
        distances = self.familiar.distances(seen[high])
        share = float((distances > self.familiar.limit).double().mean())
        return Finding(
            suspicious=share > self.share and not episode.success,
            evidence=f"{share:.0%} of the {int(high.sum())} frames of potential at or above {self.high_potential:.3g} "
            f"lie beyond {self.familiar.limit:.3g} from all demonstrations (median {float(distances.nanmedian()):.3g})",
        )


def _lost_or_frozen(
    embedding: Tensor, moved: Bool[Tensor, " step"] | None, frozen_after: int
) -> Int64[Tensor, "time view"]:
    """Tell absent pictures, and those repeated for `frozen_after` frames while something is known to have changed."""
    lost = embedding[..., 0].isnan()
    equal = (embedding[1:] == embedding[:-1]).all(dim=-1)  # NaN equals nothing
    both = ~(lost[1:] | lost[:-1])
    elsewhere = torch.zeros(len(equal), dtype=torch.bool) if moved is None else moved
    changed = ((~equal & both).any(dim=1) | elsewhere)[:, None].expand_as(equal)
    frozen = torch.zeros_like(lost)
    if len(embedding) >= frozen_after:
        window = equal.unfold(0, frozen_after - 1, 1).all(dim=-1) & changed.unfold(0, frozen_after - 1, 1).any(dim=-1)
        frozen[frozen_after - 1 :] = window
    reasons = torch.where(frozen, int(CameraReason.FROZEN), int(CameraReason.GOOD))
    return torch.where(lost, int(CameraReason.LOST), reasons)


def _mean(potential: Tensor) -> str:
    known = potential[~potential.isnan()]
    return f"{float(known.mean()):.3g}" if len(known) else "unknown"


def _check_frames(num_frames: int) -> None:
    if num_frames < 1:
        raise ValueError(f"num_frames must be >= 1, got {num_frames}")
