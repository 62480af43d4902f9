"""A first guess of where cameras and boards are: chained from camera to camera through boards that both saw."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from robo_reward.calibration.corners import Corners
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.rig_adjustment import RigView
from robo_reward.camera.intrinsics import Intrinsics
from robo_reward.camera.pose import Pose, pose_difference

_ARM = 0.5
"""Turns angles into lengths when poses are compared: as far as a board is from a camera, about [m]."""


def check_picture_size(corners: Corners, intrinsics: Intrinsics, *, camera: str) -> None:
    """Refuse a picture of another size than the lens was measured at: its corners would mean other directions.

    Raises:
        CalibrationError: The sizes differ.
    """
    lens = (intrinsics.width, intrinsics.height)
    if corners.image_size != lens:
        raise CalibrationError(
            f"camera {camera}: {corners.picture} has {corners.image_size[0]} x {corners.image_size[1]} px, its lens "
            f"was measured at {lens[0]} x {lens[1]} px: take pictures with that resolution, "
            "measure the lens at this one, or, where the picture is only scaled, scale it (Intrinsics.scaled)"
        )


def board_pose(corners: Corners, intrinsics: Intrinsics, *, camera: str = "camera") -> Pose:
    """Give the pose of a flat board in a camera, T_camera_board, by PnP on its corners.

    Args:
        corners: Of the board.
        intrinsics: Of the camera, for pictures of this size.
        camera: Its name, for messages.

    Raises:
        CalibrationError: The picture has another size than the lens was measured at, or OpenCV finds no pose.
    """
    check_picture_size(corners, intrinsics, camera=camera)
    arguments = (corners.points, corners.pixels, intrinsics.matrix, intrinsics.distortion)
    number, turns, moves, _ = cv2.solvePnPGeneric(*arguments, flags=cv2.SOLVEPNP_IPPE)
    if not number:
        raise CalibrationError(f"{corners.picture}: the corners fit no pose of the board")
    turn, move = cv2.solvePnPRefineLM(*arguments, turns[0], moves[0])  # the better one of two comes first
    return Pose.from_rotation_vector(move.ravel(), turn.ravel())


def start_rig(
    views: Sequence[RigView], intrinsics: Mapping[str, Intrinsics], *, reference: str
) -> tuple[dict[str, Pose], dict[str, Pose]]:
    """Give first poses of cameras and boards in the frame of the reference camera: (T_base_camera, T_base_board).

    Cameras are taken on in the order of how many moments they share with those already placed; of the relative poses
    that these moments give, the one nearest to all others is taken, so that a board seen as its own mirror image in
    one moment does no harm.

    Raises:
        CalibrationError: A camera that shares no moment with the others, or whose pictures are not of its lens' size.
    """
    seen = {
        (view.camera, view.moment): board_pose(view.corners, intrinsics[view.camera], camera=view.camera)
        for view in views
    }
    placed = {reference: Pose.identity()}
    while waiting := [name for name in intrinsics if name not in placed]:
        shared = {name: _through_boards(name, placed, seen) for name in waiting}
        best = max(waiting, key=lambda name: len(shared[name]))
        if not shared[best]:
            raise CalibrationError(
                f"camera {', '.join(waiting)} never saw the board together with {', '.join(placed)}: "
                "hold it where both see it"
            )
        placed[best] = _middle(shared[best])
    boards = {
        moment: _middle([placed[name] @ pose for (name, at), pose in seen.items() if at == moment])
        for moment in dict.fromkeys(view.moment for view in views)
    }
    return placed, boards


def _through_boards(name: str, placed: Mapping[str, Pose], seen: Mapping[tuple[str, str], Pose]) -> list[Pose]:
    return [
        placed[other] @ seen[other, moment] @ pose.inverse()
        for (camera, moment), pose in seen.items()
        if camera == name
        for other in placed
        if (other, moment) in seen
    ]


def _middle(poses: Sequence[Pose]) -> Pose:
    """The pose with the least median distance to the others."""
    some = poses[:: max(1, len(poses) // 60)]
    apart = np.array([[_apart(one, other) for other in some] for one in some])
    return some[int(np.argmin(np.median(apart, axis=1)))]


def _apart(one: Pose, other: Pose) -> float:
    distance, angle = pose_difference(one, other)
    return distance + _ARM * angle
