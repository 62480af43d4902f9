"""Finds a board's corners in a picture, to a fraction of a pixel, or says why not."""

from dataclasses import dataclass
from functools import singledispatch

import cv2
import numpy as np
from jaxtyping import Float64, Int64, UInt8

from robo_reward.calibration.boards import AprilTagGrid, Board, CharucoBoard, Chessboard
from robo_reward.calibration.sharpness import edge_width
from robo_reward.calibration.tag_edges import refine_tags

_MAX_STEPS = 40
Found = tuple[np.ndarray, np.ndarray]
"""Ids and pixels, before any check."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Corners:
    """Corners of a board in one picture; row i of each array is the same corner.

    Raises:
        ValueError: Arrays of different length, or a number that is not finite.
    """

    picture: str
    """Name of the picture, for messages."""
    points: Float64[np.ndarray, "corner 3"]
    """In the board's frame [m]."""
    pixels: Float64[np.ndarray, "corner 2"]
    """Where they are seen; (0, 0) is the centre of the upper left pixel."""
    ids: Int64[np.ndarray, " corner"]
    """Rows of the board's `points`."""
    image_size: tuple[int, int]
    """Width and height of the picture [px]."""
    edge_width: float = float("nan")
    """How far the board's edges are smeared [px]; NaN = not measured."""

    def __post_init__(self) -> None:
        if not len(self.points) == len(self.pixels) == len(self.ids) > 0:
            raise ValueError(
                f"points, pixels and ids of {self.picture} must be as many and at least one, "
                f"got {len(self.points)}, {len(self.pixels)}, {len(self.ids)}"
            )
        if not (np.isfinite(self.points).all() and np.isfinite(self.pixels).all()):
            raise ValueError(f"points and pixels of {self.picture} must be finite")

    def chosen(self, rows: np.ndarray) -> "Corners":
        """Give some of the corners, by index or mask."""
        return Corners(
            picture=self.picture,
            points=self.points[rows],
            pixels=self.pixels[rows],
            ids=self.ids[rows],
            image_size=self.image_size,
            edge_width=self.edge_width,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A picture that says nothing, with the reason."""

    picture: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSettings:
    """When a picture counts.

    Raises:
        ValueError: Fewer than 4 corners, an edge width that is not positive, a window below 2 px, or a step that is
            not positive.
    """

    min_corners: int = 6
    """Fewer corners than that are a partial view; chessboards are seen whole or not at all."""
    max_edge_width: float = 6.0
    """Widest smear of an edge [px] that is still sharp; 2 is a perfect picture, a blur of σ gives about 2.5 σ."""
    refinement_window: int | None = None
    """Half the window of sub-pixel refinement [px]; None = as large as the squares allow, at most 11."""
    refinement_step: float = 1e-3
    """Refinement ends with a step below it [px]."""

    def __post_init__(self) -> None:
        if self.min_corners < 4:
            raise ValueError(f"min_corners must be >= 4, got {self.min_corners}")
        if not self.max_edge_width > 0:
            raise ValueError(f"max_edge_width must be > 0 px, got {self.max_edge_width}")
        if self.refinement_window is not None and self.refinement_window < 2:
            raise ValueError(f"refinement_window must be >= 2 px, got {self.refinement_window}")
        if not self.refinement_step > 0:
            raise ValueError(f"refinement_step must be > 0 px, got {self.refinement_step}")


def find_corners(
    grey: UInt8[np.ndarray, "height width"], board: Board, *, picture: str, settings: DetectionSettings
) -> Corners | Rejected:
    """Find a board's corners in a grey picture; a picture without the board, a partial or a blurred one is rejected.

    Args:
        grey: The picture.
        board: What is looked for; an inverted one is looked for in the picture's negative.
        picture: Its name, for messages.
        settings: When it counts.
    """
    upright = 255 - grey if board.inverted else grey
    ids, pixels = _found(board, upright, settings)
    if len(ids) == 0:
        return Rejected(picture=picture, reason="the board is not seen")
    whole = len(board.points)
    if len(ids) < min(settings.min_corners, whole):
        return Rejected(
            picture=picture, reason=f"partial view: {len(ids)} of {whole} corners, {settings.min_corners} needed"
        )
    points = board.points[ids]
    if np.linalg.matrix_rank(points[:, :2] - points[0, :2], tol=1e-9) < 2:
        return Rejected(picture=picture, reason=f"partial view: the {len(ids)} corners that are seen lie on one line")
    width = edge_width(upright, pixels)
    if width > settings.max_edge_width:
        return Rejected(
            picture=picture, reason=f"blurred: edges are {width:.1f} px wide, {settings.max_edge_width:g} allowed"
        )
    size = (grey.shape[1], grey.shape[0])
    return Corners(picture=picture, points=points, pixels=pixels, ids=ids, image_size=size, edge_width=width)


@singledispatch
def _found(board: Board, grey: np.ndarray, settings: DetectionSettings) -> Found:
    raise TypeError(f"no detector for {type(board).__name__}; there are Chessboard, CharucoBoard, AprilTagGrid")


@_found.register
def _(board: Chessboard, grey: np.ndarray, settings: DetectionSettings) -> Found:
    size = (board.inner_columns, board.inner_rows)
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    found, corners = cv2.findChessboardCorners(grey, size, flags=flags)
    if not found:
        return _nothing()
    lattice = _read_from_the_front(corners.reshape(board.inner_rows, board.inner_columns, 2))
    fine = _refined(grey, lattice.reshape(-1, 2), _half_window(lattice, settings), settings)
    if board.oriented and _starts_white(grey, fine.reshape(lattice.shape)):
        fine = fine[::-1]
    return np.arange(len(fine)), np.ascontiguousarray(fine, np.float64)


@_found.register
def _(board: CharucoBoard, grey: np.ndarray, settings: DetectionSettings) -> Found:
    corners, ids, _, _ = cv2.aruco.CharucoDetector(board.opencv).detectBoard(grey)
    if ids is None or len(ids) == 0:
        return _nothing()
    pixels, order = corners.reshape(-1, 2), ids.ravel().astype(np.int64)
    if settings.refinement_window is not None:
        pixels = _refined(grey, pixels, settings.refinement_window, settings)
    return order, pixels.astype(np.float64)


@_found.register
def _(board: AprilTagGrid, grey: np.ndarray, settings: DetectionSettings) -> Found:
    corners, tags, _ = cv2.aruco.ArucoDetector(board.opencv.getDictionary()).detectMarkers(grey)
    if tags is None or len(tags) == 0:
        return _nothing()
    index = tags.ravel().astype(np.int64) - board.first_id
    known = (index >= 0) & (index < board.columns * board.rows)
    if not known.any():
        return _nothing()
    order = np.argsort(index[known])
    rough = np.concatenate(corners).reshape(-1, 4, 2)[known][order].astype(np.float64)
    cells = board.opencv.getDictionary().markerSize + 2
    pixels = refine_tags(grey, rough, cells=cells).reshape(-1, 2)
    ids = (4 * index[known][order][:, None] + np.arange(4)).ravel()
    clear = np.isfinite(pixels).all(axis=1)
    return ids[clear], pixels[clear]


def _nothing() -> Found:
    return np.zeros(0, np.int64), np.zeros((0, 2))


def _half_window(lattice: np.ndarray, settings: DetectionSettings) -> int:
    if settings.refinement_window is not None:
        return settings.refinement_window
    steps = [np.linalg.norm(np.diff(lattice, axis=axis), axis=-1).min() for axis in (0, 1)]
    return int(np.clip(0.45 * min(steps), 2, 11))  # no window reaches the next corner


def _refined(grey: np.ndarray, pixels: np.ndarray, window: int, settings: DetectionSettings) -> np.ndarray:
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, _MAX_STEPS, settings.refinement_step)
    start = np.ascontiguousarray(pixels, np.float32).reshape(-1, 1, 2)
    return cv2.cornerSubPix(grey, start, (window, window), (-1, -1), stop).reshape(-1, 2)


def _read_from_the_front(lattice: np.ndarray) -> np.ndarray:
    """Rows reversed where needed, so that y turns clockwise from x in the picture as on the board."""
    across, down = lattice[0, -1] - lattice[0, 0], lattice[-1, 0] - lattice[0, 0]
    return lattice if across[0] * down[1] - across[1] * down[0] > 0 else lattice[:, ::-1]


def _starts_white(grey: np.ndarray, lattice: np.ndarray) -> bool:
    """Whether the square inside the first corner is lighter than the one inside the last; outer ones may be cut off."""
    first, last = lattice[:2, :2].mean(axis=(0, 1)), lattice[-2:, -2:].mean(axis=(0, 1))
    where = np.array([[first, last]], np.float32)
    values = cv2.remap(grey, where[..., 0], where[..., 1], cv2.INTER_LINEAR).ravel()
    return bool(values[0] > values[1])
