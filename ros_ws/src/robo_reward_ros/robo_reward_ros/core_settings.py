"""What the core of a reward node needs to know beside its model. No ROS."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from robo_reward.frame_sets import MAX_AGE, MAX_FUTURE, TOLERANCE
from robo_reward_ros.health import HealthLimits


class Clocks(Protocol):
    """The two clocks of a node."""

    def now_ns(self) -> int:
        """Give the time on the clock of the cameras' stamps [ns]."""
        ...

    def steady(self) -> float:
        """Give the time on a clock that nobody adjusts [s]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSettings:
    """What a core needs to know beside its model; the reward node's parameters of the same names say what they mean."""

    cameras: Sequence[str]
    optional_cameras: Sequence[str] = ()
    sync_tolerance: float = TOLERANCE
    max_age: float = MAX_AGE
    max_future: float = MAX_FUTURE
    stale_after: float = 0.5
    max_answer_age: float = 1.0
    inference_timeout: float = 5.0
    max_spread: float = 0.0
    step_duration: float = 0.0
    use_robot_ok: bool = False
    robot_ok_timeout: float = 0.0
    session: int = 0
    """Grows with every activation of the node."""

    @property
    def required(self) -> list[str]:
        """Cameras without which there is no reward."""
        return [name for name in self.cameras if name not in self.optional_cameras]

    @property
    def limits(self) -> HealthLimits:
        """What is still healthy."""
        return HealthLimits(
            required=self.required,
            stale_after=self.stale_after,
            inference_timeout=self.inference_timeout,
            heed_robot=self.use_robot_ok,
            robot_timeout=self.robot_ok_timeout or math.inf,
        )
