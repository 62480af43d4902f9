"""Bags of two cameras, opened as episodes."""

from robo_reward.clip import Clip
from robo_reward.episodes.bag import BagEpisodes

FRONT, WRIST = "observation.images.front", "observation.images.wrist"
CAMERAS = {"front": "/front/image_raw", "wrist": "/wrist/compressed"}


def opened(bag, **settings) -> BagEpisodes:
    return BagEpisodes(bag, **({"cameras": CAMERAS, "instruction": "make it green"} | settings))


def whole(source: BagEpisodes, number: int = 0, *, num_frames: int = 1000) -> Clip:
    clip, *more = source.clips(source.episodes[number], num_frames=num_frames)
    for later in more:
        clip = clip.followed_by(later)
    return clip
