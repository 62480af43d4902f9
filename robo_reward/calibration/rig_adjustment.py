"""Bundle adjustment: where cameras and boards are, from all corners at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy import sparse

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.projection_chain import ChainView, chain_residual, pose_of
from robo_reward.calibration.sparse_least_squares import sparse_least_squares
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose

_HUBER = 1.5
"""Standard deviations up to which a residual counts by its square."""
_NOTHING = 1e-12
"""Share of the largest eigenvalue below which corners tell nothing along an eigenvector."""
_TRACE = 1e-9
"""Share of an unknown in such eigenvectors that is rounding."""
Loss = Literal["linear", "huber"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RigView:
    """What one camera saw of the board at one moment."""

    camera: str
    moment: str
    """Every camera that saw the board at this moment saw it in the same place."""
    corners: Corners


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseStd:
    """What is known of a pose beforehand: one standard deviation per axis.

    Raises:
        ValueError: A negative value, or only one of the two 0 or ∞.
    """

    translation: float
    """[m]"""
    rotation: float
    """[rad]"""

    def __post_init__(self) -> None:
        if not (self.translation >= 0 and self.rotation >= 0):
            raise ValueError(f"standard deviations must be >= 0, got {self.translation} m and {self.rotation} rad")
        for special in (0, math.inf):
            if (self.translation == special) != (self.rotation == special):
                raise ValueError(f"translation and rotation must both be {special} or neither")


FIXED = PoseStd(translation=0.0, rotation=0.0)
FREE = PoseStd(translation=math.inf, rotation=math.inf)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Adjustment:
    """Poses that fit all corners best."""

    T_base_camera: Mapping[str, Pose]
    T_base_board: Mapping[str, Pose]
    """By moment."""
    residuals: tuple[Float64[np.ndarray, "_corner 2"], ...]
    """Seen minus projected, per view [px]."""
    chi_square: float
    """Sum of squares of residuals and of deviations from what was known, each over its standard deviation."""
    camera_std: Mapping[str, PoseStd]
    """One standard deviation of each camera's deviation (root of the sum over axes); FIXED stays FIXED.

    FREE where the corners leave any of its motions open.
    """


def adjust_rig(
    views: Sequence[RigView],
    intrinsics: Mapping[str, Intrinsics],
    *,
    T_base_camera: Mapping[str, Pose],  # noqa: N803 (frames)
    T_base_board: Mapping[str, Pose],  # noqa: N803
    camera_known: Mapping[str, PoseStd],
    board_known: Mapping[str, PoseStd],
    pixel_std: float,
    loss: Loss,
) -> Adjustment:
    """Move cameras and boards so that all projected corners fit the seen ones.

        min Σ ρ(‖π(D_c T_camera_base T_base_board E_m p) − u‖² / σ²) + Σ ‖δ‖² / std²

    with a small motion D of each camera and E of each board, held by what is known of them (δ).

    Args:
        views: Corners by camera and moment.
        intrinsics: Of every camera.
        T_base_camera: Where each camera is assumed.
        T_base_board: Where the board is assumed at each moment.
        camera_known: How well that is known; FIXED does not move, FREE moves as it will. At least one camera or board
            must be known, or nothing says where the base is.
        board_known: The same of boards; moments that are not named are FREE.
        pixel_std: Standard deviation of a corner along each axis [px].
        loss: `linear` takes squares, `huber` hears less on corners beyond 1.5 standard deviations.
    """
    problem = _Problem(
        views,
        intrinsics,
        T_base_camera=T_base_camera,
        T_base_board=T_base_board,
        camera_known=camera_known,
        board_known=board_known,
        pixel_std=pixel_std,
    )
    solved = sparse_least_squares(problem.residual, np.zeros(problem.size), huber=_HUBER if loss == "huber" else None)
    return problem.adjustment(solved)


def move_information(
    views: Sequence[RigView],
    intrinsics: Mapping[str, Intrinsics],
    *,
    T_base_camera: Mapping[str, Pose],  # noqa: N803 (frames)
    T_base_board: Mapping[str, Pose],  # noqa: N803
    camera_known: Mapping[str, PoseStd],
    board_known: Mapping[str, PoseStd],
    pixel_std: float,
) -> dict[str, Float64[np.ndarray, "6 6"]]:
    """Say what corners tell of a move of each camera that nothing else explains.

        S = A_cc − A_c (A + P)⁻¹ A_cᵀ

    with the information A of the corners and P of what is known beforehand: a camera that moves by δ, a rotation vector
    [rad] and a translation [m] in its own frame, raises the least sum of squares by δᵀ S δ, to second order.

    Args:
        views: As in `adjust_rig`, like all that follows; no camera may be FIXED or FREE.
        intrinsics: Of every camera.
        T_base_camera: Where the cameras are.
        T_base_board: Where the boards are.
        camera_known: How well the first is known.
        board_known: How well the second.
        pixel_std: Standard deviation of a corner along each axis [px].
    """
    problem = _Problem(
        views,
        intrinsics,
        T_base_camera=T_base_camera,
        T_base_board=T_base_board,
        camera_known=camera_known,
        board_known=board_known,
        pixel_std=pixel_std,
    )
    return problem.move_information()


class _Problem:
    """The sparse least-squares problem: which numbers belong to which camera and board."""

    def __init__(
        self,
        views: Sequence[RigView],
        intrinsics: Mapping[str, Intrinsics],
        *,
        T_base_camera: Mapping[str, Pose],  # noqa: N803 (frames)
        T_base_board: Mapping[str, Pose],  # noqa: N803
        camera_known: Mapping[str, PoseStd],
        board_known: Mapping[str, PoseStd],
        pixel_std: float,
    ) -> None:
        self._views, self._pixel_std = views, pixel_std
        self._cameras = {name: pose for name, pose in T_base_camera.items() if any(v.camera == name for v in views)}
        self._all_cameras = T_base_camera
        self._boards = {moment: T_base_board[moment] for moment in dict.fromkeys(view.moment for view in views)}
        known = {("camera", name): camera_known[name] for name in self._cameras}
        known |= {("board", moment): board_known.get(moment, FREE) for moment in self._boards}
        self._known = known
        moving = [key for key, std in known.items() if std.translation > 0]
        self._columns = {key: slice(6 * place, 6 * place + 6) for place, key in enumerate(moving)}
        self.size = 6 * len(moving)
        self._chains = [
            ChainView(
                points=view.corners.points,
                pixels=view.corners.pixels,
                intrinsics=intrinsics[view.camera],
                T_middle=T_base_camera[view.camera].inverse() @ T_base_board[view.moment],
            )
            for view in views
        ]

    def residual(self, x: np.ndarray) -> tuple[np.ndarray, sparse.csr_matrix]:
        """Give all residuals over their standard deviations, and their derivative."""
        rows, places, values, residuals, at = [], [], [], [], 0
        for view, chain in zip(self._views, self._chains, strict=True):
            camera, board = ("camera", view.camera), ("board", view.moment)
            residual, by_camera, by_board = chain_residual(chain, self._motion(x, camera), self._motion(x, board))
            residuals.append(residual / self._pixel_std)
            for key, block in ((camera, by_camera), (board, by_board)):
                if key in self._columns:
                    down, across = np.mgrid[0 : len(residual), 0:6]
                    rows.append((at + down).ravel())
                    places.append((self._columns[key].start + across).ravel())
                    values.append(block.ravel() / self._pixel_std)
            at += len(residual)
        for columns, std in self._priors():
            residuals.append(x[columns] / std)
            rows.append(at + np.arange(6))
            places.append(np.arange(columns.start, columns.stop))
            values.append(1 / std)
            at += 6
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(places)))
        return np.concatenate(residuals), sparse.csr_matrix(entries, shape=(at, self.size))

    def adjustment(self, x: np.ndarray) -> Adjustment:
        """Read the solution."""
        residual, derivative = self.residual(x)
        parts, at = [], 0
        for view in self._views:
            count = 2 * len(view.corners.ids)
            parts.append(-self._pixel_std * residual[at : at + count].reshape(-1, 2))
            at += count
        moved = {
            name: pose @ pose_of(self._motion(x, ("camera", name))).inverse() for name, pose in self._cameras.items()
        }
        boards = {name: pose @ pose_of(self._motion(x, ("board", name))) for name, pose in self._boards.items()}
        return Adjustment(
            T_base_camera={**self._all_cameras, **moved},
            T_base_board=boards,
            residuals=tuple(parts),
            chi_square=float(residual @ residual),
            camera_std=self._camera_std(derivative),
        )

    def move_information(self) -> dict[str, Float64[np.ndarray, "6 6"]]:
        """Give S of every camera at the start."""
        _, derivative = self.residual(np.zeros(self.size))
        both = (derivative.T @ derivative).toarray()
        known = np.zeros(self.size)
        for columns, std in self._priors():
            known[columns] = 1 / std**2
        told = both - np.diag(known)
        columns = {name: self._columns["camera", name] for name in self._cameras}
        return {
            name: told[at, at] - told[at] @ np.linalg.lstsq(both, told[:, at], rcond=None)[0]
            for name, at in columns.items()
        }

    def _motion(self, x: np.ndarray, key: tuple[str, str]) -> Float64[np.ndarray, "6"]:
        return x[self._columns[key]] if key in self._columns else np.zeros(6)

    def _priors(self) -> list[tuple[slice, np.ndarray]]:
        return [
            (columns, np.repeat([self._known[key].rotation, self._known[key].translation], 3))
            for key, columns in self._columns.items()
            if math.isfinite(self._known[key].translation)
        ]

    def _camera_std(self, derivative: sparse.csr_matrix) -> dict[str, PoseStd]:
        deviation = _variances((derivative.T @ derivative).toarray())
        told = {}
        for name in self._cameras:
            columns = self._columns.get(("camera", name))
            if columns is None:
                told[name] = FIXED
                continue
            variance = deviation[columns]
            told[name] = FREE
            if np.isfinite(variance).all():
                told[name] = PoseStd(
                    translation=float(np.sqrt(variance[3:].sum())), rotation=float(np.sqrt(variance[:3].sum()))
                )
        return told


def _variances(information: Float64[np.ndarray, "unknown unknown"]) -> Float64[np.ndarray, " unknown"]:
    """The diagonal of the information's inverse; what nothing tells of has an infinite variance, not a small one."""
    diagonal = np.diag(information)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))  # radians and metres alike
    values, vectors = np.linalg.eigh(information * scale[:, None] * scale)
    shares = (vectors * scale[:, None]) ** 2
    told = values > _NOTHING * values[-1]
    untold = (vectors[:, ~told] ** 2).sum(axis=1) > _TRACE
    return np.where(untold, np.inf, shares[:, told] @ (1 / values[told]))
