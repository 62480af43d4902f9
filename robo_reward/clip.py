"""The vocabulary: what the cameras saw (`Clip`) and what is known about a finished trajectory (`Episode`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float64, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Clip:
    """What the cameras saw: consecutive sets of RGB frames, oldest first.

    Raises:
        ValueError: No camera, an empty batch or time axis, views that disagree on batch or time,
            a frame that is not channels-first RGB, stamps that are not finite and strictly increasing,
            a state without numbers, of another batch or time, or infinite.
        TypeError: Frames that are not uint8, `present` that is not bool, `stamp` or a state that is not float64.
    """

    views: Mapping[str, UInt8[Tensor, "batch time 3 _h _w"]]
    """Camera name to RGB frames; cameras may differ in height and width."""
    present: Bool[Tensor, "batch time view"]
    """False where a camera gave no frame; its pixels are then ignored. Last axis in the order of `views`."""
    stamp: Float64[Tensor, "batch time"]
    """Capture time [s], strictly increasing along time."""
    state: Mapping[str, Float64[Tensor, "batch time _size"]] = field(default_factory=dict)
    """What the robot felt at each frame: name to numbers in SI units, such as `tool_position` (3) [m],
    `tool_pose` (x y z qw qx qy qz) and `gripper_width` (1) [m] in the robot's base frame; NaN where it did not say."""

    def __post_init__(self) -> None:
        if not self.views:
            raise ValueError("a clip needs at least one camera; views is empty")
        for name, frames in self.views.items():
            _check_frames(name, frames)
        batch, time = next(iter(self.views.values())).shape[:2]
        for name, frames in self.views.items():
            if frames.shape[:2] != (batch, time):
                raise ValueError(
                    f"camera '{name}' has (batch, time) {tuple(frames.shape[:2])}, others have {(batch, time)}"
                )
        _check_tensor("present", self.present, (batch, time, len(self.views)), torch.bool)
        _check_tensor("stamp", self.stamp, (batch, time), torch.float64)
        check_stamp(self.stamp)
        for name, numbers in self.state.items():
            _check_state(name, numbers, (batch, time))

    @property
    def cameras(self) -> tuple[str, ...]:
        """Camera names in the order of the last axis of `present`."""
        return tuple(self.views)

    def followed_by(self, later: "Clip") -> "Clip":
        """Append a later clip of the same cameras and state.

        Raises:
            ValueError: Other cameras, frame sizes or names of state, or stamps that do not increase.
        """
        for name, frames in self.views.items():
            if name not in later.views or later.views[name].shape[2:] != frames.shape[2:]:
                found = {camera: tuple(other.shape[2:]) for camera, other in later.views.items()}
                raise ValueError(f"camera '{name}' had frames {tuple(frames.shape[2:])}; the later clip has {found}")
        if set(later.state) != set(self.state):
            raise ValueError(f"the clip has state {sorted(self.state)}, the later one {sorted(later.state)}")
        return Clip(
            views={name: torch.cat([frames, later.views[name]], dim=1) for name, frames in self.views.items()},
            present=torch.cat([self.present, later.present], dim=1),
            stamp=torch.cat([self.stamp, later.stamp], dim=1),
            state={name: torch.cat([numbers, later.state[name]], dim=1) for name, numbers in self.state.items()},
        )

    def latest(self, num_frames: int | None) -> "Clip":
        """Keep the last `num_frames` frames of each camera; None keeps all."""
        if num_frames is None or num_frames >= self.stamp.shape[1]:
            return self
        return Clip(
            views={name: frames[:, -num_frames:] for name, frames in self.views.items()},
            present=self.present[:, -num_frames:],
            stamp=self.stamp[:, -num_frames:],
            state={name: numbers[:, -num_frames:] for name, numbers in self.state.items()},
        )

    def take(self, index: Int64[Tensor, " picked"], *, stamp: Float64[Tensor, " picked"]) -> "Clip":
        """Show the frames of these indices, in this order, as if captured at these times [s]."""
        return Clip(
            views={name: frames[:, index] for name, frames in self.views.items()},
            present=self.present[:, index],
            stamp=stamp.expand(self.stamp.shape[0], -1),
            state={name: numbers[:, index] for name, numbers in self.state.items()},
        )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Episode:
    """What is known about a finished trajectory beside its pictures.

    A transition t leads from frame t to frame t+1. The last one leads to a state that no camera recorded.

    Raises:
        ValueError: No frame or camera, or a column whose length differs from `stamp`.
        TypeError: A column of another type than its annotation says.
    """

    index: int
    """Number of the episode in its data set, from 0."""
    instruction: str
    """The task in words, as recorded."""
    cameras: tuple[str, ...]
    stamp: Float64[Tensor, " time"]
    """Capture time of each frame [s], strictly increasing."""
    terminated: bool
    """True if the last transition reached a terminal state of the MDP; False if it was cut or nobody said."""
    success: Bool[Tensor, " time"] | None
    """True where a transition ended in task success, told by something that is not a potential; None = unknown."""

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError(f"episode {self.index} has no camera")
        if self.stamp.ndim != 1 or self.stamp.shape[0] == 0:
            raise ValueError(f"episode {self.index}: stamp must be (time,), got shape {tuple(self.stamp.shape)}")
        _check_tensor("stamp", self.stamp, (self.num_frames,), torch.float64)
        check_stamp(self.stamp)
        if self.success is not None:
            _check_tensor("success", self.success, (self.num_frames,), torch.bool)

    @property
    def num_frames(self) -> int:
        """Number of recorded frames (sets of one frame per camera)."""
        return int(self.stamp.shape[0])


def check_stamp(stamp: Float64[Tensor, "*batch time"]) -> None:
    """Raise ValueError unless the stamps [s] are finite and strictly increasing along the last axis."""
    if not bool(torch.isfinite(stamp).all()):
        raise ValueError("stamp must be finite seconds; found NaN or infinity")
    if bool((stamp.diff(dim=-1) <= 0).any()):
        step = float(stamp.diff(dim=-1).min())
        raise ValueError(f"stamp must be strictly increasing; the smallest step is {step:g} s")


def _check_frames(name: str, frames: Tensor) -> None:
    if frames.dtype != torch.uint8:
        raise TypeError(f"camera '{name}': frames must be uint8 RGB in [0, 255], got {frames.dtype}")
    if frames.ndim != 5 or frames.shape[2] != 3:
        raise ValueError(
            f"camera '{name}': frames must be (batch, time, 3, height, width), got {tuple(frames.shape)}"
            + ("; move the channels first" if frames.ndim == 5 and frames.shape[-1] == 3 else "")
        )
    if 0 in frames.shape:
        raise ValueError(f"camera '{name}': frames are empty, shape {tuple(frames.shape)}")


def _check_state(name: str, numbers: Tensor, batch_time: tuple[int, ...]) -> None:
    if numbers.ndim != 3 or numbers.shape[2] == 0:
        raise ValueError(f"state '{name}' must be (batch, time, size >= 1), got {tuple(numbers.shape)}")
    _check_tensor(f"state '{name}'", numbers, (*batch_time, numbers.shape[2]), torch.float64)
    if bool(numbers.isinf().any()):
        raise ValueError(f"state '{name}' must be finite, or NaN where unknown; found infinity")


def _check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if tensor.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, got {tensor.dtype}")
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
