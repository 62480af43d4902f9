"""Marks drawn on pictures for who is asked about them: key points P[i] and Q[i], a grid of tiles, lines of height."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from PIL import Image, ImageDraw, ImageFont

from robo_reward.perception.key_points import KeyPoint
from robo_reward.perception.vlm import Picture

COLUMNS = "abcde"
"""Names of the grid's columns, left to right."""
NUM_ROWS = 5
"""Rows of the grid; row 1 is at the bottom of the picture."""
_COLOURS = {"P": (215, 25, 28), "Q": (33, 102, 214)}
_GRID, _LINE, _HALO = (255, 255, 255), (255, 210, 0), (0, 0, 0)
_TILE = re.compile(rf"[{COLUMNS}][1-{NUM_ROWS}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A picture in 5 x 5 tiles: columns a–e from left to right, rows 1–5 from bottom to top.

    Raises:
        ValueError: A size that is not positive.

    Source:
        MOKA (Fang et al. 2024), whose marks KAGI reuses.
    """

    width: int
    """Of the picture [px]."""
    height: int
    """[px]"""

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"a grid needs a picture of positive size, got {self.width} x {self.height} px")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tiles: a1 … e5."""
        return tuple(f"{column}{row + 1}" for column in COLUMNS for row in range(NUM_ROWS))

    @property
    def tile_size(self) -> tuple[float, float]:
        """Width and height of a tile [px]."""
        return self.width / len(COLUMNS), self.height / NUM_ROWS

    def centre(self, name: str) -> tuple[float, float]:
        """Give the pixel at a tile's centre; (0, 0) is the centre of the top left pixel.

        Raises:
            ValueError: No such tile.

        Example:
            >>> Grid(width=100, height=50).centre("a1")
            (9.5, 44.5)
        """
        return self._within(name, 0.5, 0.5)

    def random_point(self, name: str, random: np.random.Generator) -> tuple[float, float]:
        """Give a pixel that is uniformly random in a tile, as MOKA does; the caller's generator makes it repeatable.

        Raises:
            ValueError: No such tile.
        """
        return self._within(name, *random.uniform(size=2))

    def tile_of(self, pixel: tuple[float, float]) -> str:
        """Give the tile in which a pixel lies.

        Raises:
            ValueError: A pixel outside the picture.
        """
        across, up = (pixel[0] + 0.5) / self.width, 1 - (pixel[1] + 0.5) / self.height
        if not (0 <= across <= 1 and 0 <= up <= 1):
            raise ValueError(f"pixel {pixel} is outside the picture of {self.width} x {self.height} px")
        column, row = (min(4, int(5 * share)) for share in (across, up))
        return f"{COLUMNS[column]}{row + 1}"

    def _within(self, name: str, across: float, up: float) -> tuple[float, float]:
        if not _TILE.fullmatch(name):
            raise ValueError(f"there is no tile '{name}'; tiles are a1 to e5, row 1 at the bottom")
        width, height = self.tile_size
        column, row = COLUMNS.index(name[0]), int(name[1]) - 1
        return (column + across) * width - 0.5, self.height - (row + up) * height - 0.5


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class HeightLine:
    """A line of equal height as one camera sees it."""

    label: str
    """Such as `h2`."""
    height: float
    """[m] above the base frame's origin."""
    ends: Float64[np.ndarray, "2 2"]
    """Pixels of the two ends."""


def draw_marks(
    picture: Picture,
    *,
    key_points: Sequence[KeyPoint] = (),
    grid: bool = True,
    lines: Sequence[HeightLine] = (),
) -> Picture:
    """Give the picture with its marks; small pictures are enlarged first, so that labels can be read.

    Args:
        picture: RGB; not changed.
        key_points: Drawn as dots with their labels: P red, Q blue.
        grid: Whether the tiles are drawn, with their names.
        lines: Drawn in yellow with their labels.
    """
    image = Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy())
    scale = max(1, -(-480 // min(image.size)))  # rounded up
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=max(12.0, image.height / 36))
    if grid:
        _draw_grid(draw, Grid(width=image.width, height=image.height), font)
    for line in lines:
        ends = [_scaled(end, scale) for end in line.ends]
        draw.line([*ends[0], *ends[1]], fill=_LINE, width=2)
        _text(draw, (min(max(ends[0][0], 2), image.width - 60), ends[0][1]), line.label, font, _LINE, anchor="lb")
    for point in key_points:
        right, down = _scaled(np.array(point.pixel), scale)
        radius, colour = max(4, image.height // 100), _COLOURS[point.label[0]]
        draw.ellipse((right - radius, down - radius, right + radius, down + radius), fill=colour, outline=_GRID)
        _text(draw, (right + radius + 1, down - radius - 1), point.label, font, colour, anchor="lb", halo=_GRID)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _draw_grid(draw: ImageDraw.ImageDraw, grid: Grid, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    width, height = grid.tile_size
    for step in range(1, 5):
        draw.line([(step * width, 0), (step * width, grid.height)], fill=_GRID, width=1)
        draw.line([(0, step * height), (grid.width, step * height)], fill=_GRID, width=1)
    for name in grid.names:
        right, down = grid.centre(name)
        _text(draw, (right - width / 2 + 4, down + height / 2 - 2), name, font, _GRID, anchor="lb")


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    colour: tuple[int, int, int],
    *,
    anchor: str,
    halo: tuple[int, int, int] = _HALO,
) -> None:
    draw.text(at, text, font=font, fill=colour, anchor=anchor, stroke_width=2, stroke_fill=halo)


def _scaled(pixel: np.ndarray, scale: int) -> tuple[float, float]:
    """Give the place of a pixel in the enlarged picture: edges scale, not centres."""
    return (float(pixel[0]) + 0.5) * scale - 0.5, (float(pixel[1]) + 0.5) * scale - 0.5
