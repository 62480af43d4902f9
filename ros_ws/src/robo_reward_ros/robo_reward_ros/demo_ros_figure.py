"""The picture of the demo: what a camera saw of one episode, and progress against time of all of them. No ROS."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from robo_reward.durable import atomic_file
from robo_reward.episodes.bag_file import BagFile
from robo_reward.episodes.ros_images import rgb_of_message
from robo_reward_ros.demo_ros_comparison import Told

PICTURES = 6


def draw(file: Path, episodes: Sequence[Sequence[Told]], *, bag: Path, topic: str, title: str) -> None:
    """Draw and write a PNG.

    Args:
        file: Where to.
        episodes: Answers of each episode, oldest first.
        bag: That holds what a camera saw.
        topic: Of that camera.
        title: Above the curves.

    Raises:
        OutputError: It cannot be written.
    """
    shown = max(episodes, key=len)
    strip = _strip(bag, topic, [told.stamp_ns for told in shown if not told.terminated and not told.truncated])
    figure = Figure(figsize=(9, 4.6), dpi=100, layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(1, 1.8))
    above.imshow(strip)
    above.set_axis_off()
    for number, episode in enumerate(episodes):
        start = episode[0].stamp_ns
        sets = [told for told in episode if not told.terminated and not told.truncated]
        time = [number_of_steps(told, start) for told in sets]
        colour = f"C{number}"
        below.plot(time, [told.progress for told in sets], color=colour, marker=".", label=f"episode {number + 1}")
        if episode[-1].terminated:
            below.plot(time[-1], sets[-1].progress, color=colour, marker="*", markersize=12)
    below.set(xlabel="time since the episode's first picture [s]", ylabel="progress", ylim=(-0.02, 1.02), title=title)
    below.legend(loc="lower right", fontsize="small")
    below.grid(alpha=0.3)
    with atomic_file(file) as temporary:
        figure.savefig(temporary, format="png")


def number_of_steps(told: Told, start_ns: int) -> float:
    """Give the time since the episode's first picture [s]."""
    return (told.stamp_ns - start_ns) * 1e-9


def _strip(bag: Path, topic: str, stamps: Sequence[int]) -> UInt8[np.ndarray, "height width 3"]:
    """Show pictures of an episode at even distances, side by side."""
    wanted = [stamps[round(index)] for index in np.linspace(0, len(stamps) - 1, min(PICTURES, len(stamps)))]
    found = {each.stamp_ns: each.content for each in BagFile(bag).messages([topic]) if each.stamp_ns in set(wanted)}
    return np.concatenate([rgb_of_message(found[stamp]) for stamp in wanted], axis=1)
