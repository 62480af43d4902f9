"""Whether a policy may act now: everything that must be so, or the reason why the arm is to hold. No ROS."""

import math
from dataclasses import dataclass
from typing import final


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLimits:
    """What must be so for a policy to act.

    Raises:
        ValueError: A time that is not positive.
    """

    max_observation_age: float = 0.5
    """An observation that is older is none [s]; infinite = a simulation in lockstep, which stands still."""
    heed_gate: bool = True
    """The gate must say that good rewards come."""
    gate_timeout: float = 0.5
    """Age at which the gate's last word counts as closed [s]."""
    heed_robot: bool = True
    """The robot must say that it runs as it should."""
    robot_timeout: float = math.inf
    """Age at which the robot's last word counts as no [s]."""

    def __post_init__(self) -> None:
        for name in ("max_observation_age", "gate_timeout", "robot_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0 s, got {getattr(self, name)}")


@final
class PolicyGuard:
    """Lets a policy act while a person wants it to, the robot is well, rewards come and the observation is fresh.

    Silence is no: what was never said, or not lately, does not let the policy act.

    Args:
        limits: What must be so.
        enabled: A person wants the policy to act.
    """

    def __init__(self, limits: PolicyLimits, *, enabled: bool) -> None:
        self._limits, self.enabled = limits, enabled
        self._gate: tuple[float, bool] | None = None
        self._robot: tuple[float, bool] | None = None

    def gate_said(self, *, is_open: bool, now: float) -> None:
        """Take the gate's word on whether good rewards come; `now` of a clock that nobody adjusts [s]."""
        self._gate = (now, is_open)

    def robot_said(self, *, ok: bool, now: float) -> None:
        """Take the robot's word on whether it runs as it should; `now` of a clock that nobody adjusts [s]."""
        self._robot = (now, ok)

    def objection(self, *, observation_age: float, missing: str, now: float) -> str:
        """Say why the policy must not act; empty = it may.

        Args:
            observation_age: Age of the observation's oldest part [s]; NaN = there is none.
            missing: Topics that nothing was heard on yet; empty = there are none.
            now: Of a clock that nobody adjusts [s].
        """
        limits = self._limits
        if not self.enabled:
            return "nobody has enabled the policy"
        if limits.heed_robot:
            said = _said(self._robot, now, limits.robot_timeout)
            if said != "yes":
                return f"the robot says {said} to whether it runs as it should"
        if missing:
            return f"nothing was heard yet on {missing}"
        if not observation_age <= limits.max_observation_age:
            return f"the observation is {observation_age:.3g} s old"
        said = _said(self._gate, now, limits.gate_timeout) if limits.heed_gate else "yes"
        return "" if said == "yes" else f"the gate says {said} to whether good rewards come"


def _said(word: tuple[float, bool] | None, now: float, timeout: float) -> str:
    if word is None or now - word[0] > timeout:
        return "nothing"
    return "yes" if word[1] else "no"
