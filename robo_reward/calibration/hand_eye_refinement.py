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
    size: tuple[float, float]
    """Size of the noise of rotations [rad] and translations [m] along each axis."""
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
    held_out_px: float
    """Root mean square reprojection error of views that were not fitted [px]."""


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
    solved = _solved(pairs, start, first, size=np.ones(2), at=np.zeros(12))
    size = np.ones(2)
    for _ in range(_ROUNDS):
        size = _size(pairs.errors(start, first, solved.x))
        solved = _solved(pairs, start, first, size=size, at=solved.x)
    errors = pairs.errors(start, first, solved.x)
    variance = np.diag(np.linalg.inv(solved.jac.T @ solved.jac))[:6]
    return Refined(
        T_hand_camera=start @ pose_of(solved.x[:6]),
        T_base_board=first @ pose_of(solved.x[6:]),
        std=PoseStd(translation=float(np.sqrt(variance[3:].sum())), rotation=float(np.sqrt(variance[:3].sum()))),
        size=(float(size[0]), float(size[1])),
        error=np.linalg.norm(errors / np.repeat(size, 3), axis=1) / np.sqrt(6),
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
        some = _Pairs.of([T_base_hand[i] for i in kept], [T_camera_board[i] for i in kept])
        solved = _solved(some, fit.T_hand_camera, fit.T_base_board, size=np.array(fit.size), at=np.zeros(12))
        pairs = _Pairs.of([T_base_hand[i] for i in left], [T_camera_board[i] for i in left])
        errors = pairs.errors(fit.T_hand_camera, fit.T_base_board, solved.x)
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
    folds: int,
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
        folds: Parts of the views, each held out once to measure the error on views that were not fitted; the hand's
            pose says where the board is in them.
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
    found = _fitted_chains(chains, pixel_std)
    values, slopes = _chained(chains, found, pixel_std)
    noise = np.sqrt((values**2).mean())
    variance = noise**2 * np.diag(np.linalg.inv(slopes.T @ slopes))[:6]
    counts = np.cumsum([2 * len(view.ids) for view in views])[:-1]
    # the outer motion takes what is seen from the old camera frame to the new one: the camera moves by its inverse
    camera, board = T_hand_camera @ pose_of(found[:6]).inverse(), T_base_board @ pose_of(found[6:])
    return PixelRefined(
        T_hand_camera=camera,
        T_base_board=board,
        std=PoseStd(translation=float(np.sqrt(variance[3:].sum())), rotation=float(np.sqrt(variance[:3].sum()))),
        residuals=tuple(-pixel_std * part.reshape(-1, 2) for part in np.split(values, counts)),
        held_out_px=_held_out(chains, pixel_std, folds=folds),
    )


def _fitted_chains(chains: Sequence[ChainView], pixel_std: float) -> Float64[np.ndarray, "12"]:
    return least_squares(
        lambda x: _chained(chains, x, pixel_std)[0],
        np.zeros(12),
        jac=lambda x: _chained(chains, x, pixel_std)[1],  # pyright: ignore[reportArgumentType]
        loss="huber",
        f_scale=1.5,
        x_scale=0.01,
    ).x


def _held_out(chains: Sequence[ChainView], pixel_std: float, *, folds: int) -> float:
    squares = []
    for fold in range(min(folds, len(chains))):
        kept = [chain for place, chain in enumerate(chains) if place % folds != fold]
        left = [chain for place, chain in enumerate(chains) if place % folds == fold]
        missed, _ = _chained(left, _fitted_chains(kept, pixel_std), 1.0)
        squares.append((missed.reshape(-1, 2) ** 2).sum(axis=1))
    return float(np.sqrt(np.concatenate(squares).mean()))


def _chained(chains: Sequence[ChainView], x: np.ndarray, pixel_std: float) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of all views over their standard deviation, and the derivative by both motions."""
    parts = [chain_residual(chain, x[:6], x[6:]) for chain in chains]
    values = np.concatenate([part[0] for part in parts])
    slopes = np.concatenate([np.hstack(part[1:]) for part in parts])
    return values / pixel_std, slopes / pixel_std


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

    def errors(self, camera: Pose, board: Pose, x: Float64[np.ndarray, "12"]) -> Float64[np.ndarray, "pair 6"]:
        """Rotation vector [rad] and translation [m] of the seen board in the predicted one.

        Camera in the hand and board in the base are moved by six numbers each, rotation vector and translation.
        """
        (hand_R, hand_t), (board_R, board_t) = self.hand, self.board  # noqa: N806
        turn_camera, turn_board = Rotation.from_rotvec(x[[[0, 1, 2], [6, 7, 8]]]).as_matrix()
        camera_R = hand_R @ (camera.rotation @ turn_camera)  # noqa: N806
        camera_t = hand_R @ (camera.rotation @ x[3:6] + camera.translation) + hand_t
        seen_t = np.einsum("kij,kj->ki", camera_R, board_t) + camera_t
        base_R, base_t = board.rotation @ turn_board, board.rotation @ x[9:] + board.translation  # noqa: N806
        turned = Rotation.from_matrix(base_R.T @ camera_R @ board_R).as_rotvec()
        return np.hstack([turned, (seen_t - base_t) @ base_R])


def _size(errors: Float64[np.ndarray, "pair 6"]) -> Float64[np.ndarray, "2"]:
    """Standard deviation of rotations [rad] and translations [m], whatever a few outliers do."""
    # the median of |normal| is 0.6745 standard deviations
    found = np.median(np.abs(errors[:, :3])), np.median(np.abs(errors[:, 3:]))
    return np.maximum(np.array(found) / 0.6745, _LEAST)


def _solved(pairs: _Pairs, camera: Pose, board: Pose, *, size: np.ndarray, at: np.ndarray) -> OptimizeResult:
    """Least squares, robust, of errors over their sizes, of rotation [rad] and translation [m]."""
    scale = np.repeat(size, 3)
    return least_squares(
        lambda x: (pairs.errors(camera, board, x) / scale).ravel(), at, loss="soft_l1", f_scale=1.5, x_scale=0.01
    )


def _median_pose(poses: Sequence[Pose]) -> Pose:
    place = np.median([pose.translation for pose in poses], axis=0)
    return min(poses, key=lambda pose: float(np.linalg.norm(pose.translation - place)))
