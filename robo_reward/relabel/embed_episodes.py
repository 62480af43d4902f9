"""Embeds recorded episodes: decoding and preparing run ahead of the encoder, nothing is encoded twice."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor

from robo_reward.clip import Episode
from robo_reward.episodes.source import EpisodeSource
from robo_reward.perception.embedding_store import EmbeddingStore, embedding_key
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder

Item = TypeVar("Item")

CHUNK = 32
"""Frames of each camera that are decoded at a time; with the queue it bounds memory."""
QUEUED_CHUNKS = 4
"""Decoded and prepared chunks that wait for the encoder."""


@dataclass(eq=False, slots=True)
class _Pending:
    """An episode on its way through the encoder."""

    episode: Episode
    embedding: Tensor  # (time, view, dim), NaN until it is filled
    to_embed: list[int]  # views that the store does not have
    waiting: int = 0  # prepared pictures that the encoder has not seen


@dataclass(frozen=True, eq=False, slots=True)
class _Pictures:
    pending: _Pending
    view: int
    rows: Tensor  # frame index of each picture
    pixels: UInt8[Tensor, "picture 3 size size"]


@dataclass(eq=False, slots=True)
class _Batch:
    """Prepared pictures of any episodes and cameras, taken off in whole batches."""

    pictures: list[_Pictures] = field(default_factory=list)
    count: int = 0


class EpisodeEmbedder:
    """Embeds the episodes of a source in order, through the store.

    A thread decodes and prepares the next pictures while the encoder works; batches are filled across cameras and
    episodes, so that short episodes cost no padding.

    Args:
        encoder: Gives a picture the same bits in any batch.
        source: Where the episodes are.
        store: Keeps embeddings on disk across runs; None keeps nothing.
        batch_size: Pictures handed to the encoder at a time.
    """

    def __init__(
        self, encoder: ImageEncoder, source: EpisodeSource, *, store: EmbeddingStore | None, batch_size: int = 64
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be >= 1, got {batch_size}")
        self._encoder, self._source, self._store = encoder, source, store
        self._batch_size = batch_size

    def embed(self, episode: Episode) -> EmbeddedClip:
        """Embed one episode."""
        return next(self.embed_all([episode]))[1]

    def embed_all(
        self, episodes: Sequence[Episode], *, on_frames: Callable[[int], None] = lambda num_frames: None
    ) -> Iterator[tuple[Episode, EmbeddedClip]]:
        """Embed episodes in order, each as soon as its last frame went through the encoder.

        Args:
            episodes: Of the source.
            on_frames: Told how many more frame sets are embedded, for a progress bar.

        Raises:
            DataSetError: Pictures that are missing or damaged; episodes before them were given.
        """
        batch, order = _Batch(), list[_Pending]()
        for item in _run_ahead(self._prepared(episodes)):
            if isinstance(item, _Pending):
                order.append(item)
            else:
                item.pending.waiting += len(item.pixels)
                batch.pictures.append(item)
                batch.count += len(item.pixels)
            while batch.count >= self._batch_size:
                self._embed_batch(batch, self._batch_size)
                yield from self._finished(order, on_frames)
            yield from self._finished(order, on_frames)
        self._embed_batch(batch, batch.count)
        yield from self._finished(order, on_frames)

    def _prepared(self, episodes: Sequence[Episode]) -> Iterator[_Pictures | _Pending]:
        """Decode and prepare what the store does not have; each episode follows its pictures."""
        for episode in episodes:
            pending = self._begin(episode)
            first = 0
            for clip in self._source.clips(episode, num_frames=CHUNK) if pending.to_embed else ():
                frames = list(clip.views.values())
                for view in pending.to_embed:
                    seen = clip.present[0, :, view]
                    rows = seen.nonzero()[:, 0]
                    if len(rows):
                        pixels = self._encoder.prepare(frames[view][0] if bool(seen.all()) else frames[view][0][seen])
                        yield _Pictures(pending, view, first + rows, pixels)
                first += clip.stamp.shape[1]
            yield pending

    def _begin(self, episode: Episode) -> _Pending:
        embedding = torch.full((episode.num_frames, len(episode.cameras), self._encoder.dim), float("nan"))
        to_embed = []
        for view, camera in enumerate(episode.cameras):
            stored = None if self._store is None else self._store.load(self._key(episode, camera))
            if stored is None or stored.shape != embedding[:, view].shape:
                to_embed.append(view)
            else:
                embedding[:, view] = stored
        return _Pending(episode, embedding, to_embed)

    def _key(self, episode: Episode, camera: str) -> str:
        return embedding_key(self._source.fingerprint(episode, camera), self._encoder)

    def _embed_batch(self, batch: _Batch, size: int) -> None:
        """Take the oldest `size` pictures off the batch and put their embeddings where they belong."""
        if size == 0:
            return
        taken: list[_Pictures] = []
        while size > 0:
            head = batch.pictures.pop(0)
            if len(head.pixels) > size:
                rest = _Pictures(head.pending, head.view, head.rows[size:], head.pixels[size:])
                batch.pictures.insert(0, rest)
                head = _Pictures(head.pending, head.view, head.rows[:size], head.pixels[:size])
            taken.append(head)
            size -= len(head.pixels)
            batch.count -= len(head.pixels)
        embedding = self._encoder.embed(torch.cat([part.pixels for part in taken]))
        for part, rows in zip(taken, embedding.split([len(part.rows) for part in taken]), strict=True):
            part.pending.embedding[part.rows, part.view] = rows
            part.pending.waiting -= len(part.rows)

    def _finished(
        self, order: list[_Pending], on_frames: Callable[[int], None]
    ) -> Iterator[tuple[Episode, EmbeddedClip]]:
        while order and order[0].waiting == 0:
            pending = order.pop(0)
            episode = pending.episode
            if self._store is not None:
                for view in pending.to_embed:
                    embedding = pending.embedding[:, view].contiguous()
                    if bool(torch.isfinite(embedding).all()):  # a camera with gaps is embedded anew each time
                        self._store.save(self._key(episode, episode.cameras[view]), embedding)
            on_frames(episode.num_frames)
            yield (
                episode,
                EmbeddedClip(embedding=pending.embedding[None], cameras=episode.cameras, stamp=episode.stamp[None]),
            )


def _run_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Iterate in a thread, a few items ahead; its error is raised here, and leaving early stops it."""
    ahead: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(maxsize=QUEUED_CHUNKS)
    stopped = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return ahead.put((item, error), timeout=0.1)
            except queue.Full:
                continue

    def produce() -> None:
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  (raised again by the consumer, whatever it is)
            put(None, error)
        else:
            put(None, None)

    thread = threading.Thread(target=produce, name="decode-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ahead.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
