"""A camera's intrinsics from pictures of a board, and whether they are to be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, Int64

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose

GRID = (8, 6)
"""Cells across and down in which coverage of the picture is counted."""
_FLAGS: Mapping[int, int] = {
    0: cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3,
    4: cv2.CALIB_FIX_K3,
    5: 0,
    8: cv2.CALIB_RATIONAL_MODEL,
}
_NAMES = ("focal_x", "focal_y", "centre_x", "centre_y", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrinsicsSettings:
    """What is fitted, and what is refused.

    Raises:
        ValueError: A value outside what its line allows.
    """

    distortion: int = 5
    """Number of distortion coefficients: 0, 4 (k1 k2 p1 p2), 5 (and k3) or 8 (and k4 k5 k6, for wide lenses)."""
    fix_aspect: bool = False
    """Whether focal_x = focal_y is known."""
    folds: int = 5
    """Parts of the views, each held out once to measure the error on views that were not fitted; at least 2."""
    min_views: int = 8
    """Fewer views are refused; at least 3."""
    min_coverage: float = 0.4
    """Least share of the picture's 8 x 6 cells in which a corner was seen, in [0, 1]."""
    min_tilt: float = 20.0
    """Least angle between the two views whose boards are tilted most differently [degrees]."""
    max_focal_std: float = 0.01
    """Largest standard deviation of the focal length, as a share of it."""
    max_error: float = 1.0
    """Largest held-out error [px]."""
    outlier_ratio: float = 3.0
    """A view whose error is so many times the median is named an outlier."""

    def __post_init__(self) -> None:
        if self.distortion not in _FLAGS:
            raise ValueError(f"distortion must be one of {list(_FLAGS)} coefficients, got {self.distortion}")
        if self.folds < 2 or self.min_views < 3:
            raise ValueError(f"folds must be >= 2 and min_views >= 3, got {self.folds} and {self.min_views}")
        if not 0 <= self.min_coverage <= 1:
            raise ValueError(f"min_coverage must be in [0, 1], got {self.min_coverage}")
        if min(self.max_focal_std, self.max_error) <= 0 or self.outlier_ratio <= 1 or self.min_tilt < 0:
            raise ValueError(
                "max_focal_std and max_error must be > 0, outlier_ratio > 1 and min_tilt >= 0, got "
                f"{self.max_focal_std}, {self.max_error}, {self.outlier_ratio}, {self.min_tilt}"
            )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class IntrinsicsFit:
    """Intrinsics with what is known about their error."""

    intrinsics: Intrinsics
    std: Mapping[str, float]
    """One standard deviation of each parameter by name; 0 = was not fitted. Of corner noise only."""
    views: tuple[Corners, ...]
    T_camera_board: tuple[Pose, ...]
    """Pose of the board in each view."""
    residuals: tuple[Float64[np.ndarray, "_corner 2"], ...]
    """Seen minus projected, per view [px]."""
    held_out_px: float
    """Root mean square reprojection error of corners that neither intrinsics nor pose were fitted to [px]."""
    coverage: Int64[np.ndarray, "row column"]
    """Corners seen in each cell of the picture."""
    tilt: float
    """Angle between the two boards that are tilted most differently [degrees]."""
    outliers: tuple[str, ...]
    """Views whose error is far above the median; they were fitted all the same."""

    @property
    def view_error(self) -> Float64[np.ndarray, " view"]:
        """Root mean square reprojection error of each view [px]."""
        return np.array([np.sqrt((each**2).sum(axis=1).mean()) for each in self.residuals])

    @property
    def rms_px(self) -> float:
        """Root mean square reprojection error over all corners [px]."""
        return float(np.sqrt((np.concatenate(self.residuals) ** 2).sum(axis=1).mean()))

    @property
    def coverage_share(self) -> float:
        """Share of the cells in which a corner was seen."""
        return float((self.coverage > 0).mean())


def fit_intrinsics(views: Sequence[Corners], settings: IntrinsicsSettings) -> IntrinsicsFit:
    """Fit focal length, principal point and distortion to views of a flat board.

    OpenCV's `calibrateCamera`; the held-out error comes from fits to all but one part of the views, where a view that
    was left out gets its pose from every other of its corners and is measured on the rest.

    Raises:
        ValueError: Views of pictures of different sizes.
        CalibrationError: Too few views, too little of the picture covered, boards too much alike in tilt, a focal
            length that stays uncertain, or a held-out error that is too large; the message says what to do.

    Source:
        Zhang 2000, "A flexible new technique for camera calibration".
    """
    _check_views(views, settings)
    matrix, distortion, poses, deviations = _calibrated(views, settings)
    sizes = views[0].image_size
    fitted = _intrinsics(matrix, distortion, sizes, settings.distortion)
    residuals = tuple(_residual(view, pose, fitted) for view, pose in zip(views, poses, strict=True))
    errors = np.array([np.sqrt((each**2).sum(axis=1).mean()) for each in residuals])
    far = errors > settings.outlier_ratio * np.median(errors)
    fit = IntrinsicsFit(
        intrinsics=fitted,
        std=_named(deviations, settings),
        views=tuple(views),
        T_camera_board=tuple(poses),
        residuals=residuals,
        held_out_px=_held_out(views, settings),
        coverage=coverage(views),
        tilt=_tilt(poses),
        outliers=tuple(view.picture for view, is_far in zip(views, far, strict=True) if is_far),
    )
    _check_fit(fit, settings)
    return fit


def coverage(views: Sequence[Corners]) -> Int64[np.ndarray, "row column"]:
    """Count the corners that were seen in each of the cells of the picture."""
    pixels = np.concatenate([view.pixels for view in views])
    width, height = views[0].image_size
    edges = np.linspace(-0.5, height - 0.5, GRID[1] + 1), np.linspace(-0.5, width - 0.5, GRID[0] + 1)
    counts, _, _ = np.histogram2d(pixels[:, 1], pixels[:, 0], bins=edges)
    return counts.astype(np.int64)


def _check_views(views: Sequence[Corners], settings: IntrinsicsSettings) -> None:
    if len(views) < settings.min_views:
        raise CalibrationError(
            f"the board is seen in {len(views)} pictures, {settings.min_views} are needed: take more, from all sides"
        )
    if len(sizes := {view.image_size for view in views}) > 1:
        raise ValueError(f"pictures of one camera must have one size, got {sorted(sizes)} px")
    share = float((coverage(views) > 0).mean())
    if share < settings.min_coverage:
        raise CalibrationError(
            f"the board covers {share:.0%} of the picture, {settings.min_coverage:.0%} is needed: "
            "hold it into the corners of the picture too, and closer"
        )


def _check_fit(fit: IntrinsicsFit, settings: IntrinsicsSettings) -> None:
    if fit.tilt < settings.min_tilt:
        raise CalibrationError(
            f"the boards are tilted alike to {fit.tilt:.1f}°, {settings.min_tilt:g}° are needed to tell focal length "
            "from distance: tilt the board to the left and right, forwards and back, by 30° to 45°"
        )
    uncertain = max(fit.std["focal_x"] / fit.intrinsics.focal_x, fit.std["focal_y"] / fit.intrinsics.focal_y)
    if uncertain > settings.max_focal_std:
        raise CalibrationError(
            f"the focal length stays uncertain by {uncertain:.1%}, {settings.max_focal_std:.1%} is allowed: "
            "take more pictures, with the board closer and tilted more"
        )
    if not fit.held_out_px <= settings.max_error:
        named = f"; the worst views are {', '.join(fit.outliers)}" if fit.outliers else ""
        raise CalibrationError(
            f"held-out corners are missed by {fit.held_out_px:.2f} px, {settings.max_error:g} px is allowed: is the "
            "board flat, its kind right, the picture sharp, the lens within "
            f"{settings.distortion} distortion coefficients?{named}"
        )


def _calibrated(
    views: Sequence[Corners], settings: IntrinsicsSettings
) -> tuple[np.ndarray, np.ndarray, list[Pose], np.ndarray]:
    flags = _FLAGS[settings.distortion] | (cv2.CALIB_FIX_ASPECT_RATIO if settings.fix_aspect else 0)
    points = [view.points.astype(np.float32) for view in views]
    pixels = [view.pixels.astype(np.float32) for view in views]
    start: Any = np.eye(3)  # with a fixed aspect, the ratio that is kept
    try:
        _, matrix, distortion, turns, moves, deviations, _, _ = cv2.calibrateCameraExtended(
            points, pixels, views[0].image_size, start, np.zeros(0), flags=flags
        )
    except cv2.error as error:
        raise CalibrationError(f"OpenCV finds no intrinsics for these views: {error.err}") from error
    poses = [Pose.from_rotation_vector(move.ravel(), turn.ravel()) for turn, move in zip(turns, moves, strict=True)]
    return matrix, distortion, poses, deviations


def _named(deviations: np.ndarray, settings: IntrinsicsSettings) -> dict[str, float]:
    std: dict[str, float] = dict(zip(_NAMES, deviations.ravel()[: len(_NAMES)].tolist(), strict=True))
    return {**std, "focal_x": std["focal_y"]} if settings.fix_aspect else std


def _intrinsics(matrix: np.ndarray, distortion: np.ndarray, size: tuple[int, int], number: int) -> Intrinsics:
    return Intrinsics(
        width=size[0],
        height=size[1],
        focal_x=float(matrix[0, 0]),
        focal_y=float(matrix[1, 1]),
        centre_x=float(matrix[0, 2]),
        centre_y=float(matrix[1, 2]),
        distortion=np.array(distortion.ravel()[:number], np.float64),
    )


def _residual(view: Corners, pose: Pose, intrinsics: Intrinsics) -> Float64[np.ndarray, "corner 2"]:
    projected, _ = cv2.projectPoints(
        view.points, pose.rotation_vector, pose.translation, intrinsics.matrix, intrinsics.distortion
    )
    return view.pixels - projected[:, 0]


def _held_out(views: Sequence[Corners], settings: IntrinsicsSettings) -> float:
    squares = []
    folds = min(settings.folds, len(views))
    for fold in range(folds):
        kept = [view for place, view in enumerate(views) if place % folds != fold]
        left = [view for place, view in enumerate(views) if place % folds == fold]
        matrix, distortion, _, _ = _calibrated(kept, settings)
        intrinsics = _intrinsics(matrix, distortion, views[0].image_size, settings.distortion)
        squares += [_unseen_squares(view, intrinsics) for view in left if len(view.ids) >= 8]
    return float(np.sqrt(np.concatenate(squares).mean())) if squares else float("nan")


def _unseen_squares(view: Corners, intrinsics: Intrinsics) -> np.ndarray:
    """Squared error of every other corner, under the pose that the rest gives."""
    even = np.arange(len(view.ids)) % 2 == 0
    posed, unseen = view.chosen(even), view.chosen(~even)
    good, turn, move = cv2.solvePnP(posed.points, posed.pixels, intrinsics.matrix, intrinsics.distortion)
    if not good:
        raise CalibrationError(
            f"{view.picture}: the corners fit no pose of the board with the lens of the other views, so the held-out "
            "error is not known: remove this picture, or take a sharper one"
        )
    pose = Pose.from_rotation_vector(move.ravel(), turn.ravel())
    return (_residual(unseen, pose, intrinsics) ** 2).sum(axis=1)


def _tilt(poses: Sequence[Pose]) -> float:
    normals = np.array([pose.rotation[:, 2] for pose in poses])
    return float(np.degrees(np.arccos(np.clip((normals @ normals.T).min(), -1, 1))))
