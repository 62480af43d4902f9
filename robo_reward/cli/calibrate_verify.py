"""`robo-reward calibrate verify`: whether a camera has moved since the rig was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console

from robo_reward.calibration.boards import Board
from robo_reward.calibration.chosen_views import BoardViews
from robo_reward.calibration.moments import moments_by_name, one_moment
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.calibration.report_tables import verdict_table
from robo_reward.calibration.rig_adjustment import PoseStd, RigView
from robo_reward.calibration.verify import KnownBoard, RigVerdict, VerifySettings, verify_rig
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig
from robo_reward.camera.rig_file import read_rig
from robo_reward.cli.calibrate_pictures import views_with_bar
from robo_reward.durable import atomic_file


class NotInPlaceError(CalibrationError):
    """Nothing speaks for a move, but not enough against one: a camera was not compared, or the pictures tell little."""


class RigMovedError(CalibrationError):
    """A camera of the rig is not where it was measured; says which, as far as that can be told."""


def calibrate_verify(
    *,
    board: Board,
    rig: str,
    pictures: Mapping[str, str | int],
    cameras: Sequence[str] | None,
    board_pose: Sequence[float] | None,
    board_std: Sequence[float],
    reading: Mapping[str, Any],
    detection: Mapping[str, Any],
    test: Mapping[str, Any],
    output: str | None,
) -> None:
    """Compare and tell.

    Raises:
        RigMovedError: A camera moved.
        NotInPlaceError: A camera was not compared, or a move that matters might have been missed.
        CalibrationError: Nothing can be compared.
        ValueError: A board pose of other than seven numbers, or a camera that the rig does not have.
    """
    measured, settings = _chosen(read_rig(Path(rig)), pictures, cameras), VerifySettings(**test)
    known = None if board_pose is None else _known_board(board_pose, board_std)
    seen = {
        name: views_with_bar(where, board, reading=reading, detection=detection, name=name)
        for name, where in pictures.items()
        if name in measured.cameras
    }
    verdict = verify_rig(measured, _paired(seen, known), settings, known_board=known)
    Console(stderr=True, soft_wrap=True).print(verdict_table(verdict, settings.caught))
    if output is not None:
        with atomic_file(Path(output)) as temporary:
            temporary.write_text(yaml.safe_dump(_as_plain(verdict), sort_keys=False))
    if verdict.moved:
        moved = [f"{name} ({each.standing})" for name, each in verdict.cameras.items() if each.standing in _GONE]
        raise RigMovedError(f"the rig is not as it was measured: {', '.join(moved)}; measure it again")
    if verdict.not_compared:
        raise NotInPlaceError(_uncompared(verdict, seen))
    if verdict.weak:
        raise NotInPlaceError(_too_weak(verdict, settings))


_GONE = ("moved", "suspect")


def _chosen(rig: Rig, pictures: Mapping[str, str | int], cameras: Sequence[str] | None) -> Rig:
    for name in (*pictures, *(cameras or ())):
        rig.camera(name)  # refuses a name that the rig does not have
    kept = {name: each for name, each in rig.cameras.items() if cameras is None or name in cameras}
    return Rig(cameras=kept, base_frame=rig.base_frame, measured=rig.measured)


def _uncompared(verdict: RigVerdict, seen: Mapping[str, BoardViews]) -> str:
    reasons = "; ".join(f"{name}: {_reason(seen.get(name))}" for name in verdict.not_compared)
    compared = ", ".join(name for name in verdict.cameras if name not in verdict.not_compared)
    return (
        f"not every camera was compared, so the rig is not called in place: {reasons}. Take a picture with the board "
        f"in view of it and of another, or leave it out on purpose: cameras=[{compared}]"
    )


def _reason(views: BoardViews | None) -> str:
    if views is None:
        return "no picture was given"
    if not views.views:
        return views.rejected[0].reason if views.rejected else "there are no pictures"
    return "no other camera saw the board at that moment"


def _too_weak(verdict: RigVerdict, settings: VerifySettings) -> str:
    distance, angle = 1e3 * verdict.smallest.distance, np.degrees(verdict.smallest.angle)
    return (
        f"these pictures would catch with {settings.caught:.0%} only a move of {distance:.1f} mm or {angle:.2f}°, "
        f"{1e3 * settings.max_distance:g} mm and {settings.max_angle:g}° are asked for, "
        f"so the rig is not called in place (corners scatter by {verdict.scatter_px:.2f} px): take more "
        "pictures, with the board in different places, larger in the picture; or measure the rig better"
    )


def _known_board(pose: Sequence[float], std: Sequence[float]) -> KnownBoard:
    if len(pose) != 7 or len(std) != 2:
        raise ValueError(
            f"board_pose must be [x, y, z, qw, qx, qy, qz] and board_std [m, degrees], got {list(pose)} and {list(std)}"
        )
    numbers = np.array(pose, np.float64)
    return KnownBoard(
        T_base_board=Pose.from_quaternion_wxyz(numbers[:3], numbers[3:]),
        known=PoseStd(translation=std[0], rotation=float(np.radians(std[1]))),
    )


def _paired(seen: Mapping[str, BoardViews], known: KnownBoard | None) -> list[RigView]:
    """One picture of each camera is one moment whatever its name; of several, those of one name are."""
    if known is None and any(len(each.views) + len(each.rejected) > 1 for each in seen.values()):
        return moments_by_name(seen)
    return one_moment(seen)


def _as_plain(verdict: RigVerdict) -> dict[str, Any]:
    boards = {
        at: [*pose.translation.tolist(), *pose.quaternion_wxyz.tolist()] for at, pose in verdict.T_base_board.items()
    }
    return {
        "in_place": verdict.in_place,
        "moved": verdict.moved,
        "statistic": float(verdict.statistic),
        "threshold": float(verdict.threshold),
        "p_value": float(verdict.p_value),
        "scatter_px": float(verdict.scatter_px),
        "smallest_move": {"distance": verdict.smallest.distance, "angle": verdict.smallest.angle},  # m, rad
        "cameras": {
            name: {"standing": each.standing, "distance": float(each.distance), "angle": float(each.angle)}
            for name, each in verdict.cameras.items()
        },
        "board_pose": boards,  # x y z qw qx qy qz in the base frame, by moment
    }
