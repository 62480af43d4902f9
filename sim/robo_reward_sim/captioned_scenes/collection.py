"""Renders scenes into arrays on disk: pictures, and what is true in them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from robo_reward_sim.captioned_scenes.facts import Fact
from robo_reward_sim.captioned_scenes.table_scene import TableScene
from robo_reward_sim.captioned_scenes.table_tasks import TABLE_TASKS
from robo_reward_sim.captioned_scenes.tabletop_scene import TabletopScene
from robo_reward_sim.rendering import Photographer

IMAGE_SIZE = 144
"""Height and width of a stored picture [px]; training crops 128 of it."""

STATES, VIEWS = 4, 2
"""States of a scene, and cameras each state is seen from: the pictures of one group."""

Group = tuple[list[UInt8[np.ndarray, "size size 3"]], list[list[Fact]]]


def table_groups(rng: np.random.Generator, *, groups: int, render_size: int = 224) -> Iterator[Group]:
    """Yield groups of pictures of Meta-World's table: the same scene and cameras, different states."""
    names = list(TABLE_TASKS)
    per_task = -(-groups // len(names))
    for name in names:
        scene = TableScene(TABLE_TASKS[name])
        with Photographer(scene.model, image_size=IMAGE_SIZE, render_size=render_size) as photographer:
            for _ in range(per_task):
                scene.redress(rng)
                cameras = [scene.view(rng) for _ in range(VIEWS)]
                pictures, facts = [], []
                for _ in range(STATES):
                    stated = scene.pose(rng)
                    for camera in cameras:
                        pictures.append(photographer.picture(scene.data, camera))
                        facts.append(stated)
                yield pictures, facts


def tabletop_groups(rng: np.random.Generator, *, groups: int, render_size: int = 224) -> Iterator[Group]:
    """Yield groups of pictures of our own scenes: the same scene and cameras, different states."""
    for _ in range(groups):
        scene = TabletopScene(rng)
        with Photographer(scene.model, image_size=IMAGE_SIZE, render_size=render_size) as photographer:
            cameras = [scene.view(rng) for _ in range(VIEWS)]
            pictures, facts = [], []
            for _ in range(STATES):
                stated = scene.pose(rng)
                for camera in cameras:
                    pictures.append(photographer.picture(scene.data, camera))
                    facts.append(stated + scene.relations(camera))
            yield pictures, facts


def write_shard(path: Path, groups: Iterator[Group]) -> int:
    """Write groups as `path.npy` (pictures) and `path.json` (facts of each picture, and its group); return how many."""
    pictures: list[np.ndarray] = []
    rows: list[dict[str, object]] = []
    for index, (images, facts) in enumerate(groups):
        pictures += images
        rows += [{"group": index, "facts": [fact.row() for fact in stated]} for stated in facts]
    np.save(path.with_suffix(".npy"), np.stack(pictures))
    path.with_suffix(".json").write_text(json.dumps(rows))
    return len(pictures)
