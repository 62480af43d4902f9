"""A calibration that is not to be trusted is an error, not a number."""

from robo_reward.errors import RoboRewardError


class CalibrationError(RoboRewardError):
    """A measurement is refused; says why, and what to do so that the next one is not."""
