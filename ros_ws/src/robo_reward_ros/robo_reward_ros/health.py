"""Whether rewards may be given, and if not, why: one state out of clocks, cameras, robot and model. No ROS."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import final

from robo_reward_ros.answer import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimits:
    """What is still healthy.

    Raises:
        ValueError: A limit that is not positive, no required camera.
    """

    required: Sequence[str]
    """Cameras without which there is no reward."""
    stale_after: float
    """Silence of a required camera that makes the input stale [s]."""
    inference_timeout: float
    """Time with one set after which the model counts as failed [s]."""
    heed_robot: bool = False
    """Whether `robot_said` decides at all."""
    robot_timeout: float = math.inf
    """Age at which the robot's last word counts as no [s]; infinite = it holds until the next one."""

    def __post_init__(self) -> None:
        if not self.required:
            raise ValueError("required is empty; at least one camera must be required")
        for name in ("stale_after", "inference_timeout", "robot_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0 s, got {getattr(self, name)}")


Verdict = tuple[Status, str]
HEALTHY: Verdict = (Status.OK, "")


@final
class Health:
    """Weighs everything that may stand against a reward; the gravest reason is the status.

        DISABLED > ROBOT_STOPPED > FAULT > STALE_INPUT > SYNC > WARMUP > (LOW_CONFIDENCE of an answer) > OK

    All times are of one steady clock [s], which no adjustment of the robot's clocks moves. May be told and asked from
    different threads.

    Args:
        limits: What is still healthy.
        now: When it begins; cameras have `stale_after` from then on for their first picture.
    """

    def __init__(self, limits: HealthLimits, *, now: float) -> None:
        self._limits, self._lock = limits, Lock()
        self._began = self._fresh_since = now
        self._enabled = True
        self._pictured: dict[str, float] = {}
        self._unreadable: dict[str, str] = {}
        self._set_at: float | None = None
        self._robot: tuple[float, bool] | None = None
        self._fault = self._preparing = ""
        self._objections: dict[str, Verdict] = {}

    def enable(self, *, enabled: bool) -> None:
        """Switch rewards on or off."""
        with self._lock:
            self._enabled = enabled

    def robot_said(self, *, ok: bool, now: float) -> None:
        """Take the robot's word on whether it runs as it should."""
        with self._lock:
            self._robot = (now, ok)

    def picture_came(self, camera: str, *, now: float) -> None:
        """Note a picture with a good stamp and form."""
        with self._lock:
            self._pictured[camera] = now

    def set_came(self, *, now: float) -> None:
        """Note a complete set of pictures."""
        with self._lock:
            self._set_at = now

    def unreadable(self, camera: str, reason: str) -> None:
        """Note a picture that could not be read, until `readable` says otherwise."""
        with self._lock:
            self._unreadable[camera] = reason

    def readable(self, camera: str) -> None:
        """Note a picture that could be read."""
        with self._lock:
            self._unreadable.pop(camera, None)

    def object(self, who: str, status: Status, reason: str = "") -> None:
        """Note what somebody holds against rewards, until the same says OK.

        Args:
            who: Such as camera_info of a camera.
            status: FAULT, WARMUP, or OK = nothing any more.
            reason: For people.

        Raises:
            ValueError: Another status.
        """
        if status not in (Status.FAULT, Status.WARMUP, Status.OK):
            raise ValueError(f"an objection is FAULT or WARMUP, or OK to withdraw it; got {status.name}")
        with self._lock:
            self._objections.pop(who, None)
            if status != Status.OK:
                self._objections[who] = (status, f"{who}: {reason}")

    def preparing(self, reason: str) -> None:
        """Note that the model is being changed; empty = it is ready."""
        with self._lock:
            self._preparing = reason

    def failed(self, reason: str) -> None:
        """Note a failure of the model; empty = it works."""
        with self._lock:
            self._fault = reason

    def verdict(self, *, now: float, busy_for: float = 0.0) -> Verdict:
        """Give status and reason; OK if nothing stands against a reward but the answer itself.

        Args:
            now: Of the steady clock [s].
            busy_for: How long the model has been busy with one set [s].
        """
        with self._lock:
            return next((each for each in self._against(now, busy_for) if each[0] != Status.OK), HEALTHY)

    def _against(self, now: float, busy_for: float) -> Sequence[Verdict]:
        return (
            HEALTHY if self._enabled else (Status.DISABLED, "the service enable switched rewards off"),
            self._robot_verdict(now),
            self._model_verdict(busy_for),
            self._objection(Status.FAULT),
            self._stale_verdict(now),
            self._sync_verdict(now),
            (Status.WARMUP, self._preparing) if self._preparing else HEALTHY,
            self._objection(Status.WARMUP),
        )

    def _objection(self, status: Status) -> Verdict:
        return next((each for each in self._objections.values() if each[0] == status), HEALTHY)

    def _robot_verdict(self, now: float) -> Verdict:
        if not self._limits.heed_robot:
            return HEALTHY
        if self._robot is None:
            return Status.ROBOT_STOPPED, "robot_ok: nothing was heard"
        said_at, ok = self._robot
        if not ok:
            return Status.ROBOT_STOPPED, "robot_ok is false"
        if now - said_at > self._limits.robot_timeout:
            return Status.ROBOT_STOPPED, f"robot_ok is silent for more than {self._limits.robot_timeout:g} s"
        return HEALTHY

    def _model_verdict(self, busy_for: float) -> Verdict:
        if busy_for > self._limits.inference_timeout:
            return Status.FAULT, f"the model is busy for more than {self._limits.inference_timeout:g} s"
        return (Status.FAULT, self._fault) if self._fault else HEALTHY

    def _stale_verdict(self, now: float) -> Verdict:
        silent = [
            camera
            for camera in self._limits.required
            if now - self._pictured.get(camera, self._began) > self._limits.stale_after
        ]
        if silent:
            self._fresh_since = now
            return Status.STALE_INPUT, f"no picture of {', '.join(silent)} for more than {self._limits.stale_after:g} s"
        for camera, reason in self._unreadable.items():
            if camera in self._limits.required:
                return Status.STALE_INPUT, f"camera '{camera}': {reason}"
        if any(camera not in self._pictured for camera in self._limits.required):
            self._fresh_since = now
            return Status.WARMUP, "waiting for the first pictures"
        return HEALTHY

    def _sync_verdict(self, now: float) -> Verdict:
        since = self._fresh_since if self._set_at is None else max(self._set_at, self._fresh_since)
        if now - since <= self._limits.stale_after:
            return HEALTHY
        return Status.SYNC, "pictures come, but their stamps are farther apart than sync_tolerance"
