"""Embeddings kept on disk by content, so that a changed prompt costs seconds and not a second pass."""

import os
import re
import tempfile
import time
import warnings
from hashlib import sha256
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from robo_reward.errors import OutputError
from robo_reward.perception.cache_folder import cache_folder
from robo_reward.perception.encoder import ImageEncoder

_KEY = re.compile("[0-9a-f]{64}")
_SAVES_BETWEEN_COUNTS = 64
_ABANDONED = 3600.0  # [s] an unfinished file of this age belongs to a process that was killed


def embedding_key(fingerprint: str, encoder: ImageEncoder) -> str:
    """Name embeddings by what they were made of.

    Args:
        fingerprint: Hash of the bytes that hold the pictures and of which of them are meant.
        encoder: What looked at them.

    Returns:
        64 hexadecimal digits.
    """
    return sha256(f"{fingerprint}\n{encoder.version}".encode()).hexdigest()


@final
class EmbeddingStore:
    """Keeps one file of embeddings per key, safely for several processes.

    A file appears whole or not at all (written aside, synced, renamed). It is checked whenever it is read; a damaged
    one is deleted with a warning and counts as absent. When all files together exceed `max_bytes`, those that were not
    read or written for the longest time go first. Files are counted at the first save and then every 64th or when the
    limit is near, so that for a while the folder may exceed it by what other processes write.

    Args:
        folder: Where; None = `$XDG_CACHE_HOME/robo_reward/embeddings`, usually under `~/.cache`.
        max_bytes: Limit of all files together [byte].

    Raises:
        ValueError: A limit that is not positive.
    """

    def __init__(self, folder: str | Path | None = None, *, max_bytes: int) -> None:
        if max_bytes <= 0:
            raise ValueError(f"max_bytes must be > 0, got {max_bytes}")
        self.folder = cache_folder("embeddings") if folder is None else Path(folder).expanduser()
        self.max_bytes = max_bytes
        self._bytes: int | None = None  # of all files when last counted, and of what was saved since
        self._saves = 0

    def load(self, key: str) -> Float32[Tensor, "frame dim"] | None:
        """Give what was saved under a key; None where there is nothing, or nothing sound."""
        path = self._path(key)
        try:
            embedding = _read(path, key)
        except FileNotFoundError:  # never saved, or evicted by another process just now
            return None
        except (SafetensorError, OSError, ValueError) as error:
            warnings.warn(f"{path} is damaged ({error}); it is deleted and computed again", stacklevel=2)
            path.unlink(missing_ok=True)
            return None
        _touch(path)
        return embedding

    def save(self, key: str, embedding: Float32[Tensor, "frame dim"]) -> None:
        """Keep embeddings; what was there under the key is replaced.

        Args:
            key: As `embedding_key` makes it.
            embedding: Unit rows; a row of NaN where there was no picture.

        Raises:
            ValueError: Not (frame, dim), or rows that are neither finite nor all NaN.
            TypeError: Not float32.
            OutputError: The folder cannot be written, or the disk is full.
        """
        path = self._path(key)
        if embedding.dtype != torch.float32:
            raise TypeError(f"embeddings must be float32, got {embedding.dtype}")
        if (fault := _fault(embedding)) is not None:
            raise ValueError(f"embeddings {fault}")
        embedding = embedding.detach().cpu().contiguous()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, embedding, {"key": key, "sha256": _checksum(embedding)})
            self._make_room(keep=path)
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"embeddings cannot be kept in {self.folder}: {error}; choose another folder, or keep none"
            ) from error

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"key must be 64 hexadecimal digits, as embedding_key gives them; got {key!r}")
        return self.folder / key[:2] / f"{key}.safetensors"

    def _make_room(self, *, keep: Path) -> None:
        self._saves += 1
        if self._bytes is not None:
            self._bytes += keep.stat().st_size
            if self._bytes <= self.max_bytes and self._saves % _SAVES_BETWEEN_COUNTS:
                return
        files = sorted(_files(self.folder))
        self._bytes = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._bytes <= self.max_bytes:
                break
            if path != keep:
                path.unlink(missing_ok=True)
                self._bytes -= size


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """Time of last use, size and path of every file; removes what killed processes left."""
    found = []
    for path in folder.glob("??/*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # another process evicted it
            continue
        if path.suffix == ".unfinished":
            if time.time() - status.st_mtime > _ABANDONED:
                path.unlink(missing_ok=True)
        else:
            found.append((status.st_mtime, status.st_size, path))
    return found


def _write(path: Path, embedding: Tensor, metadata: dict[str, str]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem[:8], suffix=".unfinished")
    unfinished = Path(name)
    try:
        os.close(handle)
        save_file({"embedding": embedding}, unfinished, metadata)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except (FileNotFoundError, PermissionError):  # evicted just now, or a store that we may only read
        return


def _read(path: Path, key: str) -> Tensor:
    """Read and check a file; ValueError where its content is not what was saved."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("key") != key or list(file.keys()) != ["embedding"]:
            raise ValueError(f"it holds {list(file.keys())} of the key {metadata.get('key')}")
        embedding = file.get_tensor("embedding")
    if embedding.dtype != torch.float32 or metadata.get("sha256") != _checksum(embedding):
        raise ValueError("its checksum does not match")
    if (fault := _fault(embedding)) is not None:
        raise ValueError(f"its embeddings {fault}")
    return embedding


def _fault(embedding: Tensor) -> str | None:
    if embedding.ndim != 2:
        return f"must be (frame, dim), got {tuple(embedding.shape)}"
    sound = torch.isfinite(embedding).all(-1) | torch.isnan(embedding).all(-1)
    return None if bool(sound.all()) else "have rows that are neither finite nor all NaN"


def _checksum(embedding: Tensor) -> str:
    return sha256(repr(tuple(embedding.shape)).encode() + embedding.contiguous().numpy().tobytes()).hexdigest()
