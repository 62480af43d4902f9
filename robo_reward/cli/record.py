"""`robo-reward record`: simulated tasks, successes and failures, into LeRobot v3 data sets."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import build


def run(config: DictConfig) -> None:
    """Record as configured: `demonstrations` and `episodes` in the output folder."""
    output = Path(config.output)
    recording = build(config.record)
    for folder in (
        recording.record_demonstrations(output / "demonstrations"),
        recording.record_episodes(output / "episodes"),
    ):
        Console(stderr=True, soft_wrap=True).print(f"recorded {folder}", markup=False)
