"""Scripted demonstrations on the table top, from wherever the tool may be: a learner goes everywhere. No ROS."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.experts import expert
from robo_reward_sim.table_top.task import SHUT, TOOL, TOOL_SPEED

SIZE = 112  # of a picture [px]
AFTER_SUCCESS = 2  # pictures of the task done
LEAST = 5  # pictures of a demonstration: shorter ones show no way
_LOW, _HIGH = np.array([0.30, -0.22, 0.03]), np.array([0.60, 0.22, 0.34])
_REACHED, _MOST_MOVES = 0.01, 25


def record_demonstrations(
    folder: Path, *, task: str, cameras: Sequence[str], episodes: int, seed: int, everywhere: bool
) -> None:
    """Record a task's expert as a LeRobot data set.

    Args:
        folder: The new data set; must not exist.
        task: Of the table top.
        cameras: Of the table top; recorded as `observation.images.NAME`.
        episodes: How many.
        seed: Of the first start.
        everywhere: Three in four begin with the tool moved to a random place.

    Raises:
        OutputError: `folder` exists, or the disk is full.
    """
    env = TableTopEnvironment(task, height=SIZE, width=SIZE)
    pictures = Feature(dtype="video", shape=(SIZE, SIZE, 3), names=["height", "width", "channels"])
    features = {f"observation.images.{camera}": pictures for camera in cameras}
    features["next.terminated"] = Feature(dtype="bool", names=["terminated"])
    rng, written, start = np.random.default_rng(seed), 0, seed
    try:
        with LeRobotWriter(folder, features, fps=1 / env.step_duration, robot_type="table_top_arm") as writer:
            while written < episodes:
                place = rng.uniform(_LOW, _HIGH) if everywhere and start % 4 else None
                frames = _played(env, task, cameras, start=start, place=place)
                start += 1
                if len(frames) < LEAST:
                    continue
                terminated = np.arange(len(frames)) == len(frames) - 1
                views = {f"observation.images.{camera}": [each[camera] for each in frames] for camera in cameras}
                writer.add_episode(env.instruction, views=views, columns={"next.terminated": terminated})
                written += 1
    finally:
        env.close()


def _played(
    env: TableTopEnvironment, task: str, cameras: Sequence[str], *, start: int, place: np.ndarray | None
) -> list[dict[str, np.ndarray]]:
    """Give the pictures of one demonstration; none where the expert did not succeed."""
    policy, (observation, info) = expert(task), env.reset(seed=start)
    if place is not None:
        observation, info = _moved(env, observation, info, place)
    frames, done = [], 0
    for _ in range(env.horizon):
        frames.append({name: each.transpose(2, 0, 1) for name, each in env.frames(cameras).items()})
        done += bool(info["success"])
        if done > AFTER_SUCCESS:
            return frames
        observation, _, _, _, info = env.step(policy(observation))
    return []


def _moved(env: TableTopEnvironment, observation: np.ndarray, info: dict, place: np.ndarray) -> tuple[np.ndarray, dict]:
    for _ in range(_MOST_MOVES):
        away = place - observation[TOOL]
        if np.abs(away).max() < _REACHED:
            break
        step = np.clip(away / (TOOL_SPEED * env.step_duration), -1.0, 1.0)
        observation, _, _, _, info = env.step(np.append(step, SHUT))
    return observation, info
