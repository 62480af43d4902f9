"""Messages, clocks and models for tests of the robot side; no ROS is needed."""

import io
from threading import Event
from time import monotonic, sleep
from types import SimpleNamespace

import numpy as np
import torch
from fake_encoder import FakeEncoder
from PIL import Image
from robo_reward_ros.bound_model import BoundModel

from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.shaping import LinearPotential

SECOND = 1_000_000_000
START = 1_000 * SECOND


def picture(share: float, *, seed: int = 0, height: int = 12, width: int = 10) -> np.ndarray:
    """Red at first, green at last, with a little grain."""
    grain = np.random.default_rng(seed).integers(0, 7, (height, width, 3))
    return (np.array([200 * (1 - share), 200 * share, 40]) + grain).astype(np.uint8)


def raw(pixels: np.ndarray, *, encoding: str = "rgb8") -> SimpleNamespace:
    height, width, channels = pixels.shape
    return SimpleNamespace(
        height=height, width=width, encoding=encoding, is_bigendian=0, step=width * channels, data=pixels.tobytes()
    )


def compressed(pixels: np.ndarray, *, kind: str = "png") -> SimpleNamespace:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return SimpleNamespace(format=kind, data=buffer.getvalue())


def tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.tensor(pixels).permute(2, 0, 1).contiguous()


def green_model() -> PromptSimilarity:
    return PromptSimilarity(
        FakeEncoder(), goal=["a green square"], baseline=["a red square"], alpha=0.5, renormalize=True
    )


def bound(model=None, **changes) -> BoundModel:
    given = {
        "model": model or green_model(),
        "potential": LinearPotential(),
        "discount": 0.99,
        "goal_id": "make it green",
    }
    return BoundModel(**(given | changes))


class Clocks:
    """Two clocks that stand still until they are moved."""

    def __init__(self) -> None:
        self.ros, self.wall = START, 100.0

    def now_ns(self) -> int:
        return self.ros

    def steady(self) -> float:
        return self.wall

    def pass_by(self, seconds: float) -> None:
        self.ros += round(seconds * SECOND)
        self.wall += seconds


class Gated:
    """A model that waits at a gate before it answers, or fails as told."""

    def __init__(self, model: PromptSimilarity) -> None:
        self.model, self.gate, self.fault = model, Event(), None
        self.gate.set()
        self.asked = 0

    @property
    def version(self) -> str:
        return self.model.version

    @property
    def context(self) -> int | None:
        return self.model.context

    def estimate(self, clip):
        self.asked += 1
        assert self.gate.wait(10)
        if self.fault is not None:
            raise self.fault
        return self.model.estimate(clip)


def until(condition, *, seconds: float = 5.0) -> None:
    """Wait for another thread."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        sleep(0.001)
