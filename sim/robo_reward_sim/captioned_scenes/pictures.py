"""Rendered pictures on disk, drawn in groups of the same scene in different states."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from robo_reward_sim.captioned_scenes.facts import Fact


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shard:
    """One file of pictures with their facts.

    Raises:
        ValueError: Pictures and facts that are not of one length.
    """

    pictures: np.ndarray
    """Pictures, (number, size, size, 3), uint8, mapped from disk."""
    facts: list[list[Fact]]
    """What is true in each."""
    landmarks: np.ndarray
    """Where the gripper's tip, the thing it goes for and the goal appear, (number, 3, 2); NaN where unknown."""
    groups: list[list[int]]
    """Indices of the pictures of each group."""

    def __post_init__(self) -> None:
        if len(self.pictures) != len(self.facts):
            raise ValueError(f"{len(self.pictures)} pictures, but facts of {len(self.facts)}")


def read_shard(path: Path) -> Shard:
    """Read what `collection.write_shard` wrote; `path` is the .json file."""
    rows = json.loads(path.read_text())
    groups: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row["group"], []).append(index)
    return Shard(
        pictures=np.load(path.with_suffix(".npy"), mmap_mode="r"),
        facts=[[Fact(*fact) for fact in row["facts"]] for row in rows],
        landmarks=np.array([row.get("landmarks", [[None, None]] * 3) for row in rows], np.float32),
        groups=list(groups.values()),
    )


class Album:
    """Draws batches of groups from shards of several sources."""

    def __init__(self, folder: Path, *, shares: dict[str, float], shards: range) -> None:
        """Find the shards of each source.

        Args:
            folder: Where `SOURCE-NUMBER.json` and `.npy` lie.
            shares: Share of each source in a batch.
            shards: Numbers of the shards that may be used.

        Raises:
            FileNotFoundError: A source without a shard.
        """
        self._sources, self._shares = list(shares), list(shares.values())
        self._shards: dict[str, list[Shard]] = {}
        for source in shares:
            paths = [path for path in sorted(folder.glob(f"{source}-*.json")) if int(path.stem[-4:]) in shards]
            if not paths:
                raise FileNotFoundError(f"no '{source}-*.json' with a number in {shards} in {folder}")
            self._shards[source] = [read_shard(path) for path in paths]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return sum(len(shard.facts) for shards in self._shards.values() for shard in shards)

    def draw(
        self, rng: np.random.Generator, *, groups: int, pictures: int
    ) -> tuple[UInt8[Tensor, "batch 3 size size"], list[list[Fact]], Float[Tensor, "batch 3 2"]]:
        """Draw `groups` scenes and `pictures` of each, in different states or from different cameras."""
        images, facts, landmarks = [], [], []
        for _ in range(groups):
            source = self._sources[int(rng.choice(len(self._sources), p=self._shares))]
            shard = self._shards[source][int(rng.integers(len(self._shards[source])))]
            group = shard.groups[int(rng.integers(len(shard.groups)))]
            for index in rng.permutation(group)[:pictures]:
                images.append(shard.pictures[index])
                facts.append(shard.facts[index])
                landmarks.append(shard.landmarks[index])
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), facts, torch.from_numpy(np.stack(landmarks))
