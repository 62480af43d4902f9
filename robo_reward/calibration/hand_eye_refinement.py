"""Least squares for hand-eye calibration: on poses, or on the pixels of the board's corners."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import OptimizeResult, least_squares
from scipy.spatial.transform import Rotation

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.projection_chain import ChainView, chain_residual, pose_of
from robo_reward.calibration.rig_adjustment import PoseStd
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose

_ROUNDS = 3
_LEAST = np.array([5e-4, 2e-4])
"""Errors of a rotation [rad] and a translation [m] that no arm and camera undercut: an arm that rests for half of the
recording repeats itself exactly there, and would otherwise seem to be without any error."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Refined:
    """Camera and board, fitted together."""

    T_hand_camera: Pose
    T_base_board: Pose
    std: PoseStd
    """One standard deviation of T_hand_camera, of the noise as it was."""
    error: Float64[np.ndarray, " pair"]
    """Error of each pair in units of the noise: 1 is usual."""
    distance: Float64[np.ndarray, " pair"]
    """How far the board is from where it is expected [m]."""
    angle: Float64[np.ndarray, " pair"]
    """How far it is turned [rad]."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PixelRefined:
    """Camera and board, fitted together to the corners themselves."""

    T_hand_camera: Pose
    T_base_board: Pose
    std: PoseStd
    """One standard deviation of T_hand_camera, of the residuals as they were."""
    residuals: tuple[Float64[np.ndarray, "_corner 2"], ...]
    """Seen minus projected, per view [px]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseSpread:
    """Root mean square error of the board's pose."""

    distance: float
    """[m]"""
    angle: float
    """[rad]"""


def refine_on_poses(T_base_hand: Sequence[Pose], T_camera_board: Sequence[Pose], start: Pose) -> Refined:  # noqa: N803
    """Fit T_hand_camera and T_base_board to pairs of poses, robustly.

        min Σ ρ(‖log R(E_i)‖² / σ_R² + ‖t(E_i)‖² / σ_t²),   E_i = T_board_camera,i^model · T_camera_board,i

    where σ_R and σ_t are the errors' own sizes (from medians), found in a few rounds.

    Args:
        T_base_hand: The hand's poses.
        T_camera_board: The board's, at the same moments.
        start: Where T_hand_camera is looked for.
    """
    pairs = _Pairs.of(T_base_hand, T_camera_board)
    boards = [hand @ start @ board for hand, board in zip(T_base_hand, T_camera_board, strict=True)]
    first = _median_pose(boards)
    solved, size = _solved(pairs, start, first, np.ones(2))
    for _ in range(_ROUNDS):
        solved, size = _solved(pairs, start, first, size, at=solved.x)
    camera, board = start @ pose_of(solved.x[:6]), first @ pose_of(solved.x[6:])
    errors = pairs.errors(camera, board)
    variance = np.diag(np.linalg.inv(solved.jac.T @ solved.jac))[:6]
    return Refined(
        T_hand_camera=camera,
        T_base_board=board,
        std=PoseStd(translation=float(np.sqrt(variance[3:].sum())), rotation=float(np.sqrt(variance[:3].sum()))),
        error=np.linalg.norm(solved.fun.reshape(-1, 6), axis=1) / np.sqrt(6),
        distance=np.linalg.norm(errors[:, 3:], axis=1),
        angle=np.linalg.norm(errors[:, :3], axis=1),
    )


def pose_spread(
    T_base_hand: Sequence[Pose],  # noqa: N803
    T_camera_board: Sequence[Pose],  # noqa: N803
    fit: Refined,
    *,
    folds: int,
) -> PoseSpread:
    """Measure the error of the board's pose in pairs that were left out of the fit, part by part."""
    squares = []
    numbers = np.arange(len(T_base_hand))
    for fold in range(min(folds, len(numbers))):
        kept, left = numbers[numbers % folds != fold], numbers[numbers % folds == fold]
        some = refine_on_poses([T_base_hand[i] for i in kept], [T_camera_board[i] for i in kept], fit.T_hand_camera)
        pairs = _Pairs.of([T_base_hand[i] for i in left], [T_camera_board[i] for i in left])
        errors = pairs.errors(some.T_hand_camera, some.T_base_board)
        squares.append(np.stack([(errors[:, 3:] ** 2).sum(axis=1), (errors[:, :3] ** 2).sum(axis=1)], axis=1))
    distance, angle = np.sqrt(np.concatenate(squares).mean(axis=0))
    return PoseSpread(distance=float(distance), angle=float(angle))


def refine_on_pixels(
    T_base_hand: Sequence[Pose],  # noqa: N803
    views: Sequence[Corners],
    intrinsics: Intrinsics,
    *,
    T_hand_camera: Pose,  # noqa: N803
    T_base_board: Pose,  # noqa: N803
    pixel_std: float,
) -> PixelRefined:
    """Fit T_hand_camera and T_base_board to the corners themselves, with a Huber loss.

        min Σ ρ(‖π(T_camera_hand T_hand_base,i T_base_board p) − u‖² / σ²)

    Better than poses where the robot is more precise than PnP is: corners weigh as they are seen.

    Args:
        T_base_hand: The hand's poses.
        views: The board's corners at the same moments.
        intrinsics: Of the camera.
        T_hand_camera: Where it is looked for.
        T_base_board: Where the board is assumed.
        pixel_std: Standard deviation of a corner along each axis [px], the arm's own error included.
    """
    chains = [
        ChainView(
            points=view.points,
            pixels=view.pixels,
            intrinsics=intrinsics,
            T_middle=T_hand_camera.inverse() @ hand.inverse() @ T_base_board,
        )
        for hand, view in zip(T_base_hand, views, strict=True)
    ]

    def residual(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [chain_residual(chain, x[:6], x[6:]) for chain in chains]
        values = np.concatenate([part[0] for part in parts])
        slopes = np.concatenate([np.hstack(part[1:]) for part in parts])
        return values / pixel_std, slopes / pixel_std

    solved = least_squares(
        lambda x: residual(x)[0],
        np.zeros(12),
        jac=lambda x: residual(x)[1],  # pyright: ignore[reportArgumentType]
        loss="huber",
        f_scale=1.5,
        x_scale=0.01,
    )
    values, slopes = residual(solved.x)
    noise = np.sqrt((values**2).mean())
    variance = noise**2 * np.diag(np.linalg.inv(slopes.T @ slopes))[:6]
    counts = np.cumsum([2 * len(view.ids) for view in views])[:-1]
    # the outer motion takes what is seen from the old camera frame to the new one: the camera moves by its inverse
    camera, board = T_hand_camera @ pose_of(solved.x[:6]).inverse(), T_base_board @ pose_of(solved.x[6:])
    return PixelRefined(
        T_hand_camera=camera,
        T_base_board=board,
        std=PoseStd(translation=float(np.sqrt(variance[3:].sum())), rotation=float(np.sqrt(variance[:3].sum()))),
        residuals=tuple(-pixel_std * part.reshape(-1, 2) for part in np.split(values, counts)),
    )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Pairs:
    """Poses of hand and board as stacks."""

    hand: tuple[np.ndarray, np.ndarray]
    board: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, hand: Sequence[Pose], board: Sequence[Pose]) -> "_Pairs":
        stacks = [
            (np.array([p.rotation for p in each]), np.array([p.translation for p in each])) for each in (hand, board)
        ]
        return cls(hand=stacks[0], board=stacks[1])

    def errors(self, T_hand_camera: Pose, T_base_board: Pose) -> Float64[np.ndarray, "pair 6"]:  # noqa: N803
        """Rotation vector [rad] and translation [m] of the seen board in the predicted one."""
        (hand_R, hand_t), (board_R, board_t) = self.hand, self.board  # noqa: N806
        camera_R = hand_R @ T_hand_camera.rotation  # noqa: N806
        camera_t = hand_R @ T_hand_camera.translation + hand_t
        seen_R = camera_R @ board_R  # noqa: N806
        seen_t = np.einsum("kij,kj->ki", camera_R, board_t) + camera_t
        back = T_base_board.rotation.T
        turned = Rotation.from_matrix(back @ seen_R).as_rotvec()
        return np.hstack([turned, (seen_t - T_base_board.translation) @ back.T])


def _solved(
    pairs: _Pairs, camera: Pose, board: Pose, size: np.ndarray, at: np.ndarray | None = None
) -> tuple[OptimizeResult, np.ndarray]:
    """Least squares with errors over their sizes; gives the sizes found, of rotation [rad] and translation [m]."""
    scale = np.repeat(size, 3)

    def residual(x: np.ndarray) -> np.ndarray:
        return (pairs.errors(camera @ pose_of(x[:6]), board @ pose_of(x[6:])) / scale).ravel()

    solved = least_squares(residual, np.zeros(12) if at is None else at, loss="soft_l1", f_scale=1.5, x_scale=0.01)
    errors = np.abs(solved.fun.reshape(-1, 6) * scale)
    # the median of |normal| is 0.6745 standard deviations
    found = [np.median(errors[:, :3]) / 0.6745, np.median(errors[:, 3:]) / 0.6745]
    return solved, np.maximum(found, _LEAST)


def _median_pose(poses: Sequence[Pose]) -> Pose:
    place = np.median([pose.translation for pose in poses], axis=0)
    return min(poses, key=lambda pose: float(np.linalg.norm(pose.translation - place)))
