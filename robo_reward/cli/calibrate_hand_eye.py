"""`robo-reward calibrate hand-eye`: a camera on the hand, or beside the base."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rich.console import Console

from robo_reward.calibration.boards import Board
from robo_reward.calibration.camera_file import read_camera
from robo_reward.calibration.chosen_views import BoardViews
from robo_reward.calibration.corners import Corners
from robo_reward.calibration.hand_eye import HandEye, HandEyeSettings, eye_in_hand, eye_to_hand
from robo_reward.calibration.hand_eye_poses import named_poses
from robo_reward.calibration.hand_eye_refinement import PixelRefined, refine_on_pixels
from robo_reward.calibration.hand_eye_streams import PoseStream, align_streams, paired_moments, read_pose_stream
from robo_reward.calibration.report_pictures import hand_eye_picture
from robo_reward.calibration.report_tables import hand_eye_table
from robo_reward.calibration.rig_start import board_pose
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Measurement, Rig, RigCamera
from robo_reward.camera.rig_file import write_rig
from robo_reward.cli.calibrate_outputs import free_outputs
from robo_reward.cli.calibrate_pictures import views_with_bar

_SOLVE: Mapping[str, Callable[[Sequence[Pose], Sequence[Pose], HandEyeSettings], HandEye]] = {
    "eye_in_hand": eye_in_hand,
    "eye_to_hand": eye_to_hand,
}
ON_THE_HAND = "hand-eye, eye in hand"
"""How the measurement of a camera begins that the hand carries: its rig's base frame is the hand's, and moves."""
_FRAMES = {"eye_in_hand": "the hand's frame, which moves", "eye_to_hand": "which must be the arm's base"}
_HOW = {
    "eye_in_hand": f"{ON_THE_HAND}: the base frame is the hand's and moves with the arm",
    "eye_to_hand": "hand-eye, eye to hand: the camera stands still in the base frame",
}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Moments:
    """Hand and board at the same moments, and the corners where there are pictures."""

    T_base_hand: Sequence[Pose]
    T_camera_board: Sequence[Pose]
    views: Sequence[Corners] = ()


def calibrate_hand_eye(
    *,
    board: Board | None,
    mounting: str,
    hand_poses: str,
    camera: str,
    pictures: str | int | None,
    board_poses: str | None,
    inverse_board_poses: bool,
    pairs: int,
    pixel_std: float,
    name: str,
    frame: str,
    reading: Mapping[str, Any],
    detection: Mapping[str, Any],
    fit: Mapping[str, Any],
    output: str,
) -> None:
    """Solve, refine, tell, and write a rig's YAML with the camera, and a picture.

    Raises:
        ValueError: An unknown mounting, or neither or both of pictures and board poses.
        OutputError: The output, or the picture beside it, exists.
        CalibrationError: The motion or the pictures do not tell enough.
    """
    (file, picture), settings = free_outputs(output), HandEyeSettings(**fit)
    if mounting not in _SOLVE:
        raise ValueError(f"mounting must be {' or '.join(_SOLVE)}, got '{mounting}'")
    if (pictures is None) == (board_poses is None):
        raise ValueError("give either pictures or board_poses")
    lens = read_camera(camera, name=name)
    if board_poses is not None:
        stream = read_pose_stream(board_poses)
        moments = _of_streams(read_pose_stream(hand_poses), stream.inverse() if inverse_board_poses else stream, pairs)
    else:
        if board is None or pictures is None:
            raise ValueError("pictures need a board")
        seen = views_with_bar(pictures, board, reading=reading, detection=detection, name=name)
        moments = _of_pictures(hand_poses, seen, lens, pairs, name)
    found = _SOLVE[mounting](moments.T_base_hand, moments.T_camera_board, settings)
    console = Console(stderr=True, soft_wrap=True)
    console.print(hand_eye_table(found))
    pose, residual, how = found.T_mount_camera, float("nan"), f"{_HOW[mounting]}; {len(found.kept)} poses"
    views, residuals = (), ()
    if moments.views:
        refined = _on_pixels(found, moments, lens, mounting=mounting, pixel_std=pixel_std, folds=settings.folds)
        views, residuals, pose = [moments.views[i] for i in found.kept], refined.residuals, refined.T_hand_camera
        residual = refined.held_out_px
        how += ", refined on corners; the residual is of held-out pictures"
    hand_eye_picture(found, views, residuals, picture)
    measured = Measurement(date=date.today().isoformat(), how=how, residual_px=residual)
    rig = Rig(cameras={name: RigCamera(intrinsics=lens, T_base_camera=pose)}, base_frame=frame, measured=measured)
    write_rig(rig, file)
    console.print(f"wrote {file} and {picture}; the camera's pose is in {frame}, {_FRAMES[mounting]}", markup=False)


def _of_streams(hand: PoseStream, camera: PoseStream, pairs: int) -> _Moments:
    alignment = align_streams(hand, camera)
    picked, stamps = paired_moments(hand, camera, alignment, number=pairs)
    return _Moments(T_base_hand=hand.at(stamps), T_camera_board=camera.at(camera.stamp[picked]))


def _of_pictures(hand_poses: str, seen: BoardViews, lens: Intrinsics, pairs: int, name: str) -> _Moments:
    """By the pictures' names where the poses have names, else by the clock.

    Raises:
        ValueError: The names are of other pictures.
        CalibrationError: The pictures have another size than the lens was measured at.
    """
    views, stamps = seen.views, seen.stamps
    boards = [board_pose(view, lens, camera=name) for view in views]
    if (named := named_poses(hand_poses)) is not None:
        kept = [place for place, view in enumerate(views) if view.picture in named]
        if views and not kept:
            raise ValueError(
                f"{hand_poses} names none of the pictures with the board: it has {', '.join(list(named)[:3])}, …, "
                f"the pictures are {', '.join(view.picture for view in views[:3])}, …"
            )
        return _Moments(
            T_base_hand=[named[views[place].picture] for place in kept],
            T_camera_board=[boards[place] for place in kept],
            views=[views[place] for place in kept],
        )
    hand, camera = read_pose_stream(hand_poses), PoseStream.of(stamps, boards)
    picked, at = paired_moments(hand, camera, align_streams(hand, camera), number=pairs)
    return _Moments(
        T_base_hand=hand.at(at),
        T_camera_board=[boards[place] for place in picked],
        views=[views[place] for place in picked],
    )


def _on_pixels(
    found: HandEye, moments: _Moments, lens: Intrinsics, *, mounting: str, pixel_std: float, folds: int
) -> PixelRefined:
    hand = [moments.T_base_hand[place] for place in found.kept]
    return refine_on_pixels(
        hand if mounting == "eye_in_hand" else [pose.inverse() for pose in hand],
        [moments.views[place] for place in found.kept],
        lens,
        T_hand_camera=found.T_mount_camera,
        T_base_board=found.T_other_board,
        pixel_std=pixel_std,
        folds=folds,
    )
