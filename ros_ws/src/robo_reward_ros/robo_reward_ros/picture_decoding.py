"""Pictures of a set into tensors, and what each camera gave. No ROS."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import UInt8
from torch import Tensor

from robo_reward.episodes.ros_images import rgb_of_message
from robo_reward.frame_sets import FrameSet
from robo_reward_ros.answer import Answer
from robo_reward_ros.health import Health
from robo_reward_ros.picture_door import Picture

Views = dict[str, UInt8[Tensor, "3 _h _w"] | None]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Seen:
    """What the model looked at, and what was answered."""

    pictures: FrameSet[Picture]
    views: Views
    answer: Answer


@final
class PictureDecoder:
    """Decodes what the model will look at, and tells `Health` of pictures that turn out to be damaged.

    Args:
        required: Cameras without which there is nothing to look at.
        health: Told of each camera that could be read or not.
    """

    def __init__(self, required: Collection[str], *, health: Health) -> None:
        self._required, self._health = frozenset(required), health
        self.damaged = 0
        """Pictures that could not be decoded."""

    def views(self, frames: Mapping[str, Picture | None]) -> Views | None:
        """Decode the pictures of a set; None where a required one is damaged."""
        views: Views = {}
        for camera, picture in frames.items():
            views[camera] = None
            if picture is None:
                continue
            try:
                rgb = rgb_of_message(picture.message)
            except ValueError as error:
                self.damaged += 1
                self._health.unreadable(camera, str(error))
                if camera in self._required:
                    return None
                continue
            self._health.readable(camera)
            # numpy turns the axes many times faster than torch
            views[camera] = torch.from_numpy(rgb.transpose(2, 0, 1).copy())
        return views


def per_view(pictures: FrameSet[Picture]) -> dict[str, Sequence[Any]]:
    """Give an answer's fields that have one entry for each camera."""
    frames = pictures.frames
    return {
        "views": tuple(frames),
        "view_present": tuple(picture is not None for picture in frames.values()),
        "view_lag": tuple(
            math.nan if picture is None else (picture.stamp_ns - pictures.stamp_ns) * 1e-9
            for picture in frames.values()
        ),
        "view_progress": (math.nan,) * len(frames),
    }
