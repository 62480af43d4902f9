"""The point whose way is measured: the tool's own position, or a key point that the cameras of a rig see."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Located:
    """Where a point is in each frame, in the rig's base frame; NaN where nobody knows."""

    position: Float64[Tensor, "batch time 3"]
    """[m]."""
    covariance: Float64[Tensor, "batch time 3 3"]
    """[m²]."""


@runtime_checkable
class PointSource(Protocol):
    """Says where the tracked point is; causal, with memory: piece by piece is the same as whole, bit for bit."""

    @property
    def version(self) -> str:
        """Identifies settings and weights."""
        ...

    def locate(self, seen: Clip, memory: Any | None) -> tuple[Located, Any]:
        """Locate the point in the next frames of an episode.

        Args:
            seen: The frames.
            memory: What the call before this one gave; None at the start of an episode.
        """
        ...


@final
class ToolPoint:
    """The tool's position as the robot feels it, from TF or kinematics.

    With "tool_pose" in the clip's state the point is at `tip` in the tool's frame, p = t + R(q) tip; with
    "tool_position" alone it is that position, and a tip would need the orientation.

    Args:
        tip: Offset of the point in the tool's frame [m].
        std: One standard deviation of the position per axis [m]: kinematics, calibration of the base and delay.

    Raises:
        ValueError: A tip that is not three numbers, or a standard deviation that is negative.
    """

    def __init__(self, *, tip: Sequence[float] = (0.0, 0.0, 0.0), std: float = 0.002) -> None:
        if len(tip) != 3:
            raise ValueError(f"tip must be 3 numbers [m], got {list(tip)}")
        if not std >= 0:
            raise ValueError(f"std must be >= 0 m, got {std}")
        self._tip, self._std = tuple(float(each) for each in tip), float(std)

    @property
    def version(self) -> str:
        """Identifies tip and standard deviation."""
        return hashlib.sha256(json.dumps(["ToolPoint", self._tip, self._std]).encode()).hexdigest()[:16]

    def locate(self, seen: Clip, memory: None) -> tuple[Located, None]:
        """Read the point from the clip's state; NaN where a number of it is NaN.

        Raises:
            ValueError: The clip's state has neither "tool_pose" nor "tool_position", only a position although a tip was
                given, or a quaternion that is not of unit length.
        """
        if "tool_pose" in seen.state:
            position = _tip_of(_sized(seen, "tool_pose", 7), self._tip)
        elif "tool_position" in seen.state:
            if any(self._tip):
                raise ValueError(
                    f"the tip {list(self._tip)} needs the state 'tool_pose'; there is 'tool_position' only"
                )
            position = _sized(seen, "tool_position", 3)
        else:
            raise ValueError(
                f"the clip's state has neither 'tool_pose' nor 'tool_position'; it has {sorted(seen.state)}"
            )
        known = torch.isfinite(position).all(dim=-1)
        position = torch.where(known[..., None], position, torch.nan)
        covariance = torch.eye(3, dtype=torch.float64) * self._std**2
        covariance = torch.where(known[..., None, None], covariance, torch.nan)
        return Located(position=position, covariance=covariance), None


def _sized(seen: Clip, name: str, size: int) -> Tensor:
    values = seen.state[name]
    if values.shape[-1] != size:
        raise ValueError(f"state '{name}' must have {size} numbers per frame, got {values.shape[-1]}")
    return values


def _tip_of(pose: Tensor, tip: Sequence[float]) -> Tensor:
    """Give t + R(q) tip with q = (w, x, y, z), written out: products and sums of single numbers."""
    position, (w, x, y, z) = pose[..., :3], pose[..., 3:].unbind(dim=-1)
    norm = w * w + x * x + y * y + z * z
    if bool(((norm - 1).abs() > 1e-3).any()):  # NaN compares as unequal to nothing and passes
        raise ValueError("state 'tool_pose' must be x y z qw qx qy qz with a unit quaternion; its length is not 1")
    a, b, c = tip
    turned = (
        (w * w + x * x - y * y - z * z) * a + 2 * (x * y - w * z) * b + 2 * (x * z + w * y) * c,
        2 * (x * y + w * z) * a + (w * w - x * x + y * y - z * z) * b + 2 * (y * z - w * x) * c,
        2 * (x * z - w * y) * a + 2 * (y * z + w * x) * b + (w * w - x * x - y * y + z * z) * c,
    )
    return position + torch.stack(turned, dim=-1) / norm[..., None]


_: type[PointSource] = ToolPoint  # the type checker holds the protocol
