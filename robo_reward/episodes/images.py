"""Pictures that a data set keeps one by one, as PNG or JPEG inside its tables."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from robo_reward.errors import DataSetError


def decode_images(
    chunks: Iterator[Sequence[Mapping[str, Any]]], where: str
) -> Iterator[UInt8[np.ndarray, "time height width 3"]]:
    """Decode chunks of encoded pictures (`{bytes, path}`) to RGB.

    Raises:
        DataSetError: No bytes, bytes that are no picture, or pictures that change size.
    """
    for chunk in chunks:
        pictures = [_decoded(row, where) for row in chunk]
        sizes = sorted({picture.shape for picture in pictures})
        if len(sizes) > 1:
            raise DataSetError(f"{where}: pictures must be of one size, found (height, width, 3) {sizes}")
        yield np.stack(pictures)


def image_fingerprint(chunks: Iterator[Sequence[Mapping[str, Any]]]) -> str:
    """SHA-256 of all encoded pictures, in order."""
    digest = hashlib.sha256()
    for chunk in chunks:
        for row in chunk:
            picture = row["bytes"] or b""
            digest.update(len(picture).to_bytes(8, "little") + picture)
    return digest.hexdigest()


def rgb_picture(encoded: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a picture file: one decoder for data sets, bags and robots, so that equal bytes are equal pictures.

    Raises:
        ValueError: Bytes that are no picture, or a damaged one.
    """
    try:
        return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:  # SyntaxError: broken PNG chunks
        raise ValueError(str(error)) from error


def _decoded(row: Mapping[str, Any], where: str) -> UInt8[np.ndarray, "height width 3"]:
    if not row or not row.get("bytes"):
        raise DataSetError(f"{where}: a row has no picture in it (bytes is empty; path is {row and row.get('path')!r})")
    try:
        return rgb_picture(row["bytes"])
    except ValueError as error:
        raise DataSetError(f"{where}: a picture cannot be decoded ({error})") from error
