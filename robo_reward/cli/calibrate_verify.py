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
from robo_reward.camera.rig_file import read_rig
from robo_reward.cli.calibrate_pictures import views_with_bar
from robo_reward.episodes.durable import atomic_file


class RigMovedError(CalibrationError):
    """A camera of the rig is not where it was measured; says which, as far as that can be told."""


def calibrate_verify(
    *,
    board: Board,
    rig: str,
    pictures: Mapping[str, str | int],
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
        CalibrationError: Nothing can be compared.
        ValueError: A board pose of other than seven numbers.
    """
    measured, settings = read_rig(Path(rig)), VerifySettings(**test)
    known = None if board_pose is None else _known_board(board_pose, board_std)
    seen = {
        name: views_with_bar(where, board, reading=reading, detection=detection, name=name)
        for name, where in pictures.items()
    }
    verdict = verify_rig(measured, _paired(seen, known), settings, known_board=known)
    Console(stderr=True, soft_wrap=True).print(verdict_table(verdict))
    if output is not None:
        with atomic_file(Path(output)) as temporary:
            temporary.write_text(yaml.safe_dump(_as_plain(verdict), sort_keys=False))
    if verdict.moved:
        moved = [f"{name} ({each.standing})" for name, each in verdict.cameras.items() if each.standing in _GONE]
        raise RigMovedError(f"the rig is not as it was measured: {', '.join(moved)}; measure it again")


_GONE = ("moved", "suspect")


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
        "moved": verdict.moved,
        "statistic": float(verdict.statistic),
        "threshold": float(verdict.threshold),
        "p_value": float(verdict.p_value),
        "scatter_px": float(verdict.scatter_px),
        "cameras": {
            name: {"standing": each.standing, "distance": float(each.distance), "angle": float(each.angle)}
            for name, each in verdict.cameras.items()
        },
        "board_pose": boards,  # x y z qw qx qy qz in the base frame, by moment
    }
