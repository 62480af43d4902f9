"""What the models are compared on: two sets of real recordings and simulated tasks, in folds of who learns what."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from comparison_models import Contender
from lpips_distance import LpipsEncoder
from thinned_episodes import ThinnedEpisodes
from torch import Tensor

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.robo_dopamine import RoboDopamineEpisodes
from robo_reward.episodes.source import EpisodeSource
from robo_reward.perception.embedded_encoder import embedded_encoder
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.perception.encoder import ImageEncoder
from robo_reward.perception.fitting import LabelledClip
from robo_reward.perception.open_clip_features import embedded_features
from robo_reward.perception.torchvision_features import torchvision_features
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.training.recordings import progress_of_steps

DEVICE = {"device": "cpu", "batch_size": None}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Test:
    """An episode that was not learnt from."""

    source: EpisodeSource
    episode: Episode
    labelled: LabelledClip

    @property
    def first(self) -> Clip:
        """Its first frame."""
        return next(self.source.clips(self.episode, num_frames=1))


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Fold:
    """Who learns and who is tested."""

    name: str
    instruction: str
    learn: Sequence[int]
    test: Sequence[int]


class Suite(Protocol):
    """One set of recordings."""

    name: str
    folds: Sequence[Fold]

    def encoder(self, contender: Contender, fold: Fold) -> ImageEncoder:
        """Give what the contender looks through."""
        ...

    def lessons(self, contender: Contender, fold: Fold, encoder: ImageEncoder) -> list[LabelledClip]:
        """Give what it learns from."""
        ...

    def tests(self, contender: Contender, fold: Fold, encoder: ImageEncoder) -> list[Test]:
        """Give what it is tested on."""
        ...


class RealRecordings:
    """Real recordings through SqueezeNet 1.1.

    Args:
        name: For the table.
        source: Where they are.
        every: Of how many frames one is used, by kind of encoder.
        folds: Who learns what.
        keyframes: Whether the source knows key frames; else labels are the fraction of time.
        weights: Folder of the weights.
        store: Keeps embeddings.
    """

    def __init__(
        self,
        name: str,
        source: EpisodeSource,
        *,
        every: dict[str, int],
        folds: Sequence[Fold],
        keyframes: bool,
        weights: Path,
        store: EmbeddingStore,
    ) -> None:
        self.name, self.folds = name, folds
        self._keyframes, self._weights, self._store = keyframes, weights, store
        self._sources = {kind: ThinnedEpisodes(source, every=own) for kind, own in every.items()}
        self._squeezenets = {
            "map": _squeezenet(weights, layer="features.7", grid=2),
            "pooled": _squeezenet(weights, layer="features.12", grid=1),
        }

    def encoder(self, contender: Contender, fold: Fold) -> ImageEncoder:
        """Give SqueezeNet's map, its pooled features, or LPIPS to the goal pictures."""
        if contender.looks_through == "lpips":
            return LpipsEncoder(self._weights, goal_pictures(self._sources["lpips"], fold.learn))
        return self._squeezenets[contender.looks_through]

    def lessons(self, contender: Contender, fold: Fold, encoder: ImageEncoder) -> list[LabelledClip]:
        """Give the demonstrations with their labels."""
        return [test.labelled for test in self._embedded(contender, fold.learn, encoder)]

    def tests(self, contender: Contender, fold: Fold, encoder: ImageEncoder) -> list[Test]:
        """Give the recordings that were not learnt from."""
        return self._embedded(contender, fold.test, encoder)

    def _embedded(self, contender: Contender, numbers: Sequence[int], encoder: ImageEncoder) -> list[Test]:
        source = self._sources[contender.looks_through]
        episodes = [source.episodes[number] for number in numbers]
        embedder = EpisodeEmbedder(encoder, source, store=self._store)
        return [
            Test(
                source=source,
                episode=episode,
                labelled=LabelledClip(clip=clip, success=True, progress=self._labels(source, episode)),
            )
            for episode, clip in embedder.embed_all(episodes)
        ]

    def _labels(self, source: EpisodeSource, episode: Episode) -> Tensor | None:
        if not self._keyframes:
            return None
        return progress_of_steps(source.columns(episode, ["keyframe"])["keyframe"], episode=episode.index)


class SimulatedTasks:
    """What `robo-reward record` wrote: demonstrations, and episodes with `truth.outcome`; through the small CLIP.

    Args:
        folder: With `demonstrations/` and `episodes/`.
        weights: Folder of LPIPS' weights; None where they are not there.
        store: Keeps embeddings.
    """

    name = "simulated"

    def __init__(self, folder: Path, *, weights: Path | None, store: EmbeddingStore) -> None:
        self._demonstrations = LeRobotEpisodes(folder / "demonstrations")
        self._episodes = LeRobotEpisodes(folder / "episodes")
        self._weights, self._store = weights, store
        self._encoders: dict[str, ImageEncoder] = {}
        tasks = dict.fromkeys(episode.instruction for episode in self._demonstrations.episodes)
        self.folds = [
            Fold(
                name=task,
                instruction=task,
                learn=[n for n, each in enumerate(self._demonstrations.episodes) if each.instruction == task],
                test=[n for n, each in enumerate(self._episodes.episodes) if each.instruction == task],
            )
            for task in tasks
        ]

    def encoder(self, contender: Contender, fold: Fold) -> ImageEncoder:
        """Give the small CLIP's map, its pooled map, the CLIP with its texts, or LPIPS to the goal pictures."""
        kind = contender.looks_through
        if kind == "lpips":
            if self._weights is None:
                raise FileNotFoundError("LPIPS needs weights: give --shared-data")
            return LpipsEncoder(self._weights, goal_pictures(self._demonstrations, fold.learn))
        if kind not in self._encoders:
            built = {
                "map": lambda: embedded_features(grid=3, **DEVICE),
                "pooled": lambda: embedded_features(grid=1, **DEVICE),
                "text": lambda: embedded_encoder(runtime="torch", precision="float32", **DEVICE),
            }
            self._encoders[kind] = built[kind]()
        return self._encoders[kind]

    def lessons(self, contender: Contender, fold: Fold, encoder: ImageEncoder) -> list[LabelledClip]:
        """Give the task's demonstrations."""
        embedder = EpisodeEmbedder(encoder, self._demonstrations, store=self._store)
        episodes = [self._demonstrations.episodes[number] for number in fold.learn]
        return [LabelledClip(clip=clip, success=True) for _, clip in embedder.embed_all(episodes)]

    def tests(self, contender: Contender, fold: Fold, encoder: ImageEncoder) -> list[Test]:
        """Give the task's successes and failures."""
        source = self._episodes
        embedder = EpisodeEmbedder(encoder, source, store=self._store)
        return [
            Test(
                source=source,
                episode=episode,
                labelled=LabelledClip(clip=clip, success=self._succeeded(episode)),
            )
            for episode, clip in embedder.embed_all([source.episodes[number] for number in fold.test])
        ]

    def _succeeded(self, episode: Episode) -> bool:
        return int(self._episodes.columns(episode, ["truth.outcome"])["truth.outcome"][0]) == 0


def robo_dopamine(shared: Path, store: EmbeddingStore) -> RealRecordings:
    """Table clearing by two arms, three cameras, key frames: one recording learnt, the other tested."""
    source = RoboDopamineEpisodes(shared / "episodes/robo_dopamine/dataset/example_raw_data")
    text = source.episodes[0].instruction
    folds = [Fold(name=f"{a + 1} to {2 - a}", instruction=text, learn=[a], test=[1 - a]) for a in (0, 1)]
    every = {"map": 2, "pooled": 6, "lpips": 6}
    weights = shared / "weights"
    return RealRecordings(
        "robo_dopamine", source, every=every, folds=folds, keyframes=True, weights=weights, store=store
    )


def g1(shared: Path, store: EmbeddingStore) -> RealRecordings:
    """A humanoid picks up a bottle, one camera: two recordings learnt, the third tested."""
    source = LeRobotEpisodes(shared / "episodes/g1_lerobot_real", select="present")
    folds = [
        Fold(
            name=f"all but {out + 1}",
            instruction=source.episodes[out].instruction,
            learn=[number for number in range(3) if number != out],
            test=[out],
        )
        for out in range(3)
    ]
    every = {"map": 1, "pooled": 1, "lpips": 2}
    return RealRecordings(
        "g1", source, every=every, folds=folds, keyframes=False, weights=shared / "weights", store=store
    )


def goal_pictures(source: EpisodeSource, numbers: Sequence[int]) -> Tensor:
    """Give the last frame of each episode, its cameras in turn."""
    pictures = []
    for number in numbers:
        *_, last = source.clips(source.episodes[number], num_frames=32)
        pictures += [torch.as_tensor(frames[0, -1]) for frames in last.views.values()]
    return torch.stack(pictures)


def _squeezenet(weights: Path, *, layer: str, grid: int) -> ImageEncoder:
    file = weights / "lpips_backbone_squeeze/squeeze.backbone.pth"
    own = {"weights": str(file), "weights_prefix": "features.", "layer": layer, "grid": grid, "image_size": 224}
    return torchvision_features("squeezenet1_1", **own, **DEVICE)
