"""How well a rig explains what its cameras see of a board, with some cameras where the rig says and others anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.rig_adjustment import (
    FIXED,
    FREE,
    Adjustment,
    PoseStd,
    RigView,
    adjust_rig,
    move_information,
)
from robo_reward.calibration.rig_start import board_pose, check_picture_size, start_rig
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig

_GOOD = 3.0
"""Sum of squares per degree of freedom below which a fit needs no second start."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class KnownBoard:
    """A board that lies where it lay when the rig was measured."""

    T_base_board: Pose
    known: PoseStd
    """How well."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RigHypotheses:
    """Views of a board by the cameras of a rig, ready to be fitted under one hypothesis or another."""

    rig: Rig
    views: Sequence[RigView]
    camera_known: PoseStd
    """How well each camera's pose in the rig is known."""
    known_board: KnownBoard | None
    pixel_std: float
    """Standard deviation of a corner along each axis [px]."""

    @classmethod
    def comparable(
        cls,
        rig: Rig,
        views: Sequence[RigView],
        *,
        camera_known: PoseStd,
        known_board: KnownBoard | None,
        pixel_std: float,
    ) -> "RigHypotheses":
        """Keep the views that can be compared: with a known board all, else those of moments that two cameras share.

        Raises:
            ValueError: A camera that the rig does not have.
            CalibrationError: None can be compared, or a picture has another size than its lens was measured at.
        """
        cameras: dict[str, set[str]] = {}
        for view in views:
            lens = rig.camera(view.camera).intrinsics  # refuses a name that the rig does not have
            check_picture_size(view.corners, lens, camera=view.camera)
            cameras.setdefault(view.moment, set()).add(view.camera)
        kept = [view for view in views if known_board or len(cameras[view.moment]) > 1]
        if not kept:
            raise CalibrationError(
                "no two cameras see the board at once, so there is nothing to compare: hold it where at least two see "
                "it, or give the pose of a board that has not moved since the rig was measured"
            )
        return cls(rig=rig, views=kept, camera_known=camera_known, known_board=known_board, pixel_std=pixel_std)

    def with_pixel_std(self, pixel_std: float) -> "RigHypotheses":
        """Give the same with another scatter of corners [px]."""
        return replace(self, pixel_std=pixel_std)

    @property
    def cameras(self) -> list[str]:
        """Cameras that can be compared."""
        seen = {view.camera for view in self.views}
        return [name for name in self.rig.cameras if name in seen]

    @property
    def freedom(self) -> int:
        """Coordinates of corners, less what is fitted with all cameras free."""
        fitted = 6 * len(self.cameras) + (0 if self.known_board else 6 * len(self._moments) - 6)
        return sum(2 * len(view.corners.ids) for view in self.views) - fitted

    def comparisons(self, free: int) -> int:
        """Numbers by which the fit with all cameras free is freer than the one with only some free.

        Without a known board one camera must hold the frame, so freeing all but one frees all.
        """
        held = len(self.cameras) - free
        return 6 * (held if self.known_board else max(held - 1, 0))

    def fitted(self, free: set[str]) -> Adjustment:
        """Fit with some cameras anywhere and the others where the rig says, as well as that is known."""
        known = {name: FREE if name in free else self.camera_known for name in self.cameras}
        if free == set(self.cameras) and not self.known_board:
            known[self._reference] = FIXED
        fit = self._adjusted(known, *self._start_at_rig())
        if free and fit.chi_square > _GOOD * max(self.freedom, 1):
            # a camera that moved far may have been led astray
            other = self._adjusted(known, *self._start_by_boards())
            fit = min(fit, other, key=lambda each: each.chi_square)
        return fit

    def move_information(self, boards: Mapping[str, Pose]) -> dict[str, Float64[np.ndarray, "6 6"]]:
        """Say what corners tell of a move of each camera, with the others where the rig says, as well as is known.

        Args:
            boards: Where the board is, by moment.
        """
        return move_information(
            self.views,
            self._lenses,
            T_base_camera={name: self.rig.cameras[name].T_base_camera for name in self.cameras},
            T_base_board=boards,
            camera_known=dict.fromkeys(self.cameras, self.camera_known),
            board_known=self._board_known,
            pixel_std=self.pixel_std,
        )

    @property
    def _board_known(self) -> dict[str, PoseStd]:
        return dict.fromkeys(self._moments, self.known_board.known) if self.known_board else {}

    @property
    def _moments(self) -> list[str]:
        return list(dict.fromkeys(view.moment for view in self.views))

    @property
    def _reference(self) -> str:
        return max(self.cameras, key=lambda name: sum(view.camera == name for view in self.views))

    @property
    def _lenses(self) -> dict[str, Intrinsics]:
        return {name: self.rig.cameras[name].intrinsics for name in self.cameras}

    def _start_at_rig(self) -> tuple[dict[str, Pose], dict[str, Pose]]:
        cameras = {name: self.rig.cameras[name].T_base_camera for name in self.cameras}
        if self.known_board:
            return cameras, dict.fromkeys(self._moments, self.known_board.T_base_board)
        return cameras, {moment: self._board(moment) for moment in self._moments}

    def _board(self, moment: str) -> Pose:
        """The board as that camera sees it whose answer fits all cameras best: one may see it mirrored."""
        views = [view for view in self.views if view.moment == moment]
        seen = [
            self.rig.cameras[view.camera].T_base_camera @ board_pose(view.corners, self._lenses[view.camera])
            for view in views
        ]
        return min(seen, key=lambda board: sum(self._missed(view, board) for view in views))

    def _missed(self, view: RigView, board: Pose) -> float:
        pixels = self.rig.cameras[view.camera].project(board.apply(view.corners.points))
        return float(np.nan_to_num(((pixels - view.corners.pixels) ** 2).sum(axis=1), nan=np.inf).mean())

    def _start_by_boards(self) -> tuple[dict[str, Pose], dict[str, Pose]]:
        """From the pictures alone."""
        if self.known_board:
            board = self.known_board.T_base_board
            seen = {view.camera: board_pose(view.corners, self._lenses[view.camera]) for view in self.views}
            cameras = {name: board @ pose.inverse() for name, pose in seen.items()}
            return cameras, dict.fromkeys(self._moments, board)
        cameras, boards = start_rig(self.views, self._lenses, reference=self._reference)
        base = self.rig.cameras[self._reference].T_base_camera
        return {name: base @ pose for name, pose in cameras.items()}, {at: base @ pose for at, pose in boards.items()}

    def _adjusted(
        self, known: Mapping[str, PoseStd], cameras: Mapping[str, Pose], boards: Mapping[str, Pose]
    ) -> Adjustment:
        # a camera that is held deviates from the rig, not from where the search starts
        placed = {
            name: pose if known[name] == FREE else self.rig.cameras[name].T_base_camera
            for name, pose in cameras.items()
        }
        return adjust_rig(
            self.views,
            self._lenses,
            T_base_camera=placed,
            T_base_board=boards,
            camera_known=known,
            board_known=self._board_known,
            pixel_std=self.pixel_std,
            loss="linear",
        )
