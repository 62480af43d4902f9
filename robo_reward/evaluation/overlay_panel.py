"""The curve below the cameras of an overlay video, uncovered frame by frame."""

from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from robo_reward.evaluation.episode_evaluation import EpisodeEvaluation

HEADER_HEIGHT = 28
PANEL_HEIGHT = 140
_TEXT_HEIGHT = 24
_MARGIN = 8
_SMOOTH = 2
"""Curves are drawn so many times larger and then reduced, for smooth edges."""

_INK, _PAPER, _FAINT = (232, 234, 237), (24, 26, 30), (70, 74, 82)
_CURVE, _BAND, _SUCCESS, _FAILURE = (86, 180, 233), (44, 74, 96), (0, 190, 140), (230, 120, 60)


class OverlayPanel:
    """Draws the header once, and below the pictures the curve of progress up to the present frame.

    Owns two finished pictures of the curve, with and without ink; a frame shows columns of one beside the other.
    """

    def __init__(self, evaluation: EpisodeEvaluation, *, width: int, outcome: str | None) -> None:
        self._evaluation, self._outcome, self._width = evaluation, outcome, width
        recording = evaluation.recording
        self._progress, self._spread = recording.progress.numpy(), recording.spread.numpy()
        self._stamp = (evaluation.episode.stamp - evaluation.episode.stamp[0]).numpy()
        self._font = _font(13)
        self._empty = self._plot(())
        self._full = self._plot(_runs(self._progress))

    def header(self) -> UInt8[np.ndarray, "height width 3"]:
        """Give the line above the pictures: what was asked, and whether it was achieved."""
        image = Image.new("RGB", (self._width, HEADER_HEIGHT), _PAPER)
        draw = ImageDraw.Draw(image)
        mark, colour = _mark(self._evaluation.recording.succeeded)
        told = mark if self._outcome in (None, "success") else f"{mark} ({self._outcome.replace('_', ' ')})"
        right = self._width - _MARGIN - draw.textlength(told, font=self._font)
        draw.text((right, 6), told, font=self._font, fill=colour)
        title = f"{self._evaluation.episode.index}: {self._evaluation.episode.instruction}"
        while draw.textlength(title, font=self._font) > right - 2 * _MARGIN and len(title) > 1:
            title = title.rstrip("…")[:-1] + "…"
        draw.text((_MARGIN, 6), title, font=self._font, fill=_INK)
        return np.asarray(image)

    def draw(self, panel: UInt8[np.ndarray, "height width 3"], row: int) -> None:
        """Draw the panel as it is when frame `row` is seen, into the lower part of a picture."""
        edge = round(self._x(row)) + 1
        panel[_TEXT_HEIGHT:, :edge] = self._full[:, :edge]
        panel[_TEXT_HEIGHT:, edge:] = self._empty[:, edge:]
        panel[_TEXT_HEIGHT:, edge - 1 : edge + 1] = _INK
        panel[:_TEXT_HEIGHT] = self._numbers(row)

    def _numbers(self, row: int) -> UInt8[np.ndarray, "height width 3"]:
        value, spread, shaped = self._progress[row], self._spread[row], self._evaluation.recording.shaped
        text = f" {self._stamp[row]:6.2f} s  progress "
        text += "  unknown  " if np.isnan(value) else f"{value:.2f} ± {spread:.2f}"
        if shaped is not None and not bool(shaped[row].isnan()):
            text += f"  reward {float(shaped[row]):+.3f}"
        success = self._evaluation.recording.success
        if success is not None and bool(success[row]):
            text += "  ✓"
        line = np.full((_TEXT_HEIGHT, self._width, 3), _PAPER, np.uint8)
        letters = np.concatenate([_letter(letter) for letter in text], axis=1)[:, : self._width]
        line[:, : letters.shape[1]] = letters
        return line

    def _plot(self, runs: tuple[list[int], ...]) -> UInt8[np.ndarray, "height width 3"]:
        size = (self._width * _SMOOTH, (PANEL_HEIGHT - _TEXT_HEIGHT) * _SMOOTH)
        image = Image.new("RGB", size, _PAPER)
        draw = ImageDraw.Draw(image)
        for rows in runs:
            upper = [self._at(row, self._progress[row] + self._spread[row]) for row in rows]
            lower = [self._at(row, self._progress[row] - self._spread[row]) for row in rows[::-1]]
            if len(rows) > 1:
                draw.polygon([*upper, *lower], fill=_BAND)
        for level in (0.0, 0.5, 1.0):
            draw.line([self._at(0, level), self._at(len(self._progress) - 1, level)], fill=_FAINT, width=1)
        for rows in runs:
            line = [self._at(row, self._progress[row]) for row in rows]
            draw.line(line if len(line) > 1 else line * 2, fill=_CURVE, width=2 * _SMOOTH, joint="curve")
        self._mark_success(draw)
        return np.asarray(image.resize((self._width, PANEL_HEIGHT - _TEXT_HEIGHT), Image.Resampling.BOX))

    def _mark_success(self, draw: ImageDraw.ImageDraw) -> None:
        success = self._evaluation.recording.success
        if success is not None and bool(success.any()):
            row = int(success.int().argmax())
            draw.line([self._at(row, 0.0), self._at(row, 1.0)], fill=_SUCCESS, width=_SMOOTH)

    def _x(self, row: int) -> float:
        share = self._stamp[row] / self._stamp[-1] if len(self._stamp) > 1 else 0.0
        return _MARGIN + share * (self._width - 2 * _MARGIN - 1)

    def _at(self, row: int, value: np.floating | float) -> tuple[float, float]:
        height = PANEL_HEIGHT - _TEXT_HEIGHT
        y = _MARGIN + (1 - min(1.0, max(0.0, float(value)))) * (height - 2 * _MARGIN)
        return self._x(row) * _SMOOTH, y * _SMOOTH


def _runs(progress: np.ndarray) -> tuple[list[int], ...]:
    """Split the frames at the unknown ones."""
    known = np.flatnonzero(~np.isnan(progress))
    return tuple(run.tolist() for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if len(run))


def _mark(succeeded: bool | None) -> tuple[str, tuple[int, int, int]]:
    return {True: ("✓ success", _SUCCESS), False: ("✗ failure", _FAILURE), None: ("outcome unknown", _INK)}[succeeded]


@cache
def _letter(letter: str) -> UInt8[np.ndarray, "height _width 3"]:
    """Draw one letter of fixed width; kept, since drawing text anew would cost as much as encoding the frame."""
    font = _font(13, name="DejaVuSansMono")
    image = Image.new("RGB", (round(font.getlength("0")), _TEXT_HEIGHT), _PAPER)
    ImageDraw.Draw(image).text((0, 5), letter, font=font, fill=_SUCCESS if letter == "✓" else _INK)
    return np.asarray(image)


def _font(size: int, *, name: str = "DejaVuSans") -> ImageFont.FreeTypeFont:
    """Matplotlib's own font: it is always there, and has the marks."""
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)
