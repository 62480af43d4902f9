"""Where pictures come in: refused where their form or stamp is wrong, else put into sets. No ROS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float64

from robo_reward.episodes.ros_images import picture_size
from robo_reward.frame_sets import JUMP, FrameSet, FrameSets
from robo_reward.state_history import StateHistory
from robo_reward_ros.core_settings import CoreSettings
from robo_reward_ros.health import Health
from robo_reward_ros.stage_timing import StageTiming

JUMP_NS = round(JUMP * 1e9)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Picture:
    """An undecoded picture."""

    message: Any
    """With the fields of `sensor_msgs/Image` or `sensor_msgs/CompressedImage`."""
    stamp_ns: int
    """Capture time [ns]."""
    arrived: float
    """On the steady clock [s]."""


@final
class PictureDoor:
    """Lets good pictures in, tells `Health` of all, and gives the newest complete set.

    Args:
        settings: Cameras and limits.
        health: Told of pictures, sets and unreadable pictures.
        timing: Told how old pictures are on arrival and how long they wait for each other.
        states: Remembers what the robot felt; forgets it when a clock jumps back.
    """

    def __init__(self, settings: CoreSettings, *, health: Health, timing: StageTiming, states: StateHistory) -> None:
        self._settings, self._health, self._timing, self._states = settings, health, timing, states
        self._sets: FrameSets[Picture] = FrameSets(
            settings.cameras,
            settings.sync_tolerance,
            optional=settings.optional_cameras,
            max_age=settings.max_age,
            max_future=settings.max_future,
            jump=JUMP,
        )
        self._newest: dict[str, int] = {}  # camera to the stamp of its last good picture [ns]
        self.refused = 0
        """Pictures with a bad form or stamp."""

    @property
    def dropped(self) -> Mapping[str, Mapping[str, int]]:
        """Camera to reason to number of pictures that no set used."""
        return {camera: {str(why): count for why, count in by.items()} for camera, by in self._sets.dropped.items()}

    def reset(self) -> None:
        """Forget the pictures that wait: the next set is the first of another episode."""
        self._sets.reset()

    def feel(self, name: str, values: Float64[np.ndarray, " size"], *, stamp_ns: int) -> None:
        """Hear a state; one without a stamp is left out, what is no finite number in it is unknown.

        Raises:
            ValueError: An unknown name, or another number of values.
        """
        if stamp_ns > 0:
            self._states.add(name, np.where(np.isfinite(values), values, np.nan), stamp_ns=stamp_ns)

    def felt(self, pictures: FrameSet[Picture]) -> dict[str, Float64[np.ndarray, " size"]]:
        """Give what had been felt at the time of a set's oldest picture, as far as it has been heard by now."""
        return self._states.at(pictures.stamp_ns)

    def take(self, camera: str, message: Any, *, stamp_ns: int, now_ns: int, now: float) -> FrameSet[Picture] | None:
        """Take a picture, and give the set that it completes.

        Args:
            camera: One of the settings'.
            message: The picture.
            stamp_ns: Capture time in its header [ns].
            now_ns: The time now on the clock of the stamps [ns].
            now: The time now on the steady clock [s].
        """
        try:
            picture_size(message)
        except ValueError as error:
            self.refused += 1
            self._health.unreadable(camera, str(error))
            return None
        good = self._good_stamp(camera, stamp_ns, now_ns)
        picture = Picture(message=message, stamp_ns=stamp_ns, arrived=now)
        # bad stamps too: the sets count them, and notice a clock that was set back
        generation = self._sets.generation
        found = self._sets.add(camera, picture, stamp_ns=stamp_ns, now_ns=now_ns)
        if self._sets.generation != generation:
            self._states.reset()
        if good:
            self._newest[camera] = stamp_ns
            self._health.picture_came(camera, now=now)
            self._timing.add("receive", (now_ns - stamp_ns) * 1e-9)
        else:
            self.refused += 1
        if found is not None:
            self._health.set_came(now=now)
            arrived = [each.arrived for each in found.frames.values() if each is not None]
            self._timing.add("synchronise", now - min(arrived))
        return found

    def _good_stamp(self, camera: str, stamp_ns: int, now_ns: int) -> bool:
        """Tell whether a stamp can be used: frozen, disordered, old and future ones cannot."""
        age, newest = (now_ns - stamp_ns) * 1e-9, self._newest.get(camera, 0)
        timely = stamp_ns > 0 and -self._settings.max_future <= age <= self._settings.max_age
        # a stamp far back is a clock that was set back, and begins another episode
        return timely and (stamp_ns > newest or stamp_ns < newest - JUMP_NS)
