"""What the reward node says, as plain values: `robo_reward_msgs/RewardStamped` without ROS."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

NAN = math.nan


class Status(IntEnum):
    """What the numbers of an answer are worth; the numbers of `RewardStamped.status`."""

    UNKNOWN = 0
    OK = 1
    STALE_INPUT = 2
    SYNC = 3
    WARMUP = 4
    LOW_CONFIDENCE = 5
    ROBOT_STOPPED = 6
    FAULT = 7
    DISABLED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One message of the reward node; the fields mean what `RewardStamped.msg` says of them.

    Raises:
        ValueError: A reward or potential that is not finite with status OK, or is a number with another one.
    """

    stamp_ns: int = 0
    newest_stamp_ns: int = 0
    status: Status = Status.UNKNOWN
    reason: str = ""
    progress: float = NAN
    spread: float = NAN
    potential: float = NAN
    reward: float = NAN
    discount: float = NAN
    steps: int = 0
    task_reward: float = NAN
    success_probability: float = NAN
    success: bool = False
    terminated: bool = False
    truncated: bool = False
    views: Sequence[str] = ()
    view_present: Sequence[bool] = ()
    view_lag: Sequence[float] = ()
    view_progress: Sequence[float] = ()
    model_id: str = ""
    goal_id: str = ""
    input_age: float = NAN
    inference_time: float = NAN
    session: int = 0
    sequence: int = 0
    episode: int = 0
    sets_answered: int = 0
    sets_dropped: int = 0
    pictures_refused: int = 0

    def __post_init__(self) -> None:
        numbers = (self.reward, self.potential, self.task_reward)
        if self.status == Status.OK and not all(map(math.isfinite, numbers)):
            raise ValueError(f"status OK needs finite reward, potential and task_reward, got {numbers}")
        if self.status != Status.OK and not all(map(math.isnan, numbers)):
            raise ValueError(f"status {self.status.name} forbids a numeric reward or potential, got {numbers}")

    @property
    def total_reward(self) -> float:
        """What a learner is paid for the transition: shaping and task reward; NaN unless the status is OK."""
        return self.reward + self.task_reward
