"""A reward core with its clocks, and what it said; no ROS is needed."""

from robo_reward_ros.answer import Status
from robo_reward_ros.core_settings import CoreSettings
from robo_reward_ros.reward_core import RewardCore
from ros_pictures import SECOND, Clocks, bound, picture, raw, until

PERIOD = SECOND // 10
SHARES = (0.1, 0.3, 0.35, 0.2, 0.7, 0.9)


class Robot:
    """A core with its clocks, and what it said."""

    def __init__(self, model=None, **changes) -> None:
        self.clocks, self.said = Clocks(), []
        settings = CoreSettings(**({"cameras": ("front",), "session": 7, "max_answer_age": 0.0} | changes))
        self.core = RewardCore(bound(model), settings, clocks=self.clocks, publish=self.said.append)

    def sees(self, share: float, *, camera: str = "front", message=None, stamp_ns: int | None = None) -> None:
        self.core.picture(
            camera,
            raw(picture(share)) if message is None else message,
            stamp_ns=self.clocks.ros if stamp_ns is None else stamp_ns,
        )

    def steps(self, *shares: float) -> None:
        """See and answer picture by picture."""
        for share in shares:
            before = len(self.said)
            self.clocks.pass_by(0.1)
            self.sees(share)
            until(lambda before=before: len(self.said) > before)

    def settle(self) -> None:
        """Let the worker finish."""
        until(lambda: self.core._worker.idle)

    @property
    def statuses(self) -> list[Status]:
        return [answer.status for answer in self.said]
