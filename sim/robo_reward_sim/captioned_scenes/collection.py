"""Renders scenes into arrays on disk: pictures, and what is true in them."""

# pyright: reportAttributeAccessIssue=false
# mujoco 3.3, which Meta-World needs, comes without types

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import UInt8

from robo_reward_sim.captioned_scenes.facts import Fact
from robo_reward_sim.captioned_scenes.table_scene import TableScene
from robo_reward_sim.captioned_scenes.table_tasks import TABLE_TASKS
from robo_reward_sim.captioned_scenes.tabletop_scene import TabletopScene
from robo_reward_sim.rendering import Photographer, project

IMAGE_SIZE = 144
"""Height and width of a stored picture [px]; training crops 128 of it."""

STATES, VIEWS = 4, 2
"""States of a scene, and cameras each state is seen from: the pictures of one group."""

TABLE_SHARES = {"drawer": 0.26, "door": 0.24, "button": 0.2, "reach": 0.12, "pick-place": 0.18}
"""Share of each of Meta-World's scenes."""

Group = tuple[list[UInt8[np.ndarray, "size size 3"]], list[list[Fact]], list[list[list[float]]]]
"""Pictures, what is true in each, and where the landmarks appear in each (none for our own scenes)."""


def table_groups(rng: np.random.Generator, *, groups: int, nearness: float, render_size: int = 224) -> Iterator[Group]:
    """Yield groups of pictures of Meta-World's table: the same scene and cameras, different states.

    Args:
        rng: Draws everything.
        groups: About how many; each scene gets its share.
        nearness: Share of cameras that stand about where the demo's stand.
        render_size: Height and width that is rendered [px], before it is reduced to `IMAGE_SIZE`.
    """
    for name, share in TABLE_SHARES.items():
        scene = TableScene(TABLE_TASKS[name])
        with Photographer(scene.model, image_size=IMAGE_SIZE, render_size=render_size) as photographer:
            for _ in range(round(share * groups)):
                scene.redress(rng)
                cameras = [scene.view(rng, nearness=nearness) for _ in range(VIEWS)]
                fovy = scene.model.vis.global_.fovy
                pictures, facts, places = [], [], []
                for _ in range(STATES):
                    stated, landmarks = scene.pose(rng), scene.landmarks()
                    for camera in cameras:
                        pictures.append(photographer.picture(scene.data, camera))
                        facts.append(stated)
                        places.append(project(landmarks, camera, fovy=fovy).tolist())
                yield pictures, facts, places


def tabletop_groups(rng: np.random.Generator, *, groups: int, render_size: int = 224) -> Iterator[Group]:
    """Yield groups of pictures of our own scenes: the same scene and cameras, different states."""
    for _ in range(groups):
        scene = TabletopScene(rng)
        with Photographer(scene.model, image_size=IMAGE_SIZE, render_size=render_size) as photographer:
            cameras = [scene.view(rng) for _ in range(VIEWS)]
            pictures, facts, places = [], [], []
            for _ in range(STATES):
                stated = scene.pose(rng)
                for camera in cameras:
                    pictures.append(photographer.picture(scene.data, camera))
                    facts.append(stated + scene.relations(camera))
                    places.append([[np.nan, np.nan]] * 3)
            yield pictures, facts, places


def write_shard(path: Path, groups: Iterator[Group]) -> int:
    """Write groups as `path.npy` (pictures) and `path.json` (facts, landmarks, group of each); return how many."""
    pictures: list[np.ndarray] = []
    rows: list[dict[str, object]] = []
    for index, (images, facts, places) in enumerate(groups):
        pictures += images
        for stated, points in zip(facts, places, strict=True):
            known = [[None if np.isnan(each) else round(each, 4) for each in point] for point in points]
            rows.append({"group": index, "facts": [fact.row() for fact in stated], "landmarks": known})
    np.save(path.with_suffix(".npy"), np.stack(pictures))
    path.with_suffix(".json").write_text(json.dumps(rows))
    return len(pictures)


_SOURCES: Mapping[str, tuple[int, Callable[[np.random.Generator], Iterator[Group]]]] = MappingProxyType(
    {
        "table": (9, lambda rng: table_groups(rng, groups=160, nearness=0.75)),
        "wide": (7, lambda rng: table_groups(rng, groups=200, nearness=0.0)),
        "tabletop": (8, lambda rng: tabletop_groups(rng, groups=200)),
    }
)


def render_shard(source: str, number: int, folder: Path) -> Path:
    """Render one shard unless it is there: about 1300 pictures of `table`, 1600 of `wide` or `tabletop`.

    Args:
        source: Meta-World's table from about the demo's cameras (`table`) or others (`wide`), or our own `tabletop`.
        number: Of the shard; seeds it.
        folder: Where to.

    Raises:
        ValueError: An unknown source.
    """
    if source not in _SOURCES:
        raise ValueError(f"unknown source '{source}'; available: {', '.join(_SOURCES)}")
    seed, groups_of = _SOURCES[source]
    path = folder / f"{source}-{number:04d}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_shard(path, groups_of(np.random.default_rng([seed, number])))
    return path
