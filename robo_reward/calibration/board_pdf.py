"""Boards on paper: a vector PDF at true scale, with a ruler to check that the printer kept it."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from robo_reward.calibration.board_file import KINDS
from robo_reward.calibration.boards import Board, board_values
from robo_reward.durable import atomic_file

PAPERS: Mapping[str, tuple[float, float]] = {
    "A4": (0.210, 0.297),
    "A3": (0.297, 0.420),
    "Letter": (0.2159, 0.2794),
}
"""Width and height of a sheet, upright [m]."""
RULER = 0.100
"""Length of the bar beside the board [m]."""
_INCH = 0.0254
_EDGE = 0.005
"""What printers leave white around the sheet [m]."""
_FOOT = 0.016
"""Height of ruler and text [m]."""


def board_pdf(board: Board, path: str | Path, *, paper: str) -> None:
    """Write a board as a PDF at true scale, upright or across as it fits, with a 100 mm ruler and its parameters.

    Print it at 100 %, not "fit to page", measure the ruler, and a square over the whole board.

    Raises:
        ValueError: An unknown paper, or a board that does not fit on it.
        OutputError: The file cannot be written.
    """
    if paper not in PAPERS:
        raise ValueError(f"unknown paper '{paper}'; there are {', '.join(PAPERS)}")
    width, height = _sheet(board, paper)
    figure = Figure(figsize=(width / _INCH, height / _INCH))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))  # metres on the sheet, y down as in the board's frame
    axes.set_axis_off()
    left, top = (width - board.size[0]) / 2, (height - _FOOT - board.size[1]) / 2
    shown = [(x + left, y + top, across, down) for x, y, across, down in board.dark_rectangles]
    if board.inverted:
        around = _margin(board)
        axes.add_patch(
            _ink(left - around, top - around, board.size[0] + 2 * around, board.size[1] + 2 * around, "black")
        )
    patches = [Rectangle((x, y), across, down) for x, y, across, down in shown]
    axes.add_collection(PatchCollection(patches, facecolor="white" if board.inverted else "black", linewidth=0))
    _draw_ruler(axes, (width - RULER) / 2, height - _EDGE - _FOOT / 2)
    axes.text(width / 2, height - _EDGE - 0.001, _text(board, paper), ha="center", va="bottom", fontsize=7)
    with atomic_file(Path(path)) as temporary:
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None, "Title": "calibration board"})


def _sheet(board: Board, paper: str) -> tuple[float, float]:
    upright = PAPERS[paper]
    needed = [side + 2 * _margin(board) for side in board.size]
    for width, height in (upright, upright[::-1]):
        if needed[0] <= width - 2 * _EDGE and needed[1] <= height - 2 * _EDGE - _FOOT:
            return width, height
    sizes = ", ".join(f"{name} {1e3 * across:.0f} x {1e3 * down:.0f} mm" for name, (across, down) in PAPERS.items())
    raise ValueError(
        f"the board needs {1e3 * needed[0]:.0f} x {1e3 * needed[1]:.0f} mm with its margin, too much for {paper} with "
        f"{1e3 * _EDGE:.0f} mm edges and a foot of {1e3 * _FOOT:.0f} mm; there are {sizes}"
    )


def _margin(board: Board) -> float:
    """Half a square, or a cell of a tag's border: what detectors want around the pattern."""
    values = board_values(board)
    return 0.5 * values["square"] if "square" in values and board.inverted else values.get("gap", 0.0) / 2


def _draw_ruler(axes, left: float, y: float) -> None:  # noqa: ANN001 (matplotlib's Axes has no stub here)
    axes.add_patch(_ink(left, y - 0.0015, RULER, 0.0015, "black"))
    for centimetre in range(11):
        axes.add_patch(_ink(left + centimetre * 0.01 - 0.0001, y - 0.003, 0.0002, 0.0015, "black"))
    axes.text(left + RULER + 0.002, y, "100 mm", va="bottom", fontsize=7)


def _ink(x: float, y: float, width: float, height: float, colour: str) -> Rectangle:
    return Rectangle((x, y), width, height, facecolor=colour, edgecolor="none", linewidth=0)


def _text(board: Board, paper: str) -> str:
    kind = next(name for name, made in KINDS.items() if isinstance(board, made))
    shown = {
        name: f"{1e3 * value:g} mm" if isinstance(value, float) else value
        for name, value in board_values(board).items()
    }
    return f"{kind}: " + ", ".join(f"{name} {value}" for name, value in shown.items()) + f" - {paper}, print at 100 %"
