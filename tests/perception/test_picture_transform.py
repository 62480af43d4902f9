"""Pictures are prepared as open_clip's own PIL transform prepares them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from robo_reward.errors import EncoderError
from robo_reward.perception.open_clip_checkpoint import open_clip
from robo_reward.perception.picture_transform import PictureTransform

OPENAI = {"mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711)}
KINDS = {
    "openai": {"size": 224, "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0, **OPENAI},
    "siglip": {
        "size": (256, 256),
        "interpolation": "bicubic",
        "resize_mode": "squash",
        "fill_color": 0,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
    },
    "mobileclip": {
        "size": (256, 256),
        "interpolation": "bilinear",
        "resize_mode": "shortest",
        "fill_color": 0,
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
    },
    "small": {"size": 112, "interpolation": "bicubic", "resize_mode": "squash", "fill_color": 0, **OPENAI},
    "longest": {"size": 224, "interpolation": "bicubic", "resize_mode": "longest", "fill_color": 127, **OPENAI},
}
SIZES = [(256, 256), (480, 640), (720, 1280), (224, 224), (225, 301), (333, 97), (96, 128), (1, 7)]
LARGEST = 2
"""Largest difference of a pixel to open_clip's transform, of 255."""


def picture(height: int, width: int, *, seed: int = 0) -> torch.Tensor:
    """Noise over a gradient: hard edges and smooth parts."""
    noise = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    ramp = torch.linspace(0, 255, width).to(torch.uint8).expand(3, height, width)
    return torch.where(torch.arange(height)[:, None] % 32 < 16, noise, ramp).contiguous()


def rows_first(image: Image.Image, size: tuple[int, int], *arguments, **settings) -> Image.Image:
    """Resize the rows, then the columns, as Pillow did until 12 and torch does.

    Pillow 13 starts with the columns where that is less work (frames higher than wide); the 8-bit rounding and limiting
    between the passes then falls elsewhere, and pixels at hard edges move by up to 22/255.
    """
    return RESIZE(RESIZE(image, (size[0], image.height), *arguments, **settings), size, *arguments, **settings)


RESIZE = Image.Image.resize


def by_open_clip(frame: torch.Tensor, kind: dict) -> torch.Tensor:
    size = kind["size"]
    transform = open_clip.image_transform(
        size if isinstance(size, int) else tuple(size),
        is_train=False,
        mean=kind["mean"],
        std=kind["std"],
        resize_mode=kind["resize_mode"],
        interpolation=kind["interpolation"],
        fill_color=kind["fill_color"],
    )
    return transform(Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy())))


def by_open_clip_rows_first(frame: torch.Tensor, kind: dict) -> torch.Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "resize", rows_first)
        return by_open_clip(frame, kind)


def largest_difference(frame: torch.Tensor, kind: dict, reference=by_open_clip_rows_first) -> float:
    transform = PictureTransform.from_checkpoint(kind)
    ours = transform.normalise(transform.prepare(frame[None]))[0]
    std = torch.tensor(kind["std"]).view(3, 1, 1)
    return float(((ours - reference(frame, kind)) * std).abs().max()) * 255


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_equal_those_of_open_clip_within_rounding(kind, size):
    if kind == "longest" and min(size) == 1:
        pytest.skip("PIL refuses a side that rounds to nothing")
    assert largest_difference(picture(*size), KINDS[kind]) <= LARGEST + 1e-3


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(30, 400),
    width=st.integers(30, 400),
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 99),
)
def test_pixels_equal_those_of_open_clip_at_any_size(height, width, kind, seed):
    assert largest_difference(picture(height, width, seed=seed), KINDS[kind]) <= LARGEST + 1e-3


@pytest.mark.parametrize(
    "size", [(240, 320), (480, 640), (720, 1280), (96, 96)], ids=lambda size: f"{size[0]}x{size[1]}"
)
@pytest.mark.parametrize("kind", KINDS)
def test_frames_at_least_as_wide_as_high_equal_any_release_of_pillow(kind, size):
    assert largest_difference(picture(*size), KINDS[kind], by_open_clip) <= LARGEST + 1e-3


def test_a_picture_of_the_right_size_is_not_changed():
    transform = PictureTransform.from_checkpoint(KINDS["openai"])
    frames = torch.stack([picture(224, 224), picture(224, 224, seed=1)])
    assert torch.equal(transform.prepare(frames), frames)


def test_normalised_pictures_equal_those_of_open_clip_bit_for_bit():
    frame = picture(224, 224)
    transform = PictureTransform.from_checkpoint(KINDS["openai"])
    assert torch.equal(transform.normalise(frame[None])[0], by_open_clip(frame, KINDS["openai"]))


def test_a_picture_is_prepared_the_same_alone_and_in_a_batch():
    transform = PictureTransform.from_checkpoint(KINDS["mobileclip"])
    frames = torch.stack([picture(120, 160, seed=seed) for seed in range(7)])
    alone = torch.cat([transform.prepare(frame[None]) for frame in frames])
    assert torch.equal(transform.prepare(frames), alone)


def test_frames_are_not_written_to():
    frames = picture(120, 160)[None]
    before = frames.clone()
    transform = PictureTransform.from_checkpoint(KINDS["openai"])
    transform.normalise(transform.prepare(frames))
    assert torch.equal(frames, before)


def test_no_frames_give_no_pictures():
    empty = torch.empty(0, 3, 48, 64, dtype=torch.uint8)
    assert PictureTransform.from_checkpoint(KINDS["openai"]).prepare(empty).shape == (0, 3, 224, 224)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (224, 336)}, "224x336"),
        ({"size": 0}, "at least 1 px"),
        ({"std": (0.0, 1.0, 1.0)}, "std must be > 0"),
    ],
)
def test_preprocessing_that_is_not_known_is_refused(change, message):
    with pytest.raises(EncoderError, match=message):
        PictureTransform.from_checkpoint(KINDS["openai"] | change)


def test_an_unknown_way_of_resizing_is_refused():
    with pytest.raises((EncoderError, TypeError), match="stretch"):
        PictureTransform.from_checkpoint(KINDS["openai"] | {"resize_mode": "stretch"})
