"""Pictures on their way to a vision-language model: read from files, wrapped into data URLs."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from robo_reward.perception.vlm import Picture

PictureFormat = Literal["png", "jpeg"]
JPEG_QUALITY = 90


def data_url(picture: Picture, *, picture_format: PictureFormat) -> str:
    """Give a picture as `data:image/…;base64,…`.

    Args:
        picture: RGB.
        picture_format: "png" loses nothing; "jpeg" (quality 90, full chroma) is a quarter as long.
    """
    buffer = io.BytesIO()
    image = Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy())
    if picture_format == "png":
        image.save(buffer, format="PNG")
    else:
        image.save(buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    return f"data:image/{picture_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def read_pictures(pictures: Mapping[str, Tensor | str | Path]) -> dict[str, Picture]:
    """Give pictures by camera name, reading those that are named by a file.

    Raises:
        ValueError: A file that is no picture, or a tensor that is not (3, height, width).
        TypeError: Pixels that are not uint8.
        FileNotFoundError: No such file.
    """
    return {camera: _read(camera, picture) for camera, picture in pictures.items()}


def _read(camera: str, picture: Tensor | str | Path) -> Picture:
    if isinstance(picture, Tensor):
        if picture.dtype != torch.uint8:
            raise TypeError(f"camera '{camera}': a picture must be uint8 RGB, got {picture.dtype}")
        if picture.ndim != 3 or picture.shape[0] != 3 or 0 in picture.shape:
            raise ValueError(f"camera '{camera}': a picture must be (3, height, width), got {tuple(picture.shape)}")
        return picture
    path = Path(picture).expanduser()
    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise FileNotFoundError(f"camera '{camera}': there is no picture {path}") from None
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"camera '{camera}': {path} is no picture that can be read ({error})") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
