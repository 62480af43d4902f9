"""From the distance of objects from their target to progress."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from robo_reward.camera.pose import Pose
from robo_reward.models.object_pose_goal import Target


@runtime_checkable
class PoseProgress(Protocol):
    """Reads progress off the poses of objects, given what was before."""

    @property
    def num_objects(self) -> int:
        """How many objects' poses it takes."""
        ...

    @property
    def description(self) -> list[object]:
        """Plain data that tells two of them apart."""
        ...

    def after(self, memory: Any | None, poses: Sequence[Pose] | None, *, stamp: float) -> Any:
        """Give what to remember once a frame was seen.

        Args:
            memory: From the frame before; None at the start of an episode.
            poses: `T_base_object` of each object; None where one is not known.
            stamp: Capture time [s].
        """
        ...

    def distance(self, poses: Sequence[Pose], memory: Any) -> float:
        """Give the distance of poses from what is wanted now [m], `memory` being that after their frame."""
        ...

    def progress(self, distance: float, memory: Any) -> float:
        """Give the progress in [0, 1] of a distance [m]."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ExponentialTolerance:
    """Progress that depends on the poses alone.

        p = exp(−sharpness · max(d − tolerance, 0))

    Where the object begins far away it starts near 0.01 and says little at first; how it came there plays no part.

    Raises:
        ValueError: A sharpness that is not positive, or a negative tolerance.

    Source:
        Human2Sim2Robot (r_obj = exp(−10 d_kp)); the tolerance is this project's own.
    """

    target: Target
    sharpness: float = 10.0
    """[1/m]; 10 = e⁻¹ at 10 cm."""
    tolerance: float = 0.0
    """Distance that counts as none [m]."""

    def __post_init__(self) -> None:
        _check_exponential(self.sharpness)
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance must be >= 0 m, got {self.tolerance}")

    @property
    def num_objects(self) -> int:
        """As many as the target's."""
        return self.target.num_objects

    @property
    def description(self) -> list[object]:
        """Target and settings."""
        return ["ExponentialTolerance", self.target.description, self.sharpness, self.tolerance]

    def after(self, memory: None, poses: Sequence[Pose] | None, *, stamp: float) -> None:
        """Remember nothing."""

    def distance(self, poses: Sequence[Pose], memory: None) -> float:
        """Give the distance from the target [m]."""
        return self.target.distance(poses)

    def progress(self, distance: float, memory: None) -> float:
        """Give exp(−sharpness · max(d − tolerance, 0))."""
        return math.exp(-self.sharpness * max(distance - self.tolerance, 0.0))


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RelativeDistance:
    """Progress as the share of the first known distance that was made good.

        p = clamp(1 − (d − tolerance)₊ / (d_0 − tolerance), 0, 1)

    It uses all of [0, 1] and is linear in the distance, but begins at 0 wherever the object is first seen, and stays 0
    while it is farther away than there. An object that begins within two tolerances is measured by the tolerance.

    Raises:
        ValueError: A tolerance that is not positive.
    """

    target: Target
    tolerance: float = 0.005
    """Distance that counts as none [m]."""

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be > 0 m, got {self.tolerance}")

    @property
    def num_objects(self) -> int:
        """As many as the target's."""
        return self.target.num_objects

    @property
    def description(self) -> list[object]:
        """Target and tolerance."""
        return ["RelativeDistance", self.target.description, self.tolerance]

    def after(self, memory: float | None, poses: Sequence[Pose] | None, *, stamp: float) -> float | None:
        """Remember the first known distance [m]."""
        return self.target.distance(poses) if memory is None and poses is not None else memory

    def distance(self, poses: Sequence[Pose], memory: float) -> float:
        """Give the distance from the target [m]."""
        return self.target.distance(poses)

    def progress(self, distance: float, memory: float) -> float:
        """Give the share of the first known distance that was made good."""
        whole = max(memory - self.tolerance, self.tolerance)
        return 1.0 - min(max(distance - self.tolerance, 0.0) / whole, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceMemory:
    """Where the reference has come to."""

    time: float
    """Time on the reference [s]."""
    stamp: float
    """Capture time of the last frame [s]."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PausedReference:
    """Progress along a motion that was shown once, which waits for an object that lags.

        p = k / (K − 1) · exp(−sharpness · d_k) · (lagging if d_k > lag else 1)

    with k the reference's moment and d_k the distance from its target. The clock of the reference runs while the object
    is within `lag` of it and seen, and stands still otherwise. An object that does what was shown, as fast or slower,
    ends at 1. It rewards time, too: an object that rests is followed until the reference is `lag` ahead of it, and the
    reference, not the picture alone, is part of the state.

    Raises:
        ValueError: Fewer than two targets, stamps of another number or not increasing, targets of different objects, a
            lag or sharpness that is not positive, a factor outside [0, 1].

    Source:
        Human2Sim2Robot, forced reference tracking: lag 0.2 m, factor 0.1, sharpness 10.
    """

    targets: Sequence[Target]
    """What was shown, oldest first."""
    stamps: Sequence[float]
    """When [s], from any zero."""
    lag: float = 0.2
    """Distance beyond which the reference waits [m]."""
    lagging: float = 0.1
    """What progress is multiplied by while it waits."""
    sharpness: float = 10.0
    """[1/m]"""

    def __post_init__(self) -> None:
        if len(self.targets) < 2 or len(self.targets) != len(self.stamps):
            raise ValueError(
                f"a reference needs at least two targets and as many stamps, got {len(self.targets)} "
                f"and {len(self.stamps)}"
            )
        if any(after <= before for before, after in zip(self.stamps, self.stamps[1:], strict=False)):
            raise ValueError(f"stamps must be strictly increasing, got {list(self.stamps)}")
        if len({each.num_objects for each in self.targets}) != 1:
            raise ValueError("the targets of a reference must be of the same objects")
        if not self.lag > 0 or not 0 <= self.lagging <= 1:
            raise ValueError(f"lag must be > 0 m and lagging in [0, 1], got {self.lag} and {self.lagging}")
        _check_exponential(self.sharpness)

    @property
    def num_objects(self) -> int:
        """As many as the targets'."""
        return self.targets[0].num_objects

    @property
    def description(self) -> list[object]:
        """Targets, stamps and settings."""
        targets = [each.description for each in self.targets]
        return ["PausedReference", targets, list(self.stamps), self.lag, self.lagging, self.sharpness]

    def after(self, memory: ReferenceMemory | None, poses: Sequence[Pose] | None, *, stamp: float) -> ReferenceMemory:
        """Let the reference go on by the time since the last frame, unless the object lags or is not seen."""
        if memory is None:
            return ReferenceMemory(time=self.stamps[0], stamp=stamp)
        waits = poses is None or self.targets[self._moment(memory)].distance(poses) > self.lag
        passed = 0.0 if waits else stamp - memory.stamp
        return ReferenceMemory(time=min(memory.time + passed, self.stamps[-1]), stamp=stamp)

    def distance(self, poses: Sequence[Pose], memory: ReferenceMemory) -> float:
        """Give the distance from the reference's present target [m]."""
        return self.targets[self._moment(memory)].distance(poses)

    def progress(self, distance: float, memory: ReferenceMemory) -> float:
        """Give the share of the reference that has passed, less what the object is off it."""
        factor = self.lagging if distance > self.lag else 1.0
        return self._moment(memory) / (len(self.targets) - 1) * math.exp(-self.sharpness * distance) * factor

    def _moment(self, memory: ReferenceMemory) -> int:
        # to rounding: the clock adds up differences of stamps
        return sum(stamp <= memory.time + 1e-9 for stamp in self.stamps) - 1


def _check_exponential(sharpness: float) -> None:
    if not sharpness > 0:
        raise ValueError(f"sharpness must be > 0 per metre, got {sharpness}")


_: tuple[type[PoseProgress], ...] = (ExponentialTolerance, RelativeDistance, PausedReference)
