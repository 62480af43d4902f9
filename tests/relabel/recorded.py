"""Small recorded data sets whose pictures turn from red to green as the task is done."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fake_encoder import FakeEncoder

from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter
from robo_reward.models.prompt_similarity import PromptSimilarity

CAMERAS = ("observation.images.front", "observation.images.wrist")
INSTRUCTION = "make it green"


def record_red_to_green(folder: Path, lengths: Sequence[int], *, instructions: Sequence[str] = (INSTRUCTION,)) -> Path:
    """Every episode succeeds and terminates on its last row, except each third one, which is cut halfway."""
    features = {camera: Feature(dtype="video", shape=(32, 32, 3), names=None) for camera in CAMERAS}
    features["next.success"] = Feature(dtype="bool", shape=(1,), names=None)
    features["action"] = Feature(dtype="float32", shape=(2,), names=None)
    generator = np.random.default_rng(0)
    with LeRobotWriter(folder, features, fps=10.0, robot_type="test") as writer:
        for number, length in enumerate(lengths):
            fails = number % 3 == 2
            share = np.linspace(0, 0.5 if fails else 1, length)[:, None, None, None]
            colour = np.array([255, 0, 0])[:, None, None] * (1 - share) + np.array([0, 255, 0])[:, None, None] * share
            noise = generator.integers(-20, 20, (length, 3, 32, 32))
            frames = (np.broadcast_to(colour, (length, 3, 32, 32)) + noise).clip(0, 255).astype(np.uint8)
            success = np.zeros(length, dtype=bool)
            success[-1] = not fails
            writer.add_episode(
                instructions[number % len(instructions)],
                views={CAMERAS[0]: frames, CAMERAS[1]: frames[:, :, ::-1]},
                columns={
                    "next.success": success,
                    "action": generator.normal(size=(length, 2)).astype(np.float32),
                },
            )
    return folder


def greenness() -> PromptSimilarity:
    return PromptSimilarity(FakeEncoder(), goal=["a green square"], baseline=["a red square"], alpha=0.5)


class Stops(FakeEncoder):
    """Fails after some pictures, as a machine that is switched off."""

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.left = pictures

    def embed(self, pixels):
        self.left -= len(pixels)
        if self.left < 0:
            raise KeyboardInterrupt
        return super().embed(pixels)
