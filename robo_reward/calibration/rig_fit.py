"""Where several fixed cameras stand, from a board that they see together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robo_reward.calibration.boards import Board
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.rig_adjustment import FIXED, FREE, Adjustment, Loss, PoseStd, RigView, adjust_rig
from robo_reward.calibration.rig_start import start_rig
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose


@dataclass(frozen=True, slots=True, kw_only=True)
class RigSettings:
    """What is refused.

    Raises:
        ValueError: A value outside what its line allows.
    """

    min_moments: int = 8
    """Each camera must share at least so many moments with others; at least 1."""
    pixel_std: float = 0.3
    """Standard deviation of a corner along each axis [px]; errors beyond 1.5 of it are heard less."""
    outlier_ratio: float = 3.0
    """A view whose error is so many times the median is named and left out of the last fit."""
    max_outliers: float = 0.25
    """Largest share of views that may be left out."""
    max_error: float = 2.0
    """Largest held-out error [px]."""
    folds: int = 4
    """Parts of the moments, each held out once; at least 2."""

    def __post_init__(self) -> None:
        if self.min_moments < 1 or self.folds < 2:
            raise ValueError(f"min_moments must be >= 1 and folds >= 2, got {self.min_moments} and {self.folds}")
        if min(self.pixel_std, self.max_error) <= 0 or self.outlier_ratio <= 1:
            raise ValueError(
                "pixel_std and max_error must be > 0 px and outlier_ratio > 1, got "
                f"{self.pixel_std}, {self.max_error}, {self.outlier_ratio}"
            )
        if not 0 <= self.max_outliers < 1:
            raise ValueError(f"max_outliers must be in [0, 1), got {self.max_outliers}")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RigFit:
    """Cameras in the frame of one of them, with what is known about their error."""

    T_base_camera: Mapping[str, Pose]
    T_base_board: Mapping[str, Pose]
    """By moment."""
    camera_std: Mapping[str, PoseStd]
    """One standard deviation of each camera's pose relative to the reference, of corner noise as it was."""
    views: tuple[RigView, ...]
    residuals: tuple[Float64[np.ndarray, "_corner 2"], ...]
    """Seen minus projected, per view [px]."""
    outliers: tuple[str, ...]
    """Views that were left out, as `camera at moment`."""
    held_out_px: float
    """Root mean square error of corners in moments that the cameras were not fitted to [px]."""
    reference: str
    """Camera that the base frame was, before any other was chosen."""

    @property
    def rms_px(self) -> float:
        """Root mean square reprojection error over all corners [px]."""
        return _rms(self.residuals)

    @property
    def camera_error(self) -> Mapping[str, float]:
        """The same of each camera [px]."""
        return {
            name: _rms([each for view, each in zip(self.views, self.residuals, strict=True) if view.camera == name])
            for name in self.T_base_camera
        }

    def based_on_board(self, moment: str) -> "RigFit":
        """Give the same rig in the frame of the board as it lay at one moment.

        Origin at the pattern's upper left corner, x and y along its edges, z into the table.

        Raises:
            CalibrationError: The board was not used at that moment.
        """
        if moment not in self.T_base_board:
            raise CalibrationError(
                f"the board was not seen by two cameras at '{moment}'; moments are {', '.join(self.T_base_board)}"
            )
        return self.moved(self.T_base_board[moment].inverse())

    def based_on_camera(self, camera: str, T_base_camera: Pose) -> "RigFit":  # noqa: N803 (frames)
        """Give the same rig in the base frame in which one camera's pose is known, from hand-eye calibration.

        Raises:
            CalibrationError: The rig has no such camera.
        """
        if camera not in self.T_base_camera:
            raise CalibrationError(f"the rig has no camera '{camera}'; there are {', '.join(self.T_base_camera)}")
        return self.moved(T_base_camera @ self.T_base_camera[camera].inverse())

    def moved(self, T_new_base: Pose) -> "RigFit":  # noqa: N803
        """Give the same rig in another base frame."""
        return RigFit(
            T_base_camera={name: T_new_base @ pose for name, pose in self.T_base_camera.items()},
            T_base_board={name: T_new_base @ pose for name, pose in self.T_base_board.items()},
            camera_std=self.camera_std,
            views=self.views,
            residuals=self.residuals,
            outliers=self.outliers,
            held_out_px=self.held_out_px,
            reference=self.reference,
        )


def fit_rig(
    views: Sequence[RigView], intrinsics: Mapping[str, Intrinsics], board: Board, settings: RigSettings
) -> RigFit:
    """Fit the poses of all cameras to a board that they saw together, in the frame of the camera that saw most.

    A graph of shared boards gives first poses, bundle adjustment with a Huber loss the next; views far from the others
    are named and left out, and the rest is adjusted by least squares. Scale comes from the board's measured square.

    Args:
        views: Corners by camera and moment, each moment seen by at least two cameras.
        intrinsics: Of every camera; they are not fitted here.
        board: Which board it was.
        settings: What is refused.

    Raises:
        CalibrationError: A board that looks the same upside down, a camera that shares too few moments, too many views
            left out, or a held-out error that is too large; the message says what to do.
    """
    _check(views, intrinsics, board, settings)
    reference = max(intrinsics, key=lambda name: sum(view.camera == name for view in views))
    cameras, boards = start_rig(views, intrinsics, reference=reference)
    fitting = _Fitting(intrinsics=intrinsics, reference=reference, pixel_std=settings.pixel_std)
    robust = fitting.adjusted(views, cameras, boards, loss="huber")
    good, outliers = _without_outliers(views, robust, settings)
    kept = _shared(good)
    _check(kept, intrinsics, board, settings)
    final = fitting.adjusted(kept, robust.T_base_camera, robust.T_base_board, loss="linear")
    held_out = fitting.held_out(kept, final, folds=settings.folds)
    if not held_out <= settings.max_error:
        raise CalibrationError(
            f"held-out moments are missed by {held_out:.2f} px, {settings.max_error:g} px is allowed: check the "
            "board's measured square, the cameras' intrinsics, and that pictures of one moment were taken at one moment"
        )
    noise = _rms(final.residuals) / (np.sqrt(2) * settings.pixel_std)  # corners as they were, not as they were assumed
    return RigFit(
        T_base_camera=final.T_base_camera,
        T_base_board=final.T_base_board,
        camera_std={name: _scaled(std, noise) for name, std in final.camera_std.items()},
        views=tuple(kept),
        residuals=final.residuals,
        outliers=outliers,
        held_out_px=held_out,
        reference=reference,
    )


def _without_outliers(
    views: Sequence[RigView], fit: Adjustment, settings: RigSettings
) -> tuple[list[RigView], tuple[str, ...]]:
    errors = np.array([_rms([each]) for each in fit.residuals])
    far = errors > settings.outlier_ratio * np.median(errors)
    outliers = tuple(f"{v.camera} at {v.moment}" for v, is_far in zip(views, far, strict=True) if is_far)
    if far.mean() > settings.max_outliers:
        raise CalibrationError(
            f"{far.mean():.0%} of the views do not fit the others, {settings.max_outliers:.0%} is allowed: are the "
            f"cameras synchronised, or was the board held still? The first of them: {', '.join(outliers[:5])}"
        )
    return [view for view, is_far in zip(views, far, strict=True) if not is_far], outliers


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Fitting:
    intrinsics: Mapping[str, Intrinsics]
    reference: str
    pixel_std: float

    def adjusted(
        self,
        views: Sequence[RigView],
        cameras: Mapping[str, Pose],
        boards: Mapping[str, Pose],
        *,
        loss: Loss,
        fixed: bool = False,
    ) -> Adjustment:
        known = {name: FIXED if fixed or name == self.reference else FREE for name in cameras}
        return adjust_rig(
            views,
            self.intrinsics,
            T_base_camera=cameras,
            T_base_board=boards,
            camera_known=known,
            board_known={},
            pixel_std=self.pixel_std,
            loss=loss,
        )

    def held_out(self, views: Sequence[RigView], fit: Adjustment, *, folds: int) -> float:
        """Error in moments that were left out: every other corner places the board, the rest is measured."""
        moments, squares = list(fit.T_base_board), []
        for fold in range(min(folds, len(moments))):
            left = set(moments[fold::folds])
            kept = self.adjusted(
                [v for v in views if v.moment not in left], fit.T_base_camera, fit.T_base_board, loss="linear"
            )
            unseen = [v for v in views if v.moment in left and len(v.corners.ids) >= 8]
            if not unseen:
                continue
            posing, measured = ([_half(view, part) for view in unseen] for part in (0, 1))
            boards = self.adjusted(posing, kept.T_base_camera, fit.T_base_board, loss="linear", fixed=True).T_base_board
            squares += [self._missed(view, kept.T_base_camera[view.camera], boards[view.moment]) for view in measured]
        return float(np.sqrt(np.concatenate(squares).mean())) if squares else float("nan")

    def _missed(self, view: RigView, camera: Pose, board: Pose) -> np.ndarray:
        points = (camera.inverse() @ board).apply(view.corners.points)
        return ((self.intrinsics[view.camera].project(points) - view.corners.pixels) ** 2).sum(axis=1)


def _check(views: Sequence[RigView], intrinsics: Mapping[str, Intrinsics], board: Board, settings: RigSettings) -> None:
    if not board.oriented:
        raise CalibrationError(
            "this chessboard looks the same upside down, so cameras may number its corners from opposite ends: use one "
            "with an odd sum of inner corners, or a ChArUco board"
        )
    for name in intrinsics:
        count = sum(view.camera == name for view in views)
        if count < settings.min_moments:
            raise CalibrationError(
                f"camera {name} saw the board together with another camera in {count} moments, {settings.min_moments} "
                "are needed: hold it where both see it, in more places"
            )


def _half(view: RigView, part: int) -> RigView:
    rows = np.arange(part, len(view.corners.ids), 2)
    return RigView(camera=view.camera, moment=view.moment, corners=view.corners.chosen(rows))


def _shared(views: Sequence[RigView]) -> list[RigView]:
    counts: dict[str, int] = {}
    for view in views:
        counts[view.moment] = counts.get(view.moment, 0) + 1
    return [view for view in views if counts[view.moment] > 1]


def _scaled(std: PoseStd, factor: float) -> PoseStd:
    return PoseStd(translation=float(std.translation * factor), rotation=float(std.rotation * factor))


def _rms(residuals: Sequence[np.ndarray]) -> float:
    return float(np.sqrt((np.concatenate(residuals) ** 2).sum(axis=1).mean()))
