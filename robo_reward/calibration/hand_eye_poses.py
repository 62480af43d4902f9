"""Poses of the hand, one for each picture, by the picture's name."""

import csv
from pathlib import Path

import numpy as np

from robo_reward.camera.pose import Pose
from robo_reward.errors import DataSetError

_COLUMNS = ("picture", "x", "y", "z", "qx", "qy", "qz", "qw")


def named_poses(path: str | Path) -> dict[str, Pose] | None:
    """Read a CSV with header picture,x,y,z,qx,qy,qz,qw: T_base_hand [m] when each picture was taken.

    Returns:
        Poses by name of the picture; None where the file has no such header.

    Raises:
        FileNotFoundError: There is no such file.
        DataSetError: A number is missing or none, or a quaternion has not length 1.
    """
    with Path(path).open(newline="") as file:
        rows = csv.DictReader(file)
        if tuple(name.strip() for name in rows.fieldnames or ()) != _COLUMNS:
            return None
        rows.fieldnames = list(_COLUMNS)
        try:
            return {row["picture"].strip(): _pose(row) for row in rows}
        except (TypeError, ValueError) as error:
            raise DataSetError(f"{path}, line {rows.line_num}: {error}") from error


def _pose(row: dict[str, str]) -> Pose:
    numbers = np.array([float(row[name]) for name in _COLUMNS[1:]])
    return Pose.from_quaternion_wxyz(numbers[:3], numbers[[6, 3, 4, 5]])
